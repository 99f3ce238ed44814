"""The status of a run, while it is searched and afterwards: progress, best trial, workers and pace."""

import math
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from statistics import median

from configs.schema.run import RunConfig
from configs.schema.search import STAGED
from search.runs.run_folder import RunFolder
from search.study.identity import first_study
from search.study.standing import RECENT, BestTrial, Standing, standing_of
from search.study.status_file import StatusFile
from search.study.storage import find_study


@dataclass(frozen=True)
class Status:
    """The status of a run.

    Attributes:
        name: of the run.
        driver: whether a driver holds the run.
        planned: number of planned trials.
        ended_early: whether the search has ended early, after trials without an improvement.
        states: number of settled trials by their state.
        running: when each trial that is being judged, or is judged next, was proposed, by its number.
        waiting: number of trials in the queue that are still to be judged.
        best: the settled trial that ranks highest; None before the first.
        finalists: number of judged finalists, of those that take part by the trials settled so far.
        finals: number of all finalists, by the trials settled so far; 0 without finals.
        finals_left: estimated seconds until all finalists are judged; None before the first.
        workers: number of the latest trials that each worker settled.
        lost: number of lost workers.
        pace: median seconds between two of the latest trials; None before there are two.
        age: age of this status in seconds.
    """

    name: str
    driver: bool
    planned: int
    ended_early: bool
    states: Mapping[str, int]
    running: Mapping[int, datetime]
    waiting: int
    best: BestTrial | None
    finalists: int
    finals: int
    finals_left: float | None
    workers: Mapping[str, int]
    lost: int
    pace: float | None
    age: float = 0.0

    @property
    def settled(self) -> int:
        """Number of settled trials."""
        return sum(self.states.values())

    @property
    def left(self) -> int:
        """Number of trials that are still to be settled, at most."""
        return 0 if self.ended_early else max(0, self.planned - self.settled)

    @property
    def finals_begun(self) -> bool:
        """Whether there are finals, and all trials are settled."""
        return self.finals > 0 and not self.left

    @property
    def finished(self) -> bool:
        """Whether all trials are settled and all finalists judged."""
        return not self.left and self.finalists >= self.finals

    @property
    def seconds_left(self) -> float | None:
        """Estimated seconds until all trials are settled, without the finals; None without a pace."""
        return None if self.pace is None else self.pace * self.left


def status_of(path: Path) -> Status:
    """The status of a run folder.

    Raises:
        RunError: no run folder, or no study in it.
    """
    folder = RunFolder(path)
    config, driver = folder.config(), folder.is_held
    first = [first_study(config)] if config.search.strategy == STAGED else []
    known = StatusFile(path).read([*first, config.name], driver)
    if known is not None:
        return status_from(config, known[0], driver, known[1])
    studies = [find_study(path, name, config.search.storage) for name in (*first, config.name)]
    return status_from(config, [standing_of(study) for study in studies], driver)


def status_from(config: RunConfig, standings: Sequence[Standing], driver: bool, age: float = 0.0) -> Status:
    """The status of a run.

    Args:
        config: of the run.
        standings: of its study, or of both stages' studies in order; the last one has the finals.
        driver: whether a driver holds the run.
        age: of the standings in seconds.
    """
    last = standings[-1]
    recent = sorted((ended for standing in standings for ended in standing.recent), key=lambda one: one[0])[-RECENT:]
    workers = Counter(worker for _, worker in recent if worker is not None)
    states = sum((Counter(standing.states) for standing in standings), Counter[str]())
    planned, patience, finals = config.search.trials, config.search.early_stopping, _finals(config, last)
    running = {number: began for standing in standings for number, began in standing.running.items()}
    ended_early = patience is not None and last.since >= patience and not (running or last.interrupted)
    left = 0 if ended_early else max(0, planned - states.total())
    return Status(
        name=config.name,
        driver=driver,
        planned=planned,
        ended_early=ended_early and states.total() < planned,
        states=states,
        running=running,
        # Trials that a first stage proposed before it ended early are not judged any more.
        waiting=min(next((standing.waiting for standing in standings[::-1] if standing.is_begun), 0), left),
        # Trials of the first stage do not meet the final budget: they count until the second stage has one.
        best=next(standing.best for standing in reversed(standings) if standing.states or standing is standings[0]),
        finalists=len(last.finalists),
        finals=finals,
        finals_left=_left(last.finalists, finals - len(last.finalists), len(workers)),
        workers=workers,
        lost=sum(standing.lost for standing in standings),
        pace=_pace([ended for ended, _ in recent]),
        age=age,
    )


def _finals(config: RunConfig, last: Standing) -> int:
    """Number of finalists: the recommended values and the best trials of the last stage; 0 without finals.

    By the rule of ``select_finalists``: at least one trial of every level, and equal candidates once.
    """
    count = config.finals.candidates if config.finetune.epochs else 0
    return 1 + min(max(count, last.levels), last.judged) if count else 0


def _left(seconds: Sequence[float], pending: int, workers: int) -> float | None:
    """Estimated seconds for ``pending`` more evaluations of this duration on ``workers`` workers."""
    return median(seconds) * math.ceil(pending / max(1, workers)) if seconds else None


def _pace(ends: Sequence[datetime]) -> float | None:
    """Median seconds between one trial and the next, which a pause of the driver hardly changes."""
    spans = [(later - sooner).total_seconds() for sooner, later in zip(ends, ends[1:], strict=False)]
    return median(spans) if spans else None
