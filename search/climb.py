"""A running trial on the rungs, and what becomes of it when it was judged at one."""

from dataclasses import dataclass, replace

import optuna

from objectives.metric import Metric
from search.halving import Halving
from search.ladder import Ladder
from search.rung import Rung, keep_rung, report_rung
from search.trial_record import LEVEL, Judgement, TrialRecord, finish


@dataclass(frozen=True)
class Climb:
    """A running trial: index of the rung that it is being judged at, and the worker's seconds at those before."""

    trial: optuna.Trial
    rung: int = 0
    seconds: float = 0.0

    def further(self, seconds: float) -> "Climb":
        """The same at the next rung, after so many seconds at this one."""
        return replace(self, rung=self.rung + 1, seconds=self.seconds + seconds)


@dataclass(frozen=True)
class Climbing:
    """Stores what trials score at their rungs, and closes those that do not go on."""

    study: optuna.Study
    metric: Metric
    ladder: Ladder
    halving: Halving

    def settle(self, climb: Climb, said: Judgement) -> TrialRecord | None:
        """Take what a worker says of a trial at its rung; None if the trial goes on to the next."""
        judgement = said.checked(self.metric)
        total = climb.seconds + judgement.seconds
        if judgement.accuracy is None or judgement.loss is None:
            return finish(self.study, climb.trial, replace(judgement, seconds=total), self.metric)
        known = self._kept(climb, judgement.accuracy, judgement.loss, judgement.value)
        rung = known[climb.rung]
        ahead = self.halving.goes_on(climb.rung, rung, climb.trial.user_attrs.get(LEVEL))
        # An interrupted trial goes on to every rung that it was judged at before.
        if ahead or len(known) > climb.rung + 1:
            return None
        last = replace(judgement, accuracy=rung.accuracy, loss=rung.loss, value=rung.value, seconds=total)
        return finish(self.study, climb.trial, last, self.metric, stopped=climb.rung < self.ladder.last)

    def _kept(self, climb: Climb, accuracy: float, loss: float, value: float | None) -> tuple[Rung, ...]:
        score = self.metric.score(accuracy, loss, value)
        rung = Rung(self.ladder.steps[climb.rung], accuracy, loss, score, value)
        # Of a front, which has two objectives, Optuna takes no values in between.
        if self.ladder.last > 0 and len(self.study.directions) == 1:
            report_rung(self.study, climb.trial, rung)
        return keep_rung(climb.trial, rung)
