"""One-line excerpts of received values, for error messages."""


def excerpt(value: object, width: int = 80) -> str:
    """Return `repr(value)` on one line, cut to `width` characters (array reprs span lines, strings may be long)."""
    line = " ".join(repr(value).split())
    return line if len(line) <= width else f"{line[: width - 3]}..."
