"""All that a report reads of a run."""

from dataclasses import dataclass
from pathlib import Path

import optuna

from compress.errors import TuckpruneError
from compress.parameter_files import JSON_FILE, read_parameters
from compress.parameters import CompressionParameters
from configs.schema import RunConfig
from configs.staged import STAGED
from search.finalist import RECOMMENDED, Finalist
from search.pipeline import SearchOutcome, find_run
from search.results import SIMPLE, Result, read_results
from search.run_folder import RunFolder
from search.run_layers import RunLayers
from search.stage_names import first_study
from search.storage import find_study
from search.trial_record import TrialRecord


@dataclass(frozen=True)
class RunView:
    """A run as it stands.

    Attributes:
        folder: of the run.
        config: its configuration.
        outcome: trials, finalists and winner.
        results: models of the comparison; none before any is trained.
        studies: of every stage, in order; one where the search was joint.
        layers: of the original model; None where it cannot be read.
        missing: why they are None, else empty.
        recommended: values of the model *simple*, or of the finalist of recommended values; None where neither is.
    """

    folder: RunFolder
    config: RunConfig
    outcome: SearchOutcome
    results: tuple[Result, ...]
    studies: tuple[optuna.Study, ...]
    layers: RunLayers | None
    missing: str
    recommended: CompressionParameters | None

    @classmethod
    def of(cls, run: Path) -> "RunView":
        """The view of a run folder, also while it is searched.

        Raises:
            RunError: no run folder, no usable trial in it, or files in it that cannot be read.
        """
        outcome = find_run(run)
        config, results = outcome.folder.config(), read_results(outcome.folder.results)
        staged = config.search.strategy == STAGED
        names = [*([first_study(config)] if staged else []), config.name]
        studies = tuple(find_study(run, name, config.search.storage) for name in names)
        layers, missing = _layers(run)
        recommended = _recommended(run, results, outcome.finalists)
        return cls(outcome.folder, config, outcome, tuple(results), studies, layers, missing, recommended)

    @property
    def stages(self) -> list[list[TrialRecord]]:
        """The trials of each stage, in order; all in one where the search was joint."""
        found = dict.fromkeys(trial.stage for trial in self.outcome.trials)
        return [[trial for trial in self.outcome.trials if trial.stage == stage] for stage in found]


def _layers(run: Path) -> tuple[RunLayers | None, str]:
    # All else of a report does without the model, which may have stayed on another machine.
    try:
        return RunLayers.of(run), ""
    except TuckpruneError as error:
        return None, str(error)


def _recommended(run: Path, results: list[Result], finalists: list[Finalist]) -> CompressionParameters | None:
    path = run / f"{SIMPLE}-parameters" / JSON_FILE
    if path.exists() and any(result.label == SIMPLE for result in results):
        return read_parameters([path]).parameters
    return next((finalist.parameters for finalist in finalists if finalist.source == RECOMMENDED), None)
