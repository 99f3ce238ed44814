"""A request to end soon: what a scheduler sends before it kills."""

import signal
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager


class Shutdown:
    """Turns SIGTERM into an interruption: at once, or, while workers run, after a time for them to finish.

    Args:
        grace: seconds that they have.
    """

    def __init__(self, grace: float) -> None:
        self._grace = grace
        self._working = False
        self._deadline: float | None = None

    @contextmanager
    def on_sigterm(self) -> Iterator[None]:
        """Listen for the signal; only a process's main thread can."""
        if threading.current_thread() is not threading.main_thread():
            yield
            return
        before = signal.signal(signal.SIGTERM, lambda number, frame: self.request())
        try:
            yield
        finally:
            signal.signal(signal.SIGTERM, before)

    @contextmanager
    def working(self) -> Iterator[None]:
        """While workers run, who ask `requested` and `overdue` themselves."""
        self._working = True
        try:
            yield
        finally:
            self._working = False

    def request(self) -> None:
        """Ask for the end.

        Raises:
            KeyboardInterrupt: no worker runs, or it is the second time.
        """
        if not self._working or self.requested:
            raise KeyboardInterrupt
        self._deadline = time.monotonic() + self._grace

    @property
    def requested(self) -> bool:
        """Whether nothing new may begin."""
        return self._deadline is not None

    @property
    def overdue(self) -> bool:
        """Whether the time is over."""
        return self._deadline is not None and time.monotonic() > self._deadline
