"""A time limit for trainings, which also interrupts a user's own code."""

import signal
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

from compress.errors import ConfigError, TaskError

_AGAIN = 1.0
"""Seconds after which code that ignored the interruption is interrupted again."""


@contextmanager
def limited(seconds: float | None) -> Iterator[None]:
    """Interrupt the code in the context after a time limit.

    Python can interrupt waiting and its own instructions, but not a single call of compiled code that never returns.

    Args:
        seconds: the limit; None for none.

    Raises:
        TaskError: the code ran longer.
        ConfigError: there is a limit, and this is not the main thread, which alone gets signals.
    """
    if seconds is None:
        yield
        return
    if threading.current_thread() is not threading.main_thread():
        raise ConfigError(f"timeout: expected null outside of the main thread, received {seconds:g}")
    late = TaskError(
        f"timeout: expected a training that ends within {seconds:g} s, received one that did not; raise "
        "finetune.timeout (training.timeout), or lower the epochs"
    )
    interrupted = False

    def interrupt(number: int, frame: Any) -> None:
        nonlocal interrupted
        interrupted = True
        raise late

    before = signal.signal(signal.SIGALRM, interrupt)
    signal.setitimer(signal.ITIMER_REAL, seconds, _AGAIN)
    try:
        yield
    except Exception as error:
        # The code may have turned the interruption into another error.
        if interrupted and error is not late:
            raise late from error
        raise
    finally:
        signal.setitimer(signal.ITIMER_REAL, 0)
        signal.signal(signal.SIGALRM, before)
