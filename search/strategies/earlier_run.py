"""The best trials of an earlier run of the same model as starts of a search with another budget (search.reuse)."""

import math
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from statistics import median
from typing import Any

from compress.errors import RunError
from compress.staged_parameters import without_parts
from configs.schema.run import RunConfig
from objectives.budget.budget import Budget
from search.runs.run_folder import RunFolder
from search.space.space import SearchSpace
from search.study.identity import known_digest, model_digest
from search.study.ranking import ranked
from search.study.storage import find_study
from search.study.trial_record import TrialRecord, records

COUNT = 5
"""Trials of the earlier run that become starts, at most."""


@dataclass(frozen=True)
class EarlierRun:
    """The judged trials of another run, of any budget, recipe, space and metric.

    Attributes:
        name: of the run.
        trials: the judged ones; empty where no run is reused.
    """

    name: str
    trials: tuple[TrialRecord, ...]

    @classmethod
    def of(cls, path: Path, model: Any) -> "EarlierRun":
        """The run of a folder, which may still be searched.

        Args:
            path: the run folder.
            model: the model that is to be searched now.

        Raises:
            RunError: no run folder, no study, no judged trial in it, or one of another model.
        """
        try:
            config = RunFolder(path).config()
            name, study = config.name, find_study(path, config.name, config.search.storage)
        except RunError as error:
            raise RunError(f"search.reuse: {error}") from error
        known, digest = known_digest(study), model_digest(model)
        if known is not None and known != digest:
            raise RunError(
                f"search.reuse: expected a run of the same model, received '{path}' of another (SHA-256 {known[:12]}, "
                f"this run's is {digest[:12]}); choose another run, or null"
            )
        trials = tuple(record for record in records(study) if record.score is not None)
        if not trials:
            raise RunError(f"search.reuse: no trial in '{path}' is judged yet; choose another run, or null")
        return cls(name, trials)

    def starts(self, space: SearchSpace, budget: Budget) -> dict[str, dict[str, float]]:
        """Preferences of the best trials by the name of the start; they are projected onto the budget later.

        Of a run with a front, trials of the levels nearest to the budget come first. Layers that the earlier run did
        not search keep all channels.
        """
        levels = {record.level for record in self.trials}
        by_level = [[record for record in self.trials if record.level == level] for level in levels]
        by_level.sort(key=lambda own: _distance(own, space, budget))
        chosen = [record for own in by_level for record in ranked(own)][:COUNT]
        step = space.settings.step
        return {
            f"reuse {record.source} of {self.name}": space.encode(without_parts(record.parameters, step))
            for record in chosen
        }


def _distance(trials: Sequence[TrialRecord], space: SearchSpace, budget: Budget) -> float:
    """Median absolute logarithm of the factor by which the trials' costs exceed the budget, or fall below it."""
    step = space.settings.step
    costs = [space.cost.cost(without_parts(record.parameters, step), step) for record in trials]
    return median(abs(math.log1p(budget.violation(cost))) for cost in costs)


def earlier_run(config: RunConfig, model: Any) -> EarlierRun:
    """The run that a configuration reuses; without trials where it reuses none.

    Raises:
        RunError: as `EarlierRun.of`, or the configuration names its own run.
    """
    if config.search.reuse is None:
        return EarlierRun("", ())
    path = Path(config.search.reuse)
    if path.resolve() == RunFolder.of(config).path.resolve():
        raise RunError(
            f"search.reuse: expected the folder of another run, received this one's, '{path}'; choose another"
        )
    return EarlierRun.of(path, model)
