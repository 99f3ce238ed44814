"""One-line excerpts of received values, for error messages."""


def excerpt(value: object, width: int = 80) -> str:
    """Return `repr(value)` on one line, cut to `width` characters (array reprs span lines, strings may be long)."""
    line = " ".join(repr(value).split())
    return line if len(line) <= width else f"{line[: width - 3]}..."


def one_line(error: Exception, width: int = 200) -> str:
    """The first line of another library's error message, cut to `width` characters, and the error's type."""
    first = next((line.strip() for line in str(error).splitlines() if line.strip()), "no message")
    return f"{first[:width]} ({type(error).__name__})"
