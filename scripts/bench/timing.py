"""Timing of several calls in turn, so that other work on the machine slows all of them alike."""

import time
from collections.abc import Callable, Sequence

from objectives.cost.latency import Latency

_PASSES = 10


def timed_in_turn(passes: Sequence[Callable[[], object]], rounds: int) -> list[Latency]:
    """Latency of each; every round times ten passes of all of them, after one that is not timed."""
    seconds: list[list[float]] = [[] for _ in passes]
    for _ in range(rounds):
        for run, taken in zip(passes, seconds, strict=True):
            run()
            for _ in range(_PASSES):
                start = time.perf_counter()
                run()
                taken.append(time.perf_counter() - start)
    return [Latency.of(taken) for taken in seconds]
