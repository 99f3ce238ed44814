"""The lock of a study on a server, held by the one connection of the driver that writes it."""

import hashlib
from collections.abc import Mapping
from contextlib import closing
from types import MappingProxyType
from typing import Any

from sqlalchemy.engine import Engine
from sqlalchemy.pool import PoolProxiedConnection

from compress.errors import RunError

_SETTINGS: Mapping[str, tuple[str, ...]] = MappingProxyType(
    {
        # The server asks every half minute whether the driver's machine is there, and lets go of the lock of one that
        # vanished; by its defaults after more than two hours.
        "postgresql": (
            "SET tcp_keepalives_idle = 30",
            "SET tcp_keepalives_interval = 10",
            "SET tcp_keepalives_count = 3",
        ),
        # The server ends connections that are idle for 8 hours by default; a trial may take longer.
        "mysql": ("SET SESSION wait_timeout = 2147483",),
    }
)

_TAKE: Mapping[str, str] = MappingProxyType(
    {"postgresql": "SELECT pg_try_advisory_lock({0})", "mysql": "SELECT GET_LOCK('tuckprune {1}', 0)"}
)


class StudyLock:
    """Makes the connection that writes to a study, and that holds the study's lock; only one.

    A lock of the session: it ends with the connection, so a killed driver leaves nothing locked. A driver that lost its
    connection must not get another one, because another driver may have written to the study meanwhile.
    """

    def __init__(self, engine: Engine, study: str, place: str) -> None:
        """Prepare the lock.

        Args:
            engine: of the server's database; its pool keeps no connection.
            study: name of the study.
            place: what messages call the server.
        """
        self._engine, self._study, self._place = engine, study, place
        self._connected = False

    def connect(self) -> Any:
        """A DBAPI connection with the lock.

        Raises:
            RunError: another driver has the lock, or this one lost it.
        """
        if self._connected:
            raise RunError(
                f"the connection to '{self._place}' that held the study's lock was lost; start the same command again"
            )
        pooled = self._engine.raw_connection()
        if not self._taken(pooled):
            pooled.close()
            raise RunError(
                f"the study '{self._study}' on '{self._place}' is in use by another tuckprune process; wait for it to "
                "end, or give this run another name:"
            )
        self._connected = True
        connection = pooled.dbapi_connection
        pooled.detach()
        return connection

    def _taken(self, connection: PoolProxiedConnection) -> bool:
        dialect = self._engine.dialect.name
        with closing(connection.cursor()) as cursor:
            for setting in _SETTINGS[dialect]:
                cursor.execute(setting)
            cursor.execute(_TAKE[dialect].format(*self._key()))
            row = cursor.fetchone()
        connection.commit()
        return row is not None and bool(row[0])

    def _key(self) -> tuple[int, str]:
        """The study as a number of 64 bits, and as text."""
        # MySQL's locks are those of the whole server, and its names of studies do not tell capitals from small letters.
        name = f"tuckprune\n{self._engine.url.database}\n{self._study.casefold()}"
        digest = hashlib.sha256(name.encode())
        return int.from_bytes(digest.digest()[:8], "big", signed=True), digest.hexdigest()[:40]
