"""Points of a run: trials and finalists to choose from, by number, by budget or on the Pareto front."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TypeVar

import optuna

from compress.errors import RunError
from compress.graph.analysis import analyse
from compress.graph.channel_graph import ChannelGraph
from compress.model_files.files import load_model
from compress.parameter_files.files import write_parameters
from compress.parameters import CompressionParameters
from configs.schema.run import RunConfig
from objectives.budget.budget import Limit
from objectives.cost.cost import Cost
from objectives.cost.cost_model import CostModel
from objectives.cost.latency_table import LatencyTable
from objectives.cost.quantities.standard import FLOPS, LATENCY
from objectives.cost.quantity import Quantity, quantities
from search import settings
from search.runs.outcome import model_path
from search.runs.run_folder import RunFolder
from search.study.finalist import RECOMMENDED, Finalist, finalists
from search.study.identity import check_same_model, known_image_size
from search.study.storage import find_study
from search.study.trial_record import TrialRecord, records

Point = TrialRecord | Finalist
"""A point of a front: a trial, judged by a short repair, or a finalist, judged after the whole recipe."""

_Point = TypeVar("_Point", TrialRecord, Finalist)


def front(candidates: Iterable[_Point], quantity: Quantity) -> list[_Point]:
    """The Pareto front of judged candidates, by rising cost and so by rising score.

    One dominates another that costs at least as much and scores at most as much, or was judged at a lower rung. Of
    those that are equal in both, the one of the lower loss stays, and of the same loss the first.
    """
    judged = [point for point in candidates if point.score is not None and point.cost is not None]
    points: list[_Point] = []
    ranked = sorted(judged, key=lambda point: point.rank, reverse=True)
    for point in sorted(ranked, key=lambda point: cost_of(point, quantity)):
        # The last part of a rank is the loss, which only decides between equals.
        if not points or point.rank[:-1] > points[-1].rank[:-1]:
            points.append(point)
    return points


def points(trials: Sequence[TrialRecord], finalists: Sequence[Finalist], quantity: Quantity) -> list[Point]:
    """The points of a run by rising cost: the Pareto front of its finalists, and that of its other trials.

    Scores after fine-tuning are compared with each other only, and so are those after a short repair.
    """
    tuned = {finalist.source for finalist in finalists if finalist.score is not None}
    repaired = [trial for trial in front(trials, quantity) if trial.source not in tuned]
    # Of equal costs what is fine-tuned comes last: it is the better known, and `best_within` takes the last.
    offered: list[Point] = [*repaired, *front(finalists, quantity)]
    return sorted(offered, key=lambda point: cost_of(point, quantity))


def best_within(offered: Sequence[Point], limit: Limit) -> Point | None:
    """The last of a run's points, by rising cost, that meets a limit; None where none does."""
    meeting = [point for point in offered if point.cost is not None and limit.violation(point.cost) <= 0]
    return meeting[-1] if meeting else None


def cost_of(point: Point, quantity: Quantity) -> float:
    """The cost of a judged point, in the unit of the quantity."""
    return 0.0 if point.cost is None else quantity.of(point.cost)


@dataclass(frozen=True)
class RunPoints:
    """A run whose points are listed and exported, finished or not.

    Attributes:
        folder: of the run.
        config: its configuration.
        study: its trials.
        graph: of its original model.
        original: cost of that; the latency is 0 where the run has no table of it.
    """

    folder: RunFolder
    config: RunConfig
    study: optuna.Study
    graph: ChannelGraph
    original: Cost

    @classmethod
    def of(cls, path: Path) -> "RunPoints":
        """The points of a run folder.

        Raises:
            RunError: no run folder, no study, or another model than the one that was searched.
            ModelError: the original model cannot be read.
        """
        folder = RunFolder(path)
        config = folder.config()
        study = find_study(path, config.name, config.search.storage)
        model = load_model(model_path(config, folder), config.model.custom_objects)
        check_same_model(study, model)
        graph = analyse(model, config.pruning.across_normalization, known_image_size(study))
        return cls(folder, config, study, graph, _original(graph, folder))

    def quantity(self, name: str | None) -> Quantity:
        """The quantity of that name; without one that of the run's front, or FLOPs.

        Raises:
            RunError: latency, of a run that has no table of it.
        """
        front = self.config.front
        quantity = quantities()[name or (front.quantity if front else FLOPS.name)]
        if quantity == LATENCY and not self.original.latency:
            raise RunError(
                f"run '{self.folder.path}' has no latencies: its budget does not limit them; choose another --quantity"
            )
        return quantity

    def points(self, quantity: Quantity) -> list[Point]:
        """The points of the run by rising cost.

        Raises:
            RunError: none of its trials was judged.
        """
        offered = points(records(self.study), finalists(self.study), quantity)
        if not offered:
            raise RunError(f"no trial in '{self.folder.path}' is judged yet; go on with 'tuckprune search'")
        return offered

    def trial(self, number: int) -> TrialRecord:
        """A judged trial by its number.

        Raises:
            RunError: no such trial, or one that is not judged; with the reason.
        """
        trials = {record.number: record for record in records(self.study)}
        record = trials.get(number)
        if record is None:
            known = f"those of 0 to {max(trials)} that are finished" if trials else "none finished yet"
            raise RunError(
                f"expected a trial of '{self.folder.path}', {known}, received {number}; choose another --trial"
            )
        if record.score is None:
            reason = f": {record.error}" if record.error else ", its budget is not met"
            raise RunError(f"trial {number} of '{self.folder.path}' is {record.state}{reason}; choose another --trial")
        return record

    def within(self, amount: str, quantity: Quantity) -> Point:
        """The best point within an amount, written as in a budget.

        Raises:
            BudgetError: the amount is malformed or above the original.
            RunError: every point of the run costs more.
        """
        limit = Limit.parse(quantity, amount, quantity.of(self.original))
        offered = self.points(quantity)
        point = best_within(offered, limit)
        if point is None:
            cheapest = offered[0].cost
            least = "" if cheapest is None else f"the cheapest needs {quantity.exact(cheapest)} {quantity.unit}, "
            raise RunError(
                f"no trial in '{self.folder.path}' is within the budget: {least}received {limit.text} = "
                f"{limit.most:.0f}; raise --budget"
            )
        return point

    def export(self, point: Point, out: Path | None) -> list[Path]:
        """Write a point's parameter files into a folder; returns their paths.

        Args:
            point: which one.
            out: the folder, None for one of the point's own in the run folder.

        Raises:
            RunError: the folder is the run's, where the winner's files are.
        """
        parameters = point.parameters or CompressionParameters.none()
        folder = self.folder.path / folder_name(point) if out is None else out
        if folder.resolve() == self.folder.path.resolve():
            raise RunError(
                f"expected another folder than the run's, where the winner's files are, received '{out}' as --out"
            )
        return write_parameters(
            parameters, folder, self.graph, self.config.recipe, settings.channel_step(self.config.pruning)
        )


def folder_name(point: Point) -> str:
    """Name of a point's folder in the run folder: ``point-17`` for trial 17, of a staged run the second stage's."""
    return f"point-{'recommended' if point.source == RECOMMENDED else point.source.split()[-1]}"


def _original(graph: ChannelGraph, folder: RunFolder) -> Cost:
    table = LatencyTable.read(folder.latency_table) if folder.latency_table.exists() else None
    cost = CostModel(graph).cost(CompressionParameters.none())
    # Fractions are of the original as measured, as they are in budgets.
    return cost if table is None else replace(cost, latency=table.original)
