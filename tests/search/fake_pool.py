"""A pool without Ray: judges candidates at once, or as a test says."""

from collections.abc import Callable
from typing import Any

from compress.parameters import CompressionParameters
from search.trial_record import Judgement


def judged(parameters: CompressionParameters) -> Judgement:
    """A deterministic accuracy: better the more evenly channels are kept."""
    ratios = [*parameters.ratios.values(), 0.0]
    spread = max(ratios) - min(ratios) + 0.01 * len(parameters.ranks)
    return Judgement(1.0 - spread / 2, spread, 0.1)


class FakePool:
    """Finishes the oldest candidate at each wait."""

    def __init__(
        self,
        workers: int = 1,
        judge: Callable[[Any], Judgement] = judged,
        stop_after: int | None = None,
        make: Callable[[Any], Judgement] = judged,
    ) -> None:
        self.workers, self.judge, self.stop_after, self.make = workers, judge, stop_after, make
        self.submitted: list[CompressionParameters | None] = []
        self.made: set[int] = set()
        self.running: dict[int, CompressionParameters | None] = {}
        self.most_running = 0

    @property
    def has_room(self) -> bool:
        return len(self.running) < self.workers

    def submit_finalist(self, parameters: CompressionParameters | None) -> int:
        return self._start(parameters)

    def submit_probe(self, parameters: CompressionParameters) -> int:
        return self._start(parameters)

    def submit_making(self, parameters: CompressionParameters) -> int:
        key = self._start(parameters)
        self.made.add(key)
        return key

    def submit(self, parameters: CompressionParameters) -> int:
        return self._start(parameters)

    def _start(self, parameters: CompressionParameters | None) -> int:
        assert self.has_room
        self.submitted.append(parameters)
        self.running[len(self.submitted)] = parameters
        self.most_running = max(self.most_running, len(self.running))
        return len(self.submitted)

    def wait(self, seconds: float) -> dict[int, Judgement]:
        assert self.running
        if self.stop_after is not None and len(self.submitted) - len(self.running) >= self.stop_after:
            raise KeyboardInterrupt
        key = next(iter(self.running))
        return {key: (self.make if key in self.made else self.judge)(self.running.pop(key))}
