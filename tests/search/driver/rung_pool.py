"""A pool without Ray whose workers hold the candidate that they judged last, and go on with it."""

from collections.abc import Callable
from typing import Any

from search.study.judgement import Judgement
from tests.search.fixtures.fake_pool import FakePool


def oldest(keys: list[int]) -> int:
    return keys[0]


def newest(keys: list[int]) -> int:
    return keys[-1]


class RungPool(FakePool):
    """Judges by the number of the candidate, in the order of their submission, and its steps.

    ``judgements`` lists every one as (candidate, steps, accuracy), in the order they were told.
    """

    def __init__(
        self,
        first: int,
        judge_at: Callable[[int, int], Judgement],
        workers: int = 1,
        stop_after: int | None = None,
        choose: Callable[[list[int]], int] = oldest,
    ) -> None:
        super().__init__(workers)
        self.first, self.judge_at, self.most, self.choose = first, judge_at, stop_after, choose
        self.free = list(range(workers))
        self.at: dict[int, tuple[int, int, int]] = {}
        self.holds: dict[int, tuple[Any, int]] = {}
        self.keys = 0
        self.judgements: list[tuple[int, int, float | None]] = []

    def submit(self, parameters: Any) -> int:
        worker = self.free.pop(0)
        self.submitted.append(parameters)
        return self._run(worker, len(self.submitted) - 1, self.first)

    def go_on(self, parameters: Any, steps: int) -> int:
        """The worker that judged it must be free, and must not have been given anything else."""
        worker = next(worker for worker in self.free if self.holds.get(worker, (None,))[0] == parameters)
        self.free.remove(worker)
        return self._run(worker, self.holds[worker][1], steps)

    def _run(self, worker: int, candidate: int, steps: int) -> int:
        self.keys += 1
        self.holds.pop(worker, None)
        self.at[self.keys] = (worker, candidate, steps)
        self.running[self.keys] = self.submitted[candidate]
        return self.keys

    def wait(self, seconds: float) -> dict[int, Judgement]:
        assert self.running
        if self.most is not None and len(self.judgements) >= self.most:
            raise KeyboardInterrupt
        key = self.choose(list(self.running))
        parameters = self.running.pop(key)
        worker, candidate, steps = self.at[key]
        self.free.append(worker)
        self.holds[worker] = (parameters, candidate)
        said = self.judge_at(candidate, steps)
        self.judgements.append((candidate, steps, said.score and said.score.figures["accuracy"]))
        return {key: said}
