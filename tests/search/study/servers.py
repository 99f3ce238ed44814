"""Real database servers for tests: PostgreSQL and MariaDB of Debian's packages, each in a folder of its own."""

import glob
import os
import pwd
import shutil
import signal
import socket
import subprocess
import tempfile
import time
from abc import ABC, abstractmethod
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from sqlalchemy import create_engine, text
from sqlalchemy.engine import URL
from sqlalchemy.exc import OperationalError
from sqlalchemy.pool import NullPool

from tests.search.fixtures.runs import PATIENCE

USER, PASSWORD = "tuck", "s3cr@t/pass"
ENCODED = "s3cr%40t%2Fpass"
"""The password as it stands in a URL."""


class DatabaseServer(ABC):
    """A server that runs on a free port of this machine for as long as its context."""

    scheme: str
    package: str

    def __init__(self, folder: Path, account: str | None) -> None:
        """Of the ``account`` (None for our own), in a folder that this owns."""
        self.folder, self.account = folder, account
        self.port = _free_port()
        self.databases = 0

    @staticmethod
    @abstractmethod
    def programs() -> dict[str, str] | None:
        """What is needed by name, None where the package is not installed."""

    @abstractmethod
    def prepare(self) -> None:
        """Write the empty data folder."""

    @abstractmethod
    def command(self) -> list[str]:
        """What runs the server in the foreground."""

    @abstractmethod
    def admin(self) -> URL:
        """An account that may make databases."""

    @abstractmethod
    def make_user(self) -> None:
        """Make ``USER``, who may do everything."""

    @abstractmethod
    def disconnect(self) -> None:
        """End every session of ``USER``, as a network that breaks does."""

    def new_database(self) -> str:
        """URL of an empty database, with the password."""
        self.databases += 1
        name = f"studies{self.databases}"
        self.execute(f"CREATE DATABASE {name}")
        return f"{self.scheme}://{USER}:{ENCODED}@127.0.0.1:{self.port}/{name}"

    def execute(self, *statements: str) -> list[Any]:
        """Run statements as the administrator; returns the first column of the last one's rows."""
        engine = create_engine(self.admin(), poolclass=NullPool, isolation_level="AUTOCOMMIT")
        with engine.connect() as connection:
            for statement in statements:
                result = connection.execute(text(statement))
            return [row[0] for row in result] if result.returns_rows else []

    def call(self, *command: str) -> None:
        """Run one of the server's programs to its end."""
        subprocess.run(command, user=self.account, cwd=self.folder, check=True, capture_output=True, timeout=PATIENCE)

    @contextmanager
    def running(self) -> Iterator[None]:
        with (self.folder / "log.txt").open("wb") as log:
            process = subprocess.Popen(
                self.command(), user=self.account, cwd=self.folder, stdout=log, stderr=log, start_new_session=True
            )
            try:
                self._wait(process)
                self.make_user()
                yield
            finally:
                # PostgreSQL ends open sessions on SIGINT; MariaDB on SIGTERM.
                process.send_signal(signal.SIGINT if self.scheme == "postgresql" else signal.SIGTERM)
                process.wait(timeout=PATIENCE)

    def _wait(self, process: "subprocess.Popen[bytes]") -> None:
        deadline = time.monotonic() + PATIENCE
        while True:
            try:
                self.execute("SELECT 1")
                return
            except OperationalError:
                if process.poll() is not None or time.monotonic() > deadline:
                    raise
                time.sleep(0.1)


class PostgreSQL(DatabaseServer):
    """Where everyone needs a password."""

    scheme, package = "postgresql", "postgresql"

    @staticmethod
    def programs() -> dict[str, str] | None:
        folders = sorted(glob.glob("/usr/lib/postgresql/*/bin"), key=lambda path: int(path.split("/")[-2]))
        where = os.pathsep.join([os.environ.get("PATH", ""), *reversed(folders)])
        received = {name: shutil.which(name, path=where) for name in ("initdb", "postgres")}
        return {name: path for name, path in received.items() if path} if all(received.values()) else None

    def prepare(self) -> None:
        secret = self.folder / "password"
        secret.write_text(PASSWORD)
        options = ["--auth=scram-sha-256", f"--pwfile={secret}", "--username=admin", "--no-sync", "--encoding=UTF8"]
        self.call((self.programs() or {})["initdb"], "-D", str(self.folder / "data"), *options)

    def command(self) -> list[str]:
        settings = {"listen_addresses": "127.0.0.1", "port": self.port, "unix_socket_directories": "", "fsync": "off"}
        program = (self.programs() or {})["postgres"]
        return [program, "-D", str(self.folder / "data"), *(f"--{key}={value}" for key, value in settings.items())]

    def admin(self) -> URL:
        return URL.create("postgresql+psycopg", "admin", PASSWORD, "127.0.0.1", self.port, "postgres")

    def make_user(self) -> None:
        self.execute(f"CREATE ROLE {USER} LOGIN SUPERUSER PASSWORD '{PASSWORD}'")

    def disconnect(self) -> None:
        self.execute(f"SELECT pg_terminate_backend(pid, 10000) FROM pg_stat_activity WHERE usename = '{USER}'")


class MariaDB(DatabaseServer):
    """What Debian has for MySQL."""

    scheme, package = "mysql", "mariadb-server-core and mariadb-client-core"

    @staticmethod
    def programs() -> dict[str, str] | None:
        where = os.pathsep.join([os.environ.get("PATH", ""), "/usr/sbin"])
        received = {
            name: shutil.which(name, path=where) for name in ("mariadb-install-db", "my_print_defaults", "mariadbd")
        }
        return {name: path for name, path in received.items() if path} if all(received.values()) else None

    def prepare(self) -> None:
        options = ["--auth-root-authentication-method=normal", "--skip-test-db", f"--datadir={self.folder / 'data'}"]
        self.call((self.programs() or {})["mariadb-install-db"], "--no-defaults", *options)

    def command(self) -> list[str]:
        settings = {"datadir": self.folder / "data", "bind-address": "127.0.0.1", "port": self.port}
        settings |= {"socket": self.folder / "socket", "pid-file": self.folder / "pid"}
        program = (self.programs() or {})["mariadbd"]
        return [program, "--no-defaults", *(f"--{key}={value}" for key, value in settings.items())]

    def admin(self) -> URL:
        return URL.create("mysql+pymysql", "root", None, "127.0.0.1", self.port, "mysql")

    def make_user(self) -> None:
        self.execute(f"CREATE USER {USER} IDENTIFIED BY '{PASSWORD}'", f"GRANT ALL ON *.* TO {USER}")

    def disconnect(self) -> None:
        self.execute(f"KILL CONNECTION USER {USER}")


@contextmanager
def running(kind: type[DatabaseServer]) -> Iterator[DatabaseServer]:
    """A server of that kind; they refuse to run as root, who lends it the account ``nobody``."""
    account = "nobody" if os.geteuid() == 0 else None
    folder = Path(tempfile.mkdtemp(prefix="tuckprune-"))
    try:
        if account is not None:
            os.chown(folder, pwd.getpwnam(account).pw_uid, -1)
        server = kind(folder, account)
        server.prepare()
        with server.running():
            yield server
    finally:
        shutil.rmtree(folder)


def _free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])
