"""The reference of the configuration, as Markdown, from the schema: every key, its type, default and description."""

import json
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any

from configs.schema.run import RunConfig
from search.samplers.registry import sampler_kinds

Schema = Mapping[str, Any]

_INTRODUCTION = """# Configuration

A run is one YAML file. This page is made from the schema that checks it, `configs/schema/run.py`; unknown keys are
refused, with the nearest known one, and so are values of another type. Any key can be given on the command line as
well: `--set search.trials=200`. The run folder keeps the resolved configuration, defaults written out, as
`config.yaml`.

Only `name`, `model`, `data` and `budget` have to be there:

```yaml
name: mine
model: {path: models/mine.keras}
data: {source: data/mine}
budget: {flops: 25%}
```
"""
_BOUNDS = {
    "minimum": "at least {:.10g}",
    "exclusiveMinimum": "above {:.10g}",
    "maximum": "at most {:.10g}",
    "exclusiveMaximum": "below {:.10g}",
}


@dataclass(frozen=True)
class Option:
    """One key of a configuration.

    Attributes:
        path: such as ``search.trials``.
        type: in words, as Markdown.
        default: as YAML in backquotes, or that the key is required.
        description: what it means.
    """

    path: str
    type: str
    default: str
    description: str


@dataclass(frozen=True)
class Section:
    """One section of a configuration: its path (empty for the whole), what it is for, and its keys."""

    path: str
    description: str
    options: tuple[Option, ...]


def sections(schema: Schema | None = None) -> tuple[Section, ...]:
    """All sections, each before those inside it; of `RunConfig` unless another JSON schema is given.

    Raises:
        ValueError: names the keys and sections that have no description.
    """
    whole = RunConfig.model_json_schema() if schema is None else schema
    parts = tuple(_sections("", whole, whole.get("$defs", {})))
    silent = [option.path for section in parts for option in section.options if not option.description]
    silent += [section.path or "the whole" for section in parts if not section.description]
    if silent:
        raise ValueError(f"expected a description of every key, received none of {', '.join(silent)}; write one")
    return parts


def page() -> str:
    """The whole reference as one Markdown page."""
    return "\n".join([_INTRODUCTION, *(_markdown(section) for section in sections()), _samplers()])


def _samplers() -> str:
    """The samplers that ``search.sampler.name`` takes, as their files register them."""
    lines = ["## Samplers {#samplers}", "", "| `search.sampler` | what it is | options | needs |", "|---|---|---|---|"]
    for kind in sampler_kinds().values():
        needs = [kind.package] * (kind.package is not None) + ["search.projection"] * kind.needs_projection
        lines.append(f"| `{kind.shown}` | {kind.summary} | {kind.options} | {', '.join(needs)} |")
    return "\n".join([*lines, ""])


def anchor(path: str) -> str:
    """The anchor of a section on the page."""
    return path.replace(".", "-") or "the-file"


def _sections(path: str, schema: Schema, definitions: Schema) -> Iterator[Section]:
    required = schema.get("required", ())
    inner: list[tuple[str, Schema]] = []
    options: list[Option] = []
    for key, field in schema["properties"].items():
        name = f"{path}.{key}" if path else key
        section, of_each = _section_of(field, definitions), _section_of_each(field, definitions)
        items = _section_of(field.get("items", {}), definitions)
        inner.extend((name, one) for one in (section, items) if one is not None)
        if of_each is not None:
            inner.append((f"{name}.NAME", of_each))
        description = field.get("description") or (section or {}).get("description", "").split("\n")[0]
        default = "required" if key in required else _default(field, section)
        kind = _type(field, name) if of_each is None else f"mapping of names to [sections](#{anchor(f'{name}.NAME')})"
        options.append(Option(name, kind, default, description))
    yield Section(path, schema.get("description", ""), tuple(options))
    for name, section in inner:
        yield from _sections(name, section, definitions)


def _section_of(field: Schema, definitions: Schema) -> Schema | None:
    """The section that a field holds, also where null may stand in its place."""
    for form in (field, *field.get("anyOf", ())):
        if "$ref" in form:
            section: Schema = definitions[form["$ref"].rsplit("/", 1)[-1]]
            return section
    return None


def _section_of_each(field: Schema, definitions: Schema) -> Schema | None:
    """The section that a mapping holds for every name."""
    held = field.get("additionalProperties")
    section = _section_of(held, definitions) if isinstance(held, dict) else None
    return section if section and "properties" in section else None


def _default(field: Schema, section: Schema | None) -> str:
    default = field.get("default")
    if section is not None and default is not None and not isinstance(default, str):
        return "its defaults"
    return f"`{json.dumps(default, ensure_ascii=False)}`"


def _type(field: Schema, path: str) -> str:
    if "anyOf" in field:
        kinds = [form.get("type") for form in field["anyOf"]]
        # A number may be a whole one anyway.
        forms = [form for form in field["anyOf"] if form.get("type") != "integer" or "number" not in kinds]
        return " or ".join(_type(form, path) for form in forms)
    if "$ref" in field:
        return f"[section](#{anchor(path)})"
    if "enum" in field or "const" in field:
        return ", ".join(f"`{value}`" for value in field.get("enum", [field.get("const")]))
    kind = field.get("type")
    if kind == "array":
        return _list_type(field, path)
    words = {"boolean": "true or false", "string": "text", "object": "mapping", "integer": "whole number"}
    bounds = " and ".join(text.format(field[key]) for key, text in _BOUNDS.items() if key in field)
    return ", ".join(part for part in (words.get(str(kind), str(kind)), bounds) if part)


def _list_type(field: Schema, path: str) -> str:
    if "prefixItems" in field:
        items = field["prefixItems"]
        return f"list of {len(items)}: " + "; ".join(dict.fromkeys(_type(item, path) for item in items))
    return f"list of {_type(field['items'], path)}"


def _markdown(section: Section) -> str:
    """A heading, the description and a table."""
    title = f"`{section.path}`" if section.path else "The file"
    rows = [
        f"| `{option.path.rsplit('.', 1)[-1]}` | {option.type} | {option.default} | {_cell(option.description)} |"
        for option in section.options
    ]
    table = ["| key | type | default | meaning |", "| --- | --- | --- | --- |", *rows]
    return "\n".join([f"## {title} {{ #{anchor(section.path)} }}", "", section.description, "", *table, ""])


def _cell(text: str) -> str:
    return text.replace("|", "\\|").replace("<", "&lt;")
