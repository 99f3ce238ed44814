"""A PostgreSQL or MySQL server that holds studies: its address, its password, and how Optuna reaches it."""

import os
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any

import sqlalchemy
from optuna.exceptions import StorageInternalError
from optuna.storages import RDBStorage
from sqlalchemy.engine import URL, Engine, make_url
from sqlalchemy.exc import SQLAlchemyError
from sqlalchemy.pool import NullPool, StaticPool

from compress.errors import ConfigError, RunError
from configs.storage import DRIVERS, without_password
from search.study_lock import StudyLock

PASSWORD = "TUCKPRUNE_STORAGE_PASSWORD"
"""Environment variable with the password of a URL that has none, as those in run folders."""
CONNECT_SECONDS = 10


@dataclass(frozen=True)
class Server:
    """A database on a server.

    Attributes:
        url: with its driver, and with its password where one is known.
        place: what messages call it: the URL as configured, without its password.
    """

    url: URL
    place: str

    @classmethod
    def of(cls, storage: str) -> "Server":
        """The server of a configuration's ``search.storage``; a password that is not in it is the environment's."""
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
        """Reads studies, with a connection of its own each time.

        Raises:
            TuckpruneError: the server cannot be used, or another version of Optuna made its tables.
        """
        with self._opening():
            return RDBStorage(self._address, self._options(NullPool), skip_table_creation=True)

    @contextmanager
    def writer(self, study: str) -> Iterator[RDBStorage]:
        """Writes to a study with one connection, which holds the study's lock to the end of the context.

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
        """What the server, or the way to it, refuses as one line with an advice."""
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
        """The server's own, without the statement that it answered to."""
        cause = error.__cause__ if isinstance(error, StorageInternalError) and error.__cause__ else error
        text = " ".join(str(getattr(cause, "orig", None) or cause).split())
        return (text.replace(self.url.password, "***") if self.url.password else text)[:300]
