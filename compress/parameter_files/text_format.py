"""The text listing of compression parameters: one `'layer name' : ratio` or `'layer name': [in, out]` per line."""

import ast
import io
import re
import warnings
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from typing import TypeVar

from compress.errors import ParameterError, excerpt
from compress.parameter_files.format import FileFormat, ParameterFile, WrittenFile
from compress.parameters import DECOMPOSE, PRUNE, CompressionParameters, checked_ranks, checked_ratio

RATIO_HEADER = "# layer name : Pruning Ratio"
RANK_HEADER = "# layer name : [In Rank, Out Rank]"

_ENTRY = "'layer name' : ratio or 'layer name' : [in rank, out rank]"
_TOKEN = re.compile(
    r"""(?P<skip>\s+|\#.*)
    |(?P<name>'(?:[^'\\]|\\.)*'|"(?:[^"\\]|\\.)*")
    |(?P<number>[-+.\w]+)
    |(?P<mark>[:,{}\[\]()])""",
    re.VERBOSE,
)
_CLOSING = {"[": "]", "(": ")"}

Value = TypeVar("Value")


def dumps(parameters: CompressionParameters) -> str:
    """Write both listings, ratios first; names are Python string literals and floats round-trip exactly."""
    return f"{dump_ratios(parameters.ratios)}\n{dump_ranks(parameters.ranks)}"


def dump_ratios(ratios: Mapping[str, float]) -> str:
    """Write the listing of pruning ratios."""
    return "\n".join([RATIO_HEADER, *(f"{name!r} : {ratio!r}" for name, ratio in ratios.items())]) + "\n"


def dump_ranks(ranks: Mapping[str, tuple[int, int]]) -> str:
    """Write the listing of Tucker rank pairs."""
    return "\n".join([RANK_HEADER, *(f"{name!r}: {list(pair)!r}" for name, pair in ranks.items())]) + "\n"


def loads(text: str) -> CompressionParameters:
    """Read a listing of ratios, of rank pairs, or of both.

    Names are single- or double-quoted Python string literals. Entries are separated by commas or line ends; blank
    lines, `#` comments, spaces and one pair of braces around the entries are allowed.
    Raises ParameterError with the line for a malformed entry or value, and with both lines for a layer listed twice.
    """
    lines = list(io.StringIO(text, newline=None))
    ratios: dict[str, tuple[int, float]] = {}
    ranks: dict[str, tuple[int, tuple[int, int]]] = {}
    for entry in _entries(_Tokens(lines)):
        if isinstance(entry.value, list):
            _add(ranks, entry, checked_ranks)
        else:
            _add(ratios, entry, checked_ratio)
    return CompressionParameters(
        {name: ratio for name, (_, ratio) in ratios.items()}, {name: pair for name, (_, pair) in ranks.items()}
    )


@dataclass(frozen=True)
class _Token:
    kind: str
    text: str
    line: int


@dataclass(frozen=True)
class _Entry:
    name: str
    value: int | float | list[int | float]
    line: int
    last_line: int


class _Tokens:
    """The listing's tokens with one token of look-ahead; the last is of kind 'end'."""

    def __init__(self, lines: list[str]) -> None:
        self._lines = lines
        self._tokens = self._scan()
        self.next = next(self._tokens)

    def take(self, *texts: str) -> _Token:
        """Take the next token, which must be one of `texts` where any are given."""
        token = self.next
        if texts and token.text not in texts:
            raise self.error(token)
        self.next = next(self._tokens, token)
        return token

    def error(self, token: _Token, expected: str = _ENTRY) -> ParameterError:
        if token.kind == "end":
            return ParameterError(f"line {token.line}: expected {expected}, received the end; complete the entry")
        line = excerpt(self._lines[token.line - 1].strip())
        return ParameterError(f"line {token.line}: expected {expected}, received {line}; correct {excerpt(token.text)}")

    def _scan(self) -> Iterator[_Token]:
        for number, line in enumerate(self._lines, start=1):
            position = 0
            while position < len(line):
                match = _TOKEN.match(line, position)
                if match is None:
                    raise self.error(_Token("unknown", line[position:].strip(), number))
                position = match.end()
                if match.lastgroup and match.lastgroup != "skip":
                    yield _Token(match.lastgroup, match.group(), number)
        yield _Token("end", "", max(1, len(self._lines)))


def _entries(tokens: _Tokens) -> Iterator[_Entry]:
    opened: _Token | None = None
    separated = True
    last_line = 0
    while (token := tokens.next).kind != "end":
        if token.kind == "name" and (separated or token.line > last_line):
            entry = _entry(tokens)
            yield entry
            separated, last_line = False, entry.last_line
        elif token.text == "," and not separated:
            tokens.take()
            separated = True
        elif token.text == "{" and opened is None and separated:
            opened = tokens.take()
        elif token.text == "}" and opened is not None:
            tokens.take()
            opened, separated = None, True
        else:
            raise tokens.error(token)
    if opened is not None:
        raise tokens.error(opened, "a closing brace")


def _entry(tokens: _Tokens) -> _Entry:
    token = tokens.take()
    name = _name(tokens, token)
    tokens.take(":")
    if tokens.next.text not in _CLOSING:
        number = tokens.take()
        return _Entry(name, _number(tokens, number), token.line, number.line)
    closing = _CLOSING[tokens.take().text]
    values = [_number(tokens, tokens.take())]
    while tokens.next.text != closing:
        tokens.take(",")
        if tokens.next.text != closing:
            values.append(_number(tokens, tokens.take()))
    return _Entry(name, values, token.line, tokens.take().line)


def _name(tokens: _Tokens, token: _Token) -> str:
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("error")  # an invalid escape such as '\d' only warns
            return str(ast.literal_eval(token.text))
    except (SyntaxError, ValueError):
        raise tokens.error(token, "a quoted layer name with valid escapes") from None


def _number(tokens: _Tokens, token: _Token) -> int | float:
    if token.kind != "number":
        raise tokens.error(token)
    for convert in (int, float):
        try:
            return convert(token.text)
        except ValueError:
            continue
    raise tokens.error(token, "a number")


def _add(seen: dict[str, tuple[int, Value]], entry: _Entry, check: Callable[[str, object], Value]) -> None:
    if entry.name in seen:
        raise ParameterError(
            f"expected one value for {entry.name!r}, received one on line {seen[entry.name][0]} "
            f"and one on line {entry.line}; remove one of them"
        )
    try:
        seen[entry.name] = entry.line, check(entry.name, entry.value)
    except ParameterError as error:
        raise ParameterError(f"line {entry.line}: {error}") from None


FORMAT = FileFormat(
    suffix="",
    read=lambda text: ParameterFile(loads(text)),
    files={
        "pruning.txt": WrittenFile(
            "its ratios as NPTK lists them", lambda contents: dump_ratios(contents.parameters.ratios), PRUNE
        ),
        "ranks.txt": WrittenFile(
            "its ranks as NPTK lists them", lambda contents: dump_ranks(contents.parameters.ranks), DECOMPOSE
        ),
    },
)
