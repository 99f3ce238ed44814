"""The exceptions that tuckprune raises on purpose, one tree, one line of message each; and how code of users is run."""

import re
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path


class TuckpruneError(Exception):
    """Base of all of them: what was expected, what was received, what to do."""


class ModelError(TuckpruneError):
    """A model that cannot be read or analysed."""


class ParameterError(TuckpruneError):
    """Pruning ratios or ranks that are malformed or do not fit the model."""


class BudgetError(TuckpruneError):
    """A budget that is malformed or cannot be reached."""


class DataError(TuckpruneError):
    """Images or labels that are missing, corrupt, or do not fit the model."""


class ConfigError(TuckpruneError):
    """A configuration file with unknown keys or impossible values."""


class TaskError(TuckpruneError):
    """A training or an evaluation of the user's own that fails, or returns what it should not."""


class RunError(TuckpruneError):
    """A run folder that cannot be used."""


class DivergenceError(TuckpruneError):
    """A loss or an output that stopped being finite."""


# C0 and C1 controls, which terminals obey; what turns the direction of text around; halves of characters.
_UNPRINTABLE = re.compile("[\\x00-\\x1f\\x7f-\\x9f\\u202a-\\u202e\\u2066-\\u2069\\ud800-\\udfff]")


def escaped(text: str) -> str:
    """`text` with escape sequences for the characters that a terminal would obey, such as ``\\x1b`` for ESC."""
    return _UNPRINTABLE.sub(lambda character: character[0].encode("unicode_escape").decode(), text)


_WIDTH = 80


def excerpt(value: object) -> str:
    """`repr(value)` on one line of at most 80 characters: array reprs span lines, and strings may be long."""
    line = " ".join(repr(value).split())
    return line if len(line) <= _WIDTH else f"{line[: _WIDTH - 3]}..."


def one_line(error: object, width: int | None = 300) -> str:
    """The text of an error on one line, control characters escaped, cut to `width` characters unless that is None."""
    return escaped(" ".join(str(error).split()))[:width] or "no message"


def typed_line(error: BaseException, width: int = 300) -> str:
    """Type and text of another library's error on one line, the text cut to `width` characters."""
    return f"{type(error).__name__}: {one_line(error, width)}"


@contextmanager
def foreign_code(explained: Callable[[str], TuckpruneError]) -> Iterator[None]:
    """Run code of others, which may raise anything and call `sys.exit`.

    What it raises, other than tuckprune's own errors and a KeyboardInterrupt, becomes the error that `explained` makes
    of its type and text.
    """
    try:
        yield
    except (TuckpruneError, KeyboardInterrupt):
        raise
    except BaseException as error:
        raise explained(typed_line(error)) from error


@contextmanager
def working_directory_importable() -> Iterator[None]:
    """A console script's path lacks the working directory, where the user's module usually is."""
    entry = str(Path.cwd())
    sys.path.insert(0, entry)
    try:
        yield
    finally:
        sys.path.remove(entry)
