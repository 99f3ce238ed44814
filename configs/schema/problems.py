"""What is wrong with a configuration, in one line for the person who wrote it."""

import difflib
import re
import reprlib
import types
from collections.abc import Iterator
from typing import Any, get_args, get_origin

from pydantic import BaseModel, ValidationError
from pydantic_core import ErrorDetails

from configs.schema.run import RunConfig
from configs.schema.storage import hide_passwords

_WORDINGS = {
    "bool_type": "true or false",
    "dict_type": "a section of keys",
    "float_type": "a number",
    "greater_than": "above {gt:g}",
    "greater_than_equal": "at least {ge:g}",
    "int_type": "an integer",
    "invalid_key": "text as a key",
    "less_than": "below {lt:g}",
    "less_than_equal": "at most {le:g}",
    "model_type": "a section of keys",
    "string_too_short": "text",
    "string_type": "text",
    "too_long": "at most {max_length} items",
    "tuple_type": "a list",
}

# Where the type of the items stands among the arguments of a type that holds many.
_HOLDERS: dict[Any, int] = {dict: 1, tuple: 0}


def describe(error: ValidationError) -> str:
    """Return every problem in `error` as "key: expected ..., received ...", joined by "; "."""
    problems: dict[str, list[ErrorDetails]] = {}
    for detail in error.errors(include_url=False):
        problems.setdefault(_key(detail["loc"]), []).append(detail)
    return "; ".join(_problem(key, details) for key, details in problems.items())


def _problem(key: str, details: list[ErrorDetails]) -> str:
    """One problem; a value that fits none of several types has one detail per type."""
    first = details[0]
    prefix = f"{key}: " if key else ""
    if first["type"] == "extra_forbidden":
        return prefix + _unknown(first["loc"])
    if first["type"] == "missing":
        return f"{prefix}expected a value, received nothing"
    if first["type"] == "value_error":
        return prefix + str(first["ctx"]["error"])
    expected = " or ".join(dict.fromkeys(_expected(detail) for detail in details))
    return f"{prefix}expected {expected}, received {_shown(first['input'])}"


def _shown(value: Any) -> str:
    """The value, shortened; of a URL without its password, which shortening could leave a part of."""
    whole = repr(value)
    hidden = hide_passwords(whole)
    return reprlib.repr(value) if hidden == whole else hidden[:100]


def _expected(detail: ErrorDetails) -> str:
    wording = _WORDINGS.get(detail["type"])
    if wording is None:
        return re.sub(r"^\w+ should (be )?", "", detail["msg"])
    return wording.format(**detail.get("ctx", {}))


def _unknown(loc: tuple[int | str, ...]) -> str:
    known = _keys_beside(loc)
    nearest = difflib.get_close_matches(str(loc[-1]), known, n=1, cutoff=0.0)[0]
    return f"unknown key, did you mean {nearest}? expected one of {', '.join(known)}"


def _keys_beside(loc: tuple[int | str, ...]) -> list[str]:
    annotation: Any = RunConfig
    for name in loc[:-1]:
        annotation = _inside(annotation, name)
    return list(next(_sections(annotation)).model_fields)


def _key(loc: tuple[int | str, ...]) -> str:
    """The key as it is written in a file: without the type that pydantic adds for each member of a union."""
    parts: list[str] = []
    annotation: Any = RunConfig
    for item in loc:
        if isinstance(item, int) and parts and (annotation is None or get_origin(annotation) is tuple):
            parts[-1] += f"[{item}]"
        elif annotation is not None:
            parts.append(str(item))
        annotation = None if annotation is None else _inside(annotation, item)
    return ".".join(parts)


def _inside(annotation: Any, key: int | str) -> Any:
    """What a key of a section, or of a mapping or a list of sections, holds; None where it holds none of them."""
    if get_origin(annotation) in _HOLDERS:
        return next(_sections(get_args(annotation)[_HOLDERS[get_origin(annotation)]]), None)
    field = next(_sections(annotation)).model_fields.get(str(key))
    held = None if field is None else field.annotation
    if get_origin(held) in _HOLDERS:
        return held if next(_sections(get_args(held)[_HOLDERS[get_origin(held)]]), None) else None
    return None if held is None else next(_sections(held), None)


def _sections(annotation: Any) -> Iterator[type[BaseModel]]:
    """The section class in a field's annotation, where it has one (a section may be optional)."""
    for choice in get_args(annotation) if isinstance(annotation, types.UnionType) else (annotation,):
        if isinstance(choice, type) and issubclass(choice, BaseModel):
            yield choice
