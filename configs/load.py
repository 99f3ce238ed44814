"""Configuration files read with overrides, checked, written back and compared."""

import json
import re
from collections.abc import Hashable, Mapping, Sequence
from pathlib import Path
from typing import Any

import yaml
from pydantic import ValidationError

from compress.errors import ConfigError, excerpt, one_line
from configs.schema.problems import describe
from configs.schema.run import RunConfig
from configs.schema.space import LayerConfig
from configs.schema.storage import hide_passwords

_DEEPEST = 50
"""Levels of maps and lists that a configuration may have, far more than any of its sections needs."""

_LAYERS = "space.layers."
"""Beginning of the keys of overrides for single layers."""


def load_config(path: str | Path, overrides: Sequence[str] = ()) -> RunConfig:
    """Read the YAML file at `path`, apply overrides such as "search.trials=10" (values are YAML), and check the whole.

    Raises:
        ConfigError: one line that names the file and every problem: an unreadable file, invalid YAML, a key given
            twice, an unknown key (with the nearest known one), a value (what was expected, what was received).
    """
    try:
        text = Path(path).read_text(encoding="utf-8")
    except (OSError, UnicodeDecodeError) as error:
        raise ConfigError(f"{path}: expected a readable YAML file, received {_one_line(error)}") from error
    data = _mapping(text, str(path))
    for override in overrides:
        _apply(override, data)
    return check_config(data, hide_passwords(f"{path} (with {', '.join(overrides)})") if overrides else str(path))


def check_config(data: Mapping[str, Any], source: str) -> RunConfig:
    """Check the contents of a configuration file; `source` is what messages call it.

    Raises:
        ConfigError: one line that names `source` and every problem.
    """
    try:
        return RunConfig.model_validate(dict(data))
    except ValidationError as error:
        raise ConfigError(f"{source}: {describe(error)}") from error


def dump_config(config: RunConfig) -> str:
    """Return `config` as YAML, defaults written out; loading it again gives an equal configuration."""
    text: str = yaml.dump(config.model_dump(mode="json"), Dumper=_Dumper, sort_keys=False, allow_unicode=True)
    return text


def difference(a: RunConfig, b: RunConfig) -> list[str]:
    """Return one line per key whose value is not the same, such as "search.trials: 20 -> 30"."""
    return _difference(a.model_dump(mode="json"), b.model_dump(mode="json"), "")


def _difference(a: Any, b: Any, key: str) -> list[str]:
    # Of what users name, such as options and patterns of layers, keys may differ, and their order may count.
    if isinstance(a, dict) and isinstance(b, dict) and list(a) == list(b):
        return [line for name in a for line in _difference(a[name], b[name], f"{key}.{name}" if key else name)]
    # 1 == 1.0 and True == 1 in Python, but not for the reader of a file.
    before, after = json.dumps(a, ensure_ascii=False), json.dumps(b, ensure_ascii=False)
    return [] if before == after else [f"{key}: {before} -> {after}"]


def _mapping(text: str, source: str) -> dict[str, Any]:
    try:
        data = _parsed(text)
    except yaml.YAMLError as error:
        raise ConfigError(f"{source}: expected valid YAML, received {_one_line(error)}") from error
    if data is None:
        return {}
    if not isinstance(data, dict):
        raise ConfigError(f"{source}: expected sections such as 'model:' and 'data:', received {_one_line(repr(data))}")
    return data


def _apply(override: str, data: dict[str, Any]) -> None:
    """Put an override's value into the nested mappings of `data`."""
    key, equals, text = override.partition("=")
    names, shown = _names(key.strip()), hide_passwords(override)
    if not equals or not all(names):
        raise ConfigError(f"override: expected KEY=VALUE such as search.trials=10, received {excerpt(shown)}")
    try:
        value = _parsed(text)
    except yaml.YAMLError as error:
        raise ConfigError(f"override {excerpt(shown)}: expected a YAML value, received {_one_line(error)}") from error
    section = data
    for name in names[:-1]:
        if section.get(name) is None:
            section[name] = {}
        section = section[name]
        if not isinstance(section, dict):
            raise ConfigError(
                f"override {excerpt(shown)}: expected {name} to be a section, received {_one_line(repr(section))}"
            )
    section[names[-1]] = value


def _names(key: str) -> list[str]:
    """The names of an override's key, from the outermost section to the value; that of a layer may hold dots."""
    if not key.startswith(_LAYERS):
        return key.split(".")
    layer, _, last = key.removeprefix(_LAYERS).rpartition(".")
    inside = [layer, last] if layer and last in LayerConfig.model_fields else [key.removeprefix(_LAYERS)]
    return [*_LAYERS.split(".")[:-1], *inside]


def _parsed(text: str) -> Any:
    """What a YAML text holds.

    Raises:
        yaml.YAMLError: it is no YAML, or nests deeper than anything that is meant, which not every libyaml refuses.
    """
    data = yaml.load(text, _Loader)
    level, depth = [data], 0
    while level:
        depth += 1
        if depth > _DEEPEST:
            raise yaml.YAMLError(f"maps or lists nested more than {_DEEPEST} deep")
        inner = (list(node.values()) if isinstance(node, dict) else node for node in level)
        # Aliases may name one list many times.
        level = list({id(child): child for node in inner if isinstance(node, list) for child in node}.values())
    return data


def _one_line(error: object) -> str:
    return one_line(hide_passwords(str(error))).replace(' in "<unicode string>",', " at")


class _Loader(yaml.CSafeLoader):
    """The safe loader of libyaml, that reads 1e-3 as a number, as YAML 1.2 does, and refuses a key given twice."""

    def construct_mapping(self, node: yaml.MappingNode, deep: bool = False) -> dict[Hashable, Any]:
        seen: set[str] = set()
        for key, _ in node.value:
            if not isinstance(key, yaml.ScalarNode):
                continue
            if key.value in seen:
                raise yaml.constructor.ConstructorError(None, None, f"the key {key.value!r} twice", key.start_mark)
            seen.add(key.value)
        return super().construct_mapping(node, deep)


def _number(loader: _Loader, node: yaml.ScalarNode) -> Any:
    """The number of a scalar; what YAML 1.1 reads by another base than a reader does is refused: 010 as 8, 1:30 as 90.

    Raises:
        yaml.constructor.ConstructorError: it has a leading zero or a colon.
    """
    if ":" in node.value or re.fullmatch(r"[-+]?0[0-9_]+", node.value):
        problem = f"{node.value}, which could be two numbers: write it without leading zeros and colons, or in quotes"
        raise yaml.constructor.ConstructorError(None, None, problem, node.start_mark)
    integral = node.tag == _INT
    return loader.construct_yaml_int(node) if integral else loader.construct_yaml_float(node)


class _Dumper(yaml.SafeDumper):
    """The safe dumper, that writes text such as 1e3 in quotes, because the loader would read it as a number."""


_INT, _FLOAT = "tag:yaml.org,2002:int", "tag:yaml.org,2002:float"
for _tag in (_INT, _FLOAT):
    _Loader.add_constructor(_tag, _number)
for _side in (_Loader, _Dumper):
    _side.add_implicit_resolver(_FLOAT, re.compile(r"[-+]?\d+(\.\d*)?[eE][-+]?\d+$"), list("-+0123456789"))
