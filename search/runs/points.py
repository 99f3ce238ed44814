"""Points of a run: trials and finalists to choose from, by number, by budget or on the Pareto front."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace
from functools import cached_property
from pathlib import Path
from typing import TypeVar

import optuna

from compress.errors import RunError
from compress.graph.channel_graph import ChannelGraph
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
from search.runs.original_graph import original_graph
from search.runs.run_folder import RunFolder
from search.study.finalist import RECOMMENDED, Finalist, finalists
from search.study.identity import known_original
from search.study.storage import find_study
from search.study.trial_record import TrialRecord, records

Point = TrialRecord | Finalist
"""A point of a front: a trial, judged by a short repair, or a finalist, judged after the whole recipe."""

_Point = TypeVar("_Point", TrialRecord, Finalist)


def front(candidates: Iterable[_Point], quantity: Quantity) -> list[_Point]:
    """The Pareto front of judged candidates, by rising cost and so by rising score.

    A candidate dominates another that costs at least as much, and scores at most as much or was judged at a lower rung.
    Of equal ones the one with the lower loss stays, and of the same loss the first.
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
    """The points of a run by rising cost: the Pareto front of its finalists and the Pareto front of its other trials.

    Two fronts, because scores after fine-tuning cannot be compared with scores after a short repair.
    """
    tuned = {finalist.source for finalist in finalists if finalist.score is not None}
    repaired = [trial for trial in front(trials, quantity) if trial.source not in tuned]
    # Of equal costs the finalist comes last: it is judged more thoroughly, and `best_within` takes the last.
    offered: list[Point] = [*repaired, *front(finalists, quantity)]
    return sorted(offered, key=lambda point: cost_of(point, quantity))


def best_within(offered: Sequence[Point], limit: Limit) -> Point | None:
    """The point with the highest cost within a limit; None where none is within it.

    offered: by rising cost.
    """
    meeting = [point for point in offered if point.cost is not None and limit.violation(point.cost) <= 0]
    return meeting[-1] if meeting else None


def cost_of(point: Point, quantity: Quantity) -> float:
    """The figure of one quantity of a judged point's cost, in the quantity's unit."""
    return 0.0 if point.cost is None else quantity.of(point.cost)


@dataclass(frozen=True)
class RunPoints:
    """The points of a run, finished or not, to list and to export.

    Attributes:
        folder: of the run.
        config: its configuration.
        study: its main study.
    """

    folder: RunFolder
    config: RunConfig
    study: optuna.Study

    @classmethod
    def of(cls, path: Path) -> "RunPoints":
        """The points of a run folder.

        Raises:
            RunError: no run folder, or no study.
        """
        folder = RunFolder(path)
        config = folder.config()
        return cls(folder, config, find_study(path, config.name, config.search.storage))

    @cached_property
    def graph(self) -> ChannelGraph:
        """The channel graph of the original model, read or analysed when this is first asked for.

        Raises:
            RunError: another model than the one that was searched.
            ModelError: the model cannot be read.
        """
        return original_graph(self.folder, self.config, self.study)

    @cached_property
    def original(self) -> Cost:
        """Cost of the original model, by the study, or of the model itself; without a latency where there is no table.

        Raises:
            RunError, ModelError: as `graph` does.
        """
        cost = known_original(self.study)
        if cost is None:
            cost = CostModel(self.graph).cost(CompressionParameters.none())
        path = self.folder.latency_table
        # Fractions of a budget are of the measured latency of the original, not of a predicted one.
        return replace(cost, latency=LatencyTable.read(path).original if path.exists() else None)

    def quantity(self, name: str | None) -> Quantity:
        """The quantity of this name; for None that of the run's front, or else FLOPs.

        Raises:
            RunError: latency, in a run without a latency table.
        """
        front = self.config.front
        quantity = quantities()[name or (front.quantity if front else FLOPS.name)]
        if quantity == LATENCY and self.original.latency is None:
            raise RunError(
                f"run '{self.folder.path}' has no latencies: its budget does not limit them; choose another --quantity"
            )
        return quantity

    def points(self, quantity: Quantity) -> list[Point]:
        """The points of the run by rising cost.

        Raises:
            RunError: no trial is judged yet.
        """
        trials = records(self.study)
        offered = points(trials, finalists(self.study), quantity)
        if not offered:
            error = next((f", the last error was: {one.error}" for one in reversed(trials) if one.error), "")
            raise RunError(f"no trial in '{self.folder.path}' is judged yet{error}; go on with 'tuckprune search'")
        return offered

    def trial(self, number: int) -> TrialRecord:
        """A judged trial by its number.

        Raises:
            RunError: there is no such trial, or it was not judged; with the reason.
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
        """The best point within a limit.

        Args:
            amount: the limit, written as in a budget.
            quantity: what it limits.

        Raises:
            BudgetError: the amount is malformed or above the original's figure.
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
        """Write a point's parameter files and return their paths.

        Args:
            point: one of the run's.
            out: folder for the files; None for ``point-17`` in the run folder, 17 the trial's number.

        Raises:
            RunError: the folder is the run folder, where the winner's files are.
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
    """Name of a point's folder in the run folder: ``point-17`` for trial 17, in a staged run of the second stage."""
    return f"point-{'recommended' if point.source == RECOMMENDED else point.source.split()[-1]}"
