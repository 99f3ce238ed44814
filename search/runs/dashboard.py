"""optuna-dashboard on the studies of a run: on this machine only, and read-only."""

import socketserver
from collections.abc import Iterable
from pathlib import Path
from typing import TYPE_CHECKING, Any
from wsgiref.simple_server import WSGIRequestHandler, WSGIServer, make_server

from optuna.storages import BaseStorage

from compress.errors import ConfigError, RunError
from search.runs.run_folder import RunFolder
from search.study.storage import find_storage, find_study

if TYPE_CHECKING:
    from _typeshed.wsgi import StartResponse, WSGIApplication

HOST = "127.0.0.1"
_READING = ("GET", "HEAD")


class DashboardServer(socketserver.ThreadingMixIn, WSGIServer):
    """A server with one thread per request, so that a long request delays no other."""

    daemon_threads = True

    @property
    def address(self) -> str:
        """Address of the dashboard in a browser."""
        return f"http://{HOST}:{self.server_port}/dashboard"


class _Quiet(WSGIRequestHandler):
    def log_message(self, format: str, *args: object) -> None:
        """Log nothing."""


def dashboard(path: Path, port: int) -> DashboardServer:
    """A dashboard of the run in a folder, to be started with ``serve_forever``; a driver may be writing to the run.

    Args:
        path: the run folder.
        port: to listen on; 0 for any that is free.

    Raises:
        ConfigError: optuna-dashboard is not installed.
        TuckpruneError: no run, no study, a storage that cannot be read, or a port that cannot be used.
    """
    config = RunFolder(path).config()
    find_study(path, config.name, config.search.storage)  # Refuses a storage without the run's study.
    application = read_only(_application(find_storage(path, config.search.storage)))
    try:
        return make_server(HOST, port, application, server_class=DashboardServer, handler_class=_Quiet)
    except (OSError, OverflowError) as error:
        raise RunError(
            f"port {port} of {HOST} cannot be used ({error}); choose another --port, or 0 for any"
        ) from error


def _application(storage: BaseStorage) -> "WSGIApplication":
    try:
        from optuna_dashboard import wsgi
    except ImportError as error:
        raise ConfigError(
            f"expected optuna-dashboard to be installed, received {error}; pip install 'tuckprune[dashboard]'"
        ) from error
    application: WSGIApplication = wsgi(storage)
    return application


def read_only(application: "WSGIApplication") -> "WSGIApplication":
    """Refuse requests that write: optuna-dashboard could rename and delete studies."""

    def answer(environ: dict[str, Any], start: "StartResponse") -> Iterable[bytes]:
        if environ["REQUEST_METHOD"] in _READING:
            return application(environ, start)
        start("405 Method Not Allowed", [("Allow", ", ".join(_READING)), ("Content-Type", "application/json")])
        return [b'{"reason": "the study is shown to read only"}']

    return answer
