"""The status of a run: progress, best trial, workers and pace, read from its study at any time."""

import math
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from statistics import median

import optuna
from optuna.trial import FrozenTrial, TrialState

from configs.schema.run import RunConfig
from configs.schema.search import STAGED
from search.runs.run_folder import RunFolder
from search.study.finalist import finalists
from search.study.identity import first_study
from search.study.ranking import best, select_finalists
from search.study.storage import find_study
from search.study.trial_record import TrialRecord, record_of

_RECENT = 20
"""The latest trials, by which the pace is measured."""


@dataclass(frozen=True)
class Status:
    """The status of a run.

    Attributes:
        name: of the run.
        driver: whether a process holds the run.
        planned: trials.
        states: settled trials by their state.
        running: numbers of the trials that are being judged or are next, and when they were proposed.
        waiting: trials in the queue that are still to be judged: what a finished run leaves there is not.
        best: the settled trial that ranks highest.
        finalists: how many were judged.
        finals: how many there are in all, by the trials that are settled; 0 without finals.
        finals_left: seconds until all finalists are judged, at the pace of those that were; None before the first.
        workers: trials that each worker settled among the last.
        lost: workers that were lost.
        pace: seconds between two of the last trials, None before there are two.
    """

    name: str
    driver: bool
    planned: int
    states: Mapping[str, int]
    running: Mapping[int, datetime]
    waiting: int
    best: TrialRecord | None
    finalists: int
    finals: int
    finals_left: float | None
    workers: Mapping[str, int]
    lost: int
    pace: float | None

    @property
    def settled(self) -> int:
        """Number of trials that are done."""
        return sum(self.states.values())

    @property
    def finals_begun(self) -> bool:
        """Whether there are finals, and nothing is before them any more."""
        return self.finals > 0 and self.settled >= self.planned

    @property
    def finished(self) -> bool:
        """Whether all trials are settled, and all finalists judged."""
        return self.settled >= self.planned and self.finalists >= self.finals

    @property
    def seconds_left(self) -> float | None:
        """Seconds until all trials are settled at this pace, without the finals."""
        return None if self.pace is None else self.pace * max(0, self.planned - self.settled)


def status_of(path: Path) -> Status:
    """The status of a run folder.

    Raises:
        RunError: no run folder, or no study in it.
    """
    folder = RunFolder(path)
    config = folder.config()
    study = find_study(path, config.name, config.search.storage)
    first = [find_study(path, first_study(config), config.search.storage)] if config.search.strategy == STAGED else []
    return _status(config, [*first, study], folder.is_held)


def _status(config: RunConfig, studies: Sequence[optuna.Study], driver: bool) -> Status:
    """The status of a run of one study, or of one for each stage; the last one has the finals."""
    trials = [trial for study in studies for trial in study.get_trials(deepcopy=False)]
    done = [trial for trial in trials if trial.state.is_finished()]
    records = [record_of(trial) for trial in done]
    recent = sorted(done, key=_ended)[-_RECENT:]
    workers = Counter(worker for trial in recent if (worker := record_of(trial).worker) is not None)
    judged = finalists(studies[-1])
    finals = _finals(config, records)
    return Status(
        name=config.name,
        driver=driver,
        planned=config.search.trials,
        states=Counter(record.state for record in records),
        running={t.number: t.datetime_start for t in trials if t.state == TrialState.RUNNING and t.datetime_start},
        waiting=min(
            sum(trial.state == TrialState.WAITING for trial in trials), max(0, config.search.trials - len(done))
        ),
        best=best(_of_last_stage(records, config)),
        finalists=len(judged),
        finals=finals,
        finals_left=_left([one.seconds for one in judged], finals - len(judged), len(workers)),
        workers=workers,
        lost=sum(len(record.lost) for record in records),
        pace=_pace([_ended(trial) for trial in recent]),
    )


def _finals(config: RunConfig, records: Sequence[TrialRecord]) -> int:
    """How many finalists there are: the recommended values, and the best trials of the last stage; 0 without finals."""
    count = config.finals.candidates if config.finetune.epochs else 0
    last = [record for record in records if record.stage in (None, config.recipe[-1])]
    return 1 + len(select_finalists(last, count)) if count else 0


def _of_last_stage(records: Sequence[TrialRecord], config: RunConfig) -> Sequence[TrialRecord]:
    """Trials of the last stage that has any: those of the first do not meet the whole budget."""
    last = [record for record in records if record.stage in (None, config.recipe[-1])]
    return last or records


def _left(seconds: Sequence[float], pending: int, workers: int) -> float | None:
    """Seconds of so many more of the same, on so many workers."""
    return median(seconds) * math.ceil(pending / max(1, workers)) if seconds else None


def _ended(trial: FrozenTrial) -> datetime:
    return trial.datetime_complete or datetime.min


def _pace(ends: Sequence[datetime]) -> float | None:
    """The median of the seconds between one trial and the next, on which a pause of the driver has little effect."""
    spans = [(later - sooner).total_seconds() for sooner, later in zip(ends, ends[1:], strict=False)]
    return median(spans) if spans else None
