"""A request to end: at once, or after a grace while workers run."""

import os
import signal

import pytest

from search.workers.shutdown import Shutdown


def test_without_workers_it_interrupts():
    with pytest.raises(KeyboardInterrupt):
        Shutdown(60.0).request()


def test_while_workers_run_it_waits_and_the_second_interrupts():
    shutdown = Shutdown(60.0)
    with shutdown.working():
        assert not shutdown.requested
        shutdown.request()
        assert shutdown.requested and not shutdown.overdue
        with pytest.raises(KeyboardInterrupt):
            shutdown.request()


def test_the_grace_ends():
    shutdown = Shutdown(-1.0)
    with shutdown.working():
        assert not shutdown.overdue
        shutdown.request()
        assert shutdown.overdue


def test_sigterm_asks_for_it_and_the_old_handler_comes_back():
    before, shutdown = signal.getsignal(signal.SIGTERM), Shutdown(60.0)
    with shutdown.on_sigterm(), shutdown.working():
        os.kill(os.getpid(), signal.SIGTERM)
        assert shutdown.requested
    assert signal.getsignal(signal.SIGTERM) is before
