"""The registry of tasks: those that configurations can name, one in each file of the folder ``kinds``."""

import importlib
import inspect
import pkgutil
from collections.abc import Mapping
from difflib import get_close_matches
from functools import cache
from types import MappingProxyType
from typing import Any, get_type_hints

from pydantic import ConfigDict, TypeAdapter, ValidationError

from compress.errors import ConfigError
from zoo.tasks.task import Task

_FOLDER = "zoo.tasks.kinds"

BUILT = ("compiled", "outputs")
"""Names of tasks that Keras's fit trains built models for, of data as it takes them."""


@cache
def tasks() -> Mapping[str, type[Task]]:
    """The tasks that configurations can name; every file in the folder ``kinds`` is imported."""
    kinds: dict[str, type[Task]] = {}
    for module in pkgutil.iter_modules(importlib.import_module(_FOLDER).__path__):
        for kind in vars(importlib.import_module(f"{_FOLDER}.{module.name}")).values():
            if inspect.isclass(kind) and issubclass(kind, Task) and not inspect.isabstract(kind):
                kinds[kind.name] = kind
    return MappingProxyType(kinds)


def task_words() -> str:
    """All tasks with what they are, for the reference."""
    return "; ".join(f"{name} ({kind.words})" for name, kind in tasks().items())


def make_task(name: str, options: Mapping[str, Any]) -> Task:
    """The task of this name.

    Raises:
        ConfigError: an unknown name or option, or a value that it refuses.
    """
    if name not in tasks():
        near = get_close_matches(name, [*tasks(), *BUILT], n=1)
        raise ConfigError(
            f"task: expected one of {', '.join([*tasks(), *BUILT])} or module:Class, received {name!r}"
            f"{f'; did you mean {near[0]}?' if near else ''}"
        )
    kind = tasks()[name]
    known = list(inspect.signature(kind).parameters)
    unknown = sorted(set(options) - set(known))
    if unknown:
        takes = f"takes {', '.join(known)}" if known else "takes none"
        raise ConfigError(f"task.options: {name} {takes}, received {', '.join(unknown)}; leave it out")
    for option, value in options.items():
        _check_type(name, option, value, get_type_hints(kind)[option])
    return kind(**options)


def _check_type(name: str, option: str, value: Any, wanted: Any) -> None:
    """Refuse what only looks like a number: a mask has no pixel of the label "255"."""
    try:
        TypeAdapter(wanted, config=ConfigDict(strict=True)).validate_python(value)
    except ValidationError as error:
        expected = error.errors()[0]["msg"].replace("Input should be", "expected")
        raise ConfigError(f"task.options.{option}: {expected} for {name}, received {value!r}") from None
