"""A command in a process of its own, forked from one that has loaded the libraries, which takes 4 s of a core."""

import multiprocessing
import os
import signal
import subprocess
import sys
from collections.abc import Mapping
from multiprocessing.connection import Connection
from pathlib import Path

_CONTEXT = multiprocessing.get_context("forkserver")
# No operation of TensorFlow runs there, and Ray connects to nothing: both start their threads later.
_CONTEXT.set_forkserver_preload(["search.cli.app", "search.pipeline.search"])


class Forked:
    """What tests use of `subprocess.Popen`: the command's output, its end, and signals to it."""

    def __init__(self, arguments: tuple[object, ...], cwd: Path, variables: Mapping[str, str]) -> None:
        reader, writer = _CONTEXT.Pipe(duplex=False)
        words = tuple(str(argument) for argument in arguments)
        self._process = _CONTEXT.Process(target=_run, args=(words, str(cwd), dict(variables), writer))
        self._process.start()
        writer.close()
        self.stdout = os.fdopen(os.dup(reader.fileno()), encoding="utf-8")
        reader.close()

    @property
    def pid(self) -> int:
        """Number of the process."""
        assert self._process.pid is not None
        return self._process.pid

    def send_signal(self, number: int) -> None:
        """Send it, unless the process has ended."""
        if self._process.is_alive():
            os.kill(self.pid, number)

    def kill(self) -> None:
        """End it at once."""
        self.send_signal(signal.SIGKILL)

    def wait(self, timeout: float | None = None) -> int:
        """The exit code, of a process that was killed the negative number of the signal.

        Raises:
            subprocess.TimeoutExpired: it has not ended within so many seconds.
        """
        self._process.join(timeout)
        if self._process.exitcode is None:
            raise subprocess.TimeoutExpired("tuckprune", timeout or 0.0)
        return self._process.exitcode


def _run(arguments: tuple[str, ...], cwd: str, variables: dict[str, str], output: Connection) -> None:
    os.setsid()
    os.chdir(cwd)
    os.environ.clear()
    os.environ.update(variables)
    for stream in (1, 2):
        os.dup2(output.fileno(), stream)
    output.close()
    # Those of before are for a file, in which one can seek.
    sys.stdout, sys.stderr = open(1, "w", encoding="utf-8"), open(2, "w", encoding="utf-8")
    signal.signal(signal.SIGINT, signal.default_int_handler)
    sys.argv = ["tuckprune", *arguments]
    from search.cli.app import main

    main()
