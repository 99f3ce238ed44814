"""The standing of a study, which ``tuckprune status`` shows: counts of its trials, kept up trial by trial."""

from bisect import insort
from collections import Counter
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Self

import optuna
from optuna.trial import TrialState

from search.study.finalist import judged_entrants
from search.study.improvements import Improvements, order_of_ends
from search.study.ranking import best, parameters_hash
from search.study.trial_record import TrialRecord, interrupted_count, records
from zoo.tasks.metric import Score

RECENT = 20
"""Number of the latest trials, by which the pace is measured."""

Ended = tuple[datetime, str | None]
"""When a trial was settled, and the worker that judged it, if any."""


@dataclass(frozen=True)
class BestTrial:
    """The settled trial that ranks highest.

    Attributes:
        number: in its study.
        source: the trial as messages name it, such as ``trial 17``.
        score: its figures on the validation split.
        flops: of the candidate.
    """

    number: int
    source: str
    score: Score
    flops: int


@dataclass(frozen=True)
class Standing:
    """The standing of a study.

    Attributes:
        states: number of settled trials by their state.
        lost: number of lost workers.
        best: the settled trial that ranks highest; None where none was judged.
        recent: the latest settled trials, in the order of their ends.
        since: trials without an improvement, as `Improvements` counts them.
        judged: number of different candidates with a score.
        levels: of a front, number of levels with a judged candidate; else 1, or 0 before the first.
        running: when each trial that is being judged, or is judged next, was proposed, by its number.
        waiting: number of trials in the queue.
        interrupted: of these, trials that workers had when the search was interrupted.
        finalists: seconds that each judged finalist took, of those that the settled trials make take part.
    """

    states: Mapping[str, int]
    lost: int
    best: BestTrial | None
    recent: tuple[Ended, ...]
    since: int
    judged: int
    levels: int
    running: Mapping[int, datetime]
    waiting: int
    interrupted: int
    finalists: tuple[float, ...]

    @property
    def is_begun(self) -> bool:
        """Whether it has any trials."""
        return bool(self.states or self.running or self.waiting)

    def stored(self) -> dict[str, Any]:
        """The standing as JSON stores it."""
        best = self.best
        return vars(self) | {
            "best": None if best is None else vars(best) | {"score": dict(best.score.figures)},
            "recent": [(ended.isoformat(), worker) for ended, worker in self.recent],
            "running": {number: began.isoformat() for number, began in self.running.items()},
        }

    @classmethod
    def restored(cls, kept: Mapping[str, Any]) -> Self:
        """The standing that ``stored`` has returned, read from JSON.

        Raises:
            KeyError, TypeError, ValueError: it was not made by ``stored``.
        """
        best = kept["best"]
        changed = {
            "best": None if best is None else BestTrial(**{**best, "score": Score(best["score"])}),
            "recent": tuple((datetime.fromisoformat(ended), worker) for ended, worker in kept["recent"]),
            "running": {int(number): datetime.fromisoformat(began) for number, began in kept["running"].items()},
            "finalists": tuple(kept["finalists"]),
        }
        return cls(**{**kept, **changed})


class Tally:
    """Counts a study's settled trials, each of which is added once.

    Args:
        settled: trials that were settled before.
    """

    def __init__(self, settled: Iterable[TrialRecord] = ()) -> None:
        self._states: Counter[str] = Counter()
        self._lost = 0
        self._best: TrialRecord | None = None
        self._recent: list[tuple[datetime, int, str | None]] = []
        self._judged: set[int] = set()
        self._levels: set[int | None] = set()
        self._improvements = Improvements()
        for record in sorted(settled, key=order_of_ends):
            self.add(record)

    def add(self, record: TrialRecord) -> None:
        """Count one more."""
        self._improvements.add(record)
        self._states[record.state] += 1
        self._lost += len(record.lost)
        insort(self._recent, (record.ended or datetime.min, record.number, record.worker), key=lambda one: one[:2])
        del self._recent[:-RECENT]
        if record.score is not None:
            rivals = [record] if self._best is None else [self._best, record]
            self._best = best(sorted(rivals, key=lambda rival: rival.number))
            self._judged.add(parameters_hash(record.parameters))
            self._levels.add(record.level)

    def standing(self, study: optuna.Study) -> Standing:
        """The standing of the study to which the counted trials belong."""
        pending = study.get_trials(deepcopy=False, states=(TrialState.RUNNING, TrialState.WAITING))
        first = self._best
        ahead = None
        if first is not None and first.score is not None:
            ahead = BestTrial(first.number, first.source, first.score, first.cost.flops)
        return Standing(
            states=dict(self._states),
            lost=self._lost,
            best=ahead,
            recent=tuple((ended, worker) for ended, _, worker in self._recent),
            since=self._improvements.since,
            judged=len(self._judged),
            levels=len(self._levels),
            running={one.number: one.datetime_start for one in pending if one.datetime_start and not _waits(one)},
            waiting=sum(map(_waits, pending)),
            interrupted=interrupted_count(study),
            finalists=tuple(one.seconds for one in judged_entrants(study, self._states.total())),
        )


def standing_of(study: optuna.Study) -> Standing:
    """The standing of a study, from all of its trials."""
    return Tally(records(study)).standing(study)


def _waits(trial: optuna.trial.FrozenTrial) -> bool:
    return trial.state == TrialState.WAITING
