"""An orderly end on SIGTERM, which a scheduler sends before it kills: trials that run get some time to finish."""

import signal
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager


class Shutdown:
    """Turns SIGTERM into a KeyboardInterrupt: at once, or, while workers run, after a time of grace.

    Args:
        grace: seconds that trials may take to finish.
    """

    def __init__(self, grace: float) -> None:
        self._grace = grace
        self._working = False
        self._deadline: float | None = None

    @contextmanager
    def on_sigterm(self) -> Iterator[None]:
        """Handle SIGTERM within the context; without effect outside of the main thread, which alone gets signals."""
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
        """Mark the time in which workers run: the pool then checks `requested` and `overdue` itself."""
        self._working = True
        try:
            yield
        finally:
            self._working = False

    def request(self) -> None:
        """Ask the pool to stop after the trials that run.

        Raises:
            KeyboardInterrupt: no worker runs, or the end was asked for before.
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
        """Whether the time of grace is over."""
        return self._deadline is not None and time.monotonic() > self._deadline
