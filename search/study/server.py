"""A PostgreSQL or MySQL server that holds studies: its address, its password, and how Optuna reaches it."""

import hashlib
import os
from collections.abc import Iterator, Mapping
from contextlib import closing, contextmanager
from dataclasses import dataclass
from types import MappingProxyType
from typing import Any

import sqlalchemy
from optuna.exceptions import StorageInternalError
from optuna.storages import RDBStorage
from sqlalchemy.engine import URL, Engine, make_url
from sqlalchemy.exc import SQLAlchemyError
from sqlalchemy.pool import NullPool, PoolProxiedConnection, StaticPool

from compress.errors import ConfigError, RunError, one_line
from configs.schema.storage import DRIVERS, without_password

_SETTINGS: Mapping[str, tuple[str, ...]] = MappingProxyType(
    {
        # The server checks every half minute that the driver's machine answers, and releases the lock of one that does
        # not; by default that takes more than two hours.
        "postgresql": (
            "SET tcp_keepalives_idle = 30",
            "SET tcp_keepalives_interval = 10",
            "SET tcp_keepalives_count = 3",
        ),
        # By default the server closes connections that are idle for 8 hours; a trial may take longer.
        "mysql": ("SET SESSION wait_timeout = 2147483",),
    }
)

_TAKE: Mapping[str, str] = MappingProxyType(
    {"postgresql": "SELECT pg_try_advisory_lock({0})", "mysql": "SELECT GET_LOCK('tuckprune {1}', 0)"}
)


class StudyLock:
    """Makes the one connection that writes to a study and holds its lock.

    The server releases the lock when the connection ends, so that a killed driver leaves nothing locked. A driver that
    lost its connection gets no second one, because another driver may have written to the study meanwhile.
    """

    def __init__(self, engine: Engine, study: str, place: str) -> None:
        """Prepare the lock.

        Args:
            engine: of the server's database; its pool keeps no connection.
            study: name of the study.
            place: the server's address for messages.
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
        """The name of the lock as a number of 64 bits (PostgreSQL), and as text (MySQL)."""
        # MySQL's locks belong to the whole server, and it compares names of studies without regard to case.
        name = f"tuckprune\n{self._engine.url.database}\n{self._study.casefold()}"
        digest = hashlib.sha256(name.encode())
        return int.from_bytes(digest.digest()[:8], "big", signed=True), digest.hexdigest()[:40]


PASSWORD = "TUCKPRUNE_STORAGE_PASSWORD"
"""Environment variable with the password for a URL without one; run folders store URLs without passwords."""
CONNECT_SECONDS = 10


@dataclass(frozen=True)
class Server:
    """A database on a server.

    Attributes:
        url: with its DBAPI driver, and with the password where one is known.
        place: the URL for messages: as configured, without the password.
    """

    url: URL
    place: str

    @classmethod
    def of(cls, storage: str) -> "Server":
        """The server of a configuration's ``search.storage``; without a password in it, the environment's is taken."""
        url = make_url(storage)
        dialect = url.get_backend_name()
        driver = url.drivername.partition("+")[2] or DRIVERS[dialect][0]
        password = url.password or os.environ.get(PASSWORD)
        full = URL.create(f"{dialect}+{driver}", url.username, password, url.host, url.port, url.database, url.query)
        return cls(full, without_password(storage))

    def has_study(self, name: str) -> bool:
        """Whether the server holds a study of that name.

        Raises:
            TuckpruneError: it cannot be asked.
        """
        with self._opening():
            engine = self._engine()
            if not sqlalchemy.inspect(engine).has_table("studies"):
                return False
            query = sqlalchemy.text("SELECT count(*) FROM studies WHERE study_name = :name")
            with engine.connect() as connection:
                return bool(connection.execute(query, {"name": name}).scalar())

    def reader(self) -> RDBStorage:
        """A storage for reading, which opens a connection for each access.

        Raises:
            TuckpruneError: the server cannot be used, or another version of Optuna made its tables.
        """
        with self._opening():
            return RDBStorage(self._address, self._options(NullPool), skip_table_creation=True)

    @contextmanager
    def writer(self, study: str) -> Iterator[RDBStorage]:
        """A storage for writing to one study, with a connection that holds the study's lock until the context ends.

        Raises:
            TuckpruneError: the server cannot be used, or another process writes to the study; within the context, the
                connection is lost.
        """
        with self._opening():
            lock = StudyLock(self._engine(), study, self.place)
            storage = RDBStorage(self._address, {**self._options(StaticPool), "creator": lock.connect})
        try:
            with self._reported("the same command again resumes the search"):
                yield storage
        finally:
            storage.remove_session()
            storage.engine.dispose()

    @contextmanager
    def _opening(self) -> Iterator[None]:
        hint = "" if self.url.password else f", or set its password in {PASSWORD}"
        try:
            with self._reported(f"check search.storage{hint}"):
                yield
        except ImportError as error:
            raise ConfigError(
                f"search.storage: expected the package of the driver {self.url.get_driver_name()} to be installed, "
                f"received {error.__cause__ or error}; pip install 'tuckprune[storage]' brings psycopg and pymysql"
            ) from error
        except RuntimeError as error:
            raise RunError(f"the tables in '{self.place}' do not fit: {self._words(error)}") from error

    @contextmanager
    def _reported(self, advice: str) -> Iterator[None]:
        """Raise errors of the server and of the connection as a RunError of one line that ends with an advice."""
        try:
            yield
        except (SQLAlchemyError, StorageInternalError) as error:
            raise RunError(f"the storage '{self.place}' cannot be used: {self._words(error)}; {advice}") from error

    @property
    def _address(self) -> str:
        return self.url.render_as_string(hide_password=False)

    def _engine(self) -> Engine:
        return sqlalchemy.create_engine(self.url, **self._options(NullPool))

    def _options(self, pool: type) -> dict[str, Any]:
        """Arguments of SQLAlchemy's engine."""
        given = "connect_timeout" in self.url.query
        wait = {} if given else {"connect_timeout": CONNECT_SECONDS}
        return {"poolclass": pool, "pool_pre_ping": False, "connect_args": wait}

    def _words(self, error: Exception) -> str:
        """The server's own message, without the SQL statement and the password."""
        cause = error.__cause__ if isinstance(error, StorageInternalError) and error.__cause__ else error
        text = str(getattr(cause, "orig", None) or cause)
        return one_line(text.replace(self.url.password, "***") if self.url.password else text)
