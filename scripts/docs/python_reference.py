"""The reference of the Python API, as Markdown: every name that the packages' doors export, by room."""

import importlib
from collections.abc import Iterator
from dataclasses import dataclass
from functools import cache
from pathlib import Path

import griffe

PACKAGES = ("compress", "objectives", "zoo", "configs", "search")
ROOT = Path(__file__).parents[2]

_INTRODUCTION = """# Python

What is meant to be called from Python. This page is made from the doors of the five packages: every name on it is
imported from its package, as in `from compress import analyse`. Models are `keras.Model` objects, and none of these
functions changes the model that it is given. All errors are subclasses of `compress.TuckpruneError`; each says what was
expected, what was received and what to do.
"""


@dataclass(frozen=True)
class Room:
    """A room of a package, or a file beside its rooms: its name, what it is for, and what the door exports of it."""

    name: str
    purpose: str
    exported: tuple[str, ...]


def rooms(package: str) -> tuple[Room, ...]:
    """The rooms that a package's door exports something of, by name.

    Raises:
        ValueError: names what is exported without a docstring.
    """
    door = _loaded(package)
    names = importlib.import_module(package).__all__
    if bare := [f"{package}.{name}" for name in names if not door[name].has_docstring]:
        raise ValueError(f"expected a docstring of every exported name, received none of {', '.join(bare)}; write one")
    by_room: dict[str, list[str]] = {}
    for name in names:
        by_room.setdefault(door[name].canonical_path.split(".")[1], []).append(name)
    return tuple(Room(name, _purpose(door[name]), tuple(by_room[name])) for name in sorted(by_room))


def page() -> str:
    """The whole reference as one Markdown page, whose ``:::`` lines mkdocstrings fills."""
    return "\n".join([_INTRODUCTION, *(line for package in PACKAGES for line in _lines(package))])


def _lines(package: str) -> Iterator[str]:
    yield f"## {package}\n\n{_purpose(_loaded(package))}\n"
    for room in rooms(package):
        yield f"### {package}/{room.name} {{ #{package}-{room.name} }}\n\n{room.purpose}\n"
        yield from (f"::: {package}.{name}\n    options: {{heading_level: 4}}\n" for name in room.exported)


@cache
def _loaded(package: str) -> griffe.Object | griffe.Alias:
    return griffe.load(package, search_paths=[ROOT], resolve_aliases=True, resolve_external=False)


def _purpose(part: griffe.Object | griffe.Alias) -> str:
    return part.docstring.value if part.docstring else ""
