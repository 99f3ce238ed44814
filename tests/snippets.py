"""The snippets of the README and of the pages below docs/, and a place where they run in seconds."""

import shlex
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Any

import yaml
from markdown_it import MarkdownIt

ROOT = Path(__file__).parents[1]
PAGES = (ROOT / "README.md", *sorted((ROOT / "docs").rglob("*.md")))
TINY: Mapping[str, Any] = {
    "data": {"train_limit": 240, "test_limit": 60},
    "training": {"epochs": 1},
    "finetune": {"epochs": 1},
    "proxy": {"recalibration_images": 64, "steps": 1, "batch_size": 32},
    "search": {"trials": 2, "workers": 1, "sensitivity": False},
    "finals": {"candidates": 0},
}
"""What makes any configuration of the pages one of seconds."""


@dataclass(frozen=True)
class Snippet:
    """A fenced block: where it stands, its language, its text."""

    page: str
    line: int
    language: str
    text: str

    def __str__(self) -> str:
        return f"{self.page}:{self.line}"


def snippets(language: str, *pages: str) -> list[Snippet]:
    """All of one language, of all pages unless some are named."""
    return [result for path in PAGES for result in _of(path) if result.language == language and _wanted(path, pages)]


@cache
def inline_codes() -> list[tuple[str, str]]:
    """(page, text) of every `code` in running text."""
    tokens = ((path, token) for path in PAGES for token in MarkdownIt().enable("table").parse(_text(path)))
    return [
        (_name(path), child.content)
        for path, token in tokens
        for child in token.children or ()
        if child.type == "code_inline"
    ]


def command_lines(text: str) -> Iterator[list[str]]:
    """The words of every line of a shell snippet, comments left out."""
    for line in text.splitlines():
        words = shlex.split(line, comments=True)
        if words:
            yield words


def merged(base: Mapping[str, Any], changes: Mapping[str, Any]) -> dict[str, Any]:
    """`base` with `changes` put into its sections."""
    both = {key: merged(base[key], changes[key]) for key in base if key in changes and isinstance(base[key], dict)}
    return {**base, **changes, **both}


def write_tiny(source: str, target: Path, **changes: Any) -> None:
    """Write a configuration, given as YAML, so that it takes seconds; changes replace whole keys."""
    target.parent.mkdir(exist_ok=True)
    target.write_text(yaml.safe_dump(merged(yaml.safe_load(source), TINY) | changes), encoding="utf-8")


@cache
def _of(path: Path) -> list[Snippet]:
    return [
        Snippet(_name(path), (token.map or [0])[0] + 1, token.info.strip(), token.content)
        for token in MarkdownIt().parse(_text(path))
        if token.type == "fence"
    ]


def _wanted(path: Path, pages: tuple[str, ...]) -> bool:
    return not pages or _name(path) in pages


def _name(path: Path) -> str:
    return path.relative_to(ROOT).as_posix()


def _text(path: Path) -> str:
    return path.read_text(encoding="utf-8")
