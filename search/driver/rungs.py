"""Rungs: trials are judged after ever more training steps, and most stop early (asynchronous successive halving)."""

from bisect import bisect_left, insort
from collections import defaultdict
from collections.abc import Iterable
from dataclasses import dataclass, replace
from itertools import pairwise

import optuna

from compress.errors import ConfigError
from compress.parameters import CompressionParameters
from search.study.judgement import Judgement, Rung, keep_rung, report_rung
from search.study.trial_record import LEVEL, STOPPED, TrialRecord, finish
from zoo.tasks.metric import Metric, Score


@dataclass(frozen=True)
class Ladder:
    """Rungs from cheap to thorough.

    Attributes:
        steps: total training steps at each rung, rising; every trial is judged at the first.
        one_in: of the trials judged at a rung, one in ``one_in`` goes on to the next.

    Raises:
        ConfigError: no rung, steps that do not rise, or a factor below 1.
    """

    steps: tuple[int, ...] = (30,)
    one_in: int = 3

    def __post_init__(self) -> None:
        if not self.steps or any(after <= before for before, after in pairwise(self.steps)):
            raise ConfigError(f"rungs: expected steps that rise from rung to rung, received {list(self.steps)}")
        if self.one_in < 1:
            raise ConfigError(f"rungs.one_in: expected an integer of at least 1, received {self.one_in}")

    @property
    def last(self) -> int:
        """Index of the last rung."""
        return len(self.steps) - 1


class Halving:
    """Decides which trials go on to the next rung, at once, by comparison with the trials judged so far.

    A trial goes on if it is among the best 1/``one_in`` of those that have been judged at its rung, itself included,
    or the best of them; of equals the earlier one is ahead. Because no trial is waited for, early ones go on more
    easily. Li et al. 2020, "A System for Massively Parallel Hyperparameter Tuning", in the variant that stops the
    other trials for good. Trials of a front are compared with those of their own level.

    Args:
        ladder: the rungs.
        settled: trials that were finished before.
    """

    def __init__(self, ladder: Ladder, settled: Iterable[TrialRecord]) -> None:
        self._ladder = ladder
        self._ranks: defaultdict[tuple[int | None, int], list[tuple[float, float]]] = defaultdict(list)
        for record in settled:
            if record.repeats is not None:  # Counted once.
                continue
            for index, rung in enumerate(record.rungs):
                self._ranks[record.level, index].append(rung.rank)
        for ranks in self._ranks.values():
            ranks.sort()

    def goes_on(self, index: int, rung: Rung, level: int | None = None) -> bool:
        """Count a trial that was judged at the rung of this index, and return whether it goes on to the next one."""
        if index == self._ladder.last:
            return False
        ranks = self._ranks[level, index]
        insort(ranks, rung.rank)
        place = len(ranks) - bisect_left(ranks, rung.rank)
        return place <= max(1, len(ranks) // self._ladder.one_in)


@dataclass(frozen=True)
class RunningTrial:
    """A trial that is being judged.

    Attributes:
        trial: Optuna's trial.
        parameters: the candidate's, as the worker takes them.
        rung: index of the rung at which it is being judged.
        seconds: the workers' time at the rungs before.
    """

    trial: optuna.Trial
    parameters: CompressionParameters
    rung: int = 0
    seconds: float = 0.0

    def at_next_rung(self, seconds: float) -> "RunningTrial":
        """This trial at the next rung, after ``seconds`` at the current one."""
        return replace(self, rung=self.rung + 1, seconds=self.seconds + seconds)


@dataclass(frozen=True)
class RungJudge:
    """Stores a trial's score after each rung, and closes the trial where it does not go on."""

    study: optuna.Study
    metric: Metric
    ladder: Ladder
    halving: Halving

    def settle(self, running: RunningTrial, reported: Judgement) -> TrialRecord | None:
        """Store a worker's judgement of a trial at its rung; the finished trial, or None where it goes on."""
        judgement, trial = reported.checked(self.metric), running.trial
        total = running.seconds + judgement.seconds
        if judgement.score is None:
            return finish(self.study, trial, replace(judgement, seconds=total), self.metric)
        known = self._kept(running, judgement.score)
        rung = known[running.rung]
        ahead = self.halving.goes_on(running.rung, rung, trial.user_attrs.get(LEVEL))
        # An interrupted trial goes on to every rung that it was judged at before.
        if ahead or len(known) > running.rung + 1:
            return None
        last = replace(judgement, score=rung.score, seconds=total)
        return finish(self.study, trial, last, self.metric, stopped=running.rung < self.ladder.last)

    def _kept(self, running: RunningTrial, score: Score) -> tuple[Rung, ...]:
        return self._keep(running.trial, Rung(self.ladder.steps[running.rung], score, score.objective(self.metric)))

    def repeat(self, trial: optuna.Trial, earlier: TrialRecord) -> TrialRecord:
        """Settle a trial as an earlier one of equal parameters was, at every rung that this one was judged at."""
        for rung in earlier.rungs:
            self._keep(trial, rung)
        known = Judgement(earlier.score, 0.0, conditions=earlier.conditions)
        return finish(self.study, trial, known, self.metric, earlier.state == STOPPED, earlier.number)

    def _keep(self, trial: optuna.Trial, rung: Rung) -> tuple[Rung, ...]:
        # Of a front, which has two objectives, Optuna takes no values in between.
        if self.ladder.last > 0 and len(self.study.directions) == 1:
            report_rung(self.study, trial, rung)
        return keep_rung(trial, rung)
