"""The key ``search.storage``: a file in the run folder or the URL of a server, and keeping its password to itself."""

import re

FILE_KINDS = ("journal", "sqlite")
DRIVERS = {"postgresql": ("psycopg", "psycopg2"), "mysql": ("pymysql", "mysqldb")}
"""Python drivers of the servers, as SQLAlchemy names them; the first is taken where a URL names none."""

_EXAMPLE = "postgresql://user:password@host:5432/database"
_PASSWORD = re.compile(r"(://[^\s:/]*:).*@")
_QUERY_PASSWORD = re.compile(r"([?&][^=&\s]*passw[^=&\s]*=)[^&\s'\"]*", re.IGNORECASE)


def is_server(storage: str) -> bool:
    """Whether the storage is a server's URL."""
    return storage not in FILE_KINDS


def check_storage(value: str) -> str:
    """The value itself where it is a kind of file or a usable URL.

    Raises:
        ValueError: it is not; the message repeats nothing that could be a password.
    """
    if value in FILE_KINDS:
        return value
    said = re.split(r"[^\w+]", value, maxsplit=1)[0]
    if "://" not in value:
        raise ValueError(f"expected {', '.join(FILE_KINDS)} or a URL such as {_EXAMPLE}, received {said!r}")
    dialect, _, driver = said.partition("+")
    if dialect not in DRIVERS or driver not in ("", *DRIVERS[dialect]):
        known = [f"{name}{plus}://" for name, drivers in DRIVERS.items() for plus in ("", *(f"+{d}" for d in drivers))]
        raise ValueError(f"expected a URL of {', '.join(known)}, received {said}://")
    problem = _problem(value)
    if problem is not None:
        raise ValueError(f"expected a URL such as {_EXAMPLE}, received {problem}")
    return value


def _problem(value: str) -> str | None:
    from sqlalchemy.engine import make_url  # Only where there is a server: it takes a third of a second.
    from sqlalchemy.exc import ArgumentError

    try:
        url = make_url(value)
    except (ArgumentError, ValueError):
        return "one that cannot be read; write special characters of a password percent-encoded (@ as %40)"
    if "@" in (url.host or ""):
        return "one with two @; write special characters of a password percent-encoded (@ as %40)"
    if not url.database:
        return "one without a database"
    if any("passw" in key.lower() for key in url.query):
        return "one with a password behind the question mark; write it behind the user"
    return None


def without_password(storage: str) -> str:
    """What may be written down of a storage: the kind of file, or the URL without its password."""
    if not is_server(storage):
        return storage
    from sqlalchemy.engine import URL, make_url

    url = make_url(storage)
    bare = URL.create(url.drivername, url.username, None, url.host, url.port, url.database, url.query)
    return bare.render_as_string()


def hide_passwords(text: str) -> str:
    """Text with three asterisks where a URL in it has a password."""
    return _QUERY_PASSWORD.sub(r"\1***", _PASSWORD.sub(r"\1***@", text))
