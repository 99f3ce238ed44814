"""When each trial of a study ran, and on which worker."""

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import datetime, timedelta

import optuna

from search.trial_record import TrialRecord, record_of

NO_WORKER = "worker lost"
"""In the place of the worker of a trial that none could judge."""


@dataclass(frozen=True)
class Span:
    """The time that a worker spent on a trial.

    Attributes:
        worker: host and process; ``NO_WORKER`` where the last one was lost.
        record: the trial.
        began: in the driver's local time.
        ended: likewise, when its figures were stored.
    """

    worker: str
    record: TrialRecord
    began: datetime
    ended: datetime


def spans_of(studies: Iterable[optuna.Study]) -> list[Span]:
    """Of every trial of some studies that a worker spent time on, in the order in which they ended.

    A trial began when it ended less the worker's own time: the study's start is that of the proposal, which is made
    ahead.
    """
    trials = (trial for study in studies for trial in study.get_trials(deepcopy=False) if trial.state.is_finished())
    spans = []
    for trial in trials:
        record = record_of(trial)
        if record.seconds is not None and trial.datetime_complete is not None:
            began = trial.datetime_complete - timedelta(seconds=record.seconds)
            spans.append(Span(record.worker or NO_WORKER, record, began, trial.datetime_complete))
    return sorted(spans, key=lambda span: span.ended)
