"""Everything that a report shows of a run, read once: trials, finalists, results, layers."""

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

import optuna

from compress.errors import TuckpruneError
from compress.graph.channel_graph import ChannelGraph
from compress.parameter_files.files import read_parameters
from compress.parameter_files.json_format import JSON_FILE
from compress.parameters import ChannelStep, CompressionParameters
from compress.staged_parameters import without_parts
from configs.schema.run import RunConfig
from configs.schema.search import STAGED
from objectives.budget.budget import Budget
from objectives.cost.cost import Cost
from objectives.cost.cost_model import CostModel
from search import settings
from search.runs.outcome import SearchOutcome, find_run
from search.runs.points import RunPoints
from search.runs.results import SEARCH, SIMPLE, Result, read_results
from search.runs.run_folder import RunFolder
from search.study.finalist import RECOMMENDED, Finalist
from search.study.identity import first_study
from search.study.storage import find_study
from search.study.trial_record import TrialRecord


@dataclass(frozen=True)
class RunLayers:
    """The layers of a run's original model.

    Attributes:
        graph: its channel graph.
        cost: its cost model, without latency.
        original: its cost.
        budget: of the run.
        step: what kept channels are rounded to.
    """

    graph: ChannelGraph
    cost: CostModel
    original: Cost
    budget: Budget
    step: ChannelStep

    @classmethod
    def of(cls, run: Path) -> "RunLayers":
        """The layers of the original model of a run folder.

        Raises:
            TuckpruneError: the model is missing, cannot be read, or is not the one that was searched.
        """
        points = RunPoints.of(run)
        budget = settings.budget(points.config.budget, points.original)
        step = settings.channel_step(points.config.pruning)
        return cls(points.graph, CostModel(points.graph), points.original, budget, step)

    @property
    def group_channels(self) -> dict[str, int]:
        """Channels of every prunable group."""
        return {group.name: group.channels for group in self.graph.groups}

    @property
    def layer_channels(self) -> dict[str, tuple[int, int]]:
        """Input and output channels of every decomposable layer."""
        return {layer.layer: (layer.in_channels, layer.out_channels) for layer in self.graph.decomposable}

    def costs(self, parameters: CompressionParameters) -> Mapping[str, Cost]:
        """Cost of every layer after compression, by its name in the original model."""
        return self.cost.layer_costs(without_parts(parameters, self.step), self.step)


@dataclass(frozen=True)
class RunView:
    """A run, finished or not, as its report shows it.

    Attributes:
        folder: of the run.
        config: its configuration.
        outcome: trials, finalists and winner.
        results: of the models of the comparison; empty before the first is measured.
        studies: of both stages in order; a single one of a joint search.
        layers: of the original model; None where it cannot be read.
        missing: why ``layers`` is None, else empty.
        recommended: parameters of the model ``simple``, or of the finalist of recommended values; None without either.
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
        """The trials of each stage, in order; of a joint search all in one list."""
        stages = dict.fromkeys(trial.stage for trial in self.outcome.trials)
        return [[trial for trial in self.outcome.trials if trial.stage == stage] for stage in stages]

    @property
    def parameters(self) -> dict[str, CompressionParameters]:
        """Parameters by the label of a model's result: the recommended ones where there are any, then the winner's."""
        recommended = {} if self.recommended is None else {SIMPLE: self.recommended}
        return {**recommended, SEARCH: self.outcome.winner.parameters}


def _layers(run: Path) -> tuple[RunLayers | None, str]:
    # The rest of a report does not need the model, which may be on another machine.
    try:
        return RunLayers.of(run), ""
    except TuckpruneError as error:
        return None, str(error)


def _recommended(run: Path, results: list[Result], finalists: list[Finalist]) -> CompressionParameters | None:
    path = run / f"{SIMPLE}-parameters" / JSON_FILE
    if path.exists() and any(result.label == SIMPLE for result in results):
        return read_parameters([path]).parameters
    return next((finalist.parameters for finalist in finalists if finalist.source == RECOMMENDED), None)
