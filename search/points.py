"""Single points of a run: its front, and the parameter files of any trial in it."""

from dataclasses import dataclass, replace
from pathlib import Path

import optuna

from compress.analysis import analyse
from compress.errors import RunError
from compress.graph import ChannelGraph
from compress.model_file import load_model
from compress.parameter_files import write_parameters
from compress.parameters import CompressionParameters
from configs.schema import RunConfig
from objectives.cost import Cost, CostModel
from objectives.latency_table import LatencyTable
from objectives.limit import Limit
from objectives.quantity import FLOPS, LATENCY, QUANTITIES, Quantity
from search import settings
from search.finalist import RECOMMENDED, finalists
from search.fingerprint import check_same_model
from search.front import Point, best_within, points
from search.pipeline import model_path
from search.run_folder import RunFolder
from search.storage import find_study
from search.trial_record import TrialRecord, records


@dataclass(frozen=True)
class RunPoints:
    """A run to choose from, finished or not.

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
        model = load_model(model_path(config, folder))
        check_same_model(study, model)
        graph = analyse(model)
        return cls(folder, config, study, graph, _original(graph, folder))

    def quantity(self, name: str | None) -> Quantity:
        """The quantity of that name; without one that of the run's front, or FLOPs.

        Raises:
            RunError: latency, of a run that has no table of it.
        """
        front = self.config.front
        found = QUANTITIES[name or (front.quantity if front else FLOPS.name)]
        if found == LATENCY and not self.original.latency:
            raise RunError(
                f"run '{self.folder.path}' has no latencies: its budget does not limit them; choose another --quantity"
            )
        return found

    def points(self, quantity: Quantity) -> list[Point]:
        """What the run offers, by rising cost.

        Raises:
            RunError: none of its trials was judged.
        """
        found = points(records(self.study), finalists(self.study), quantity)
        if not found:
            raise RunError(f"no trial in '{self.folder.path}' is judged yet; go on with 'tuckprune search'")
        return found

    def trial(self, number: int) -> TrialRecord:
        """A judged trial by its number.

        Raises:
            RunError: no such trial, or one that is not judged; with the reason.
        """
        found = {record.number: record for record in records(self.study)}
        record = found.get(number)
        if record is None:
            known = f"those of 0 to {max(found)} that are finished" if found else "none finished yet"
            raise RunError(
                f"expected a trial of '{self.folder.path}', {known}, received {number}; choose another --trial"
            )
        if record.accuracy is None:
            reason = f": {record.error}" if record.error else ", its budget is not met"
            raise RunError(f"trial {number} of '{self.folder.path}' is {record.state}{reason}; choose another --trial")
        return record

    def within(self, amount: str, quantity: Quantity) -> Point:
        """The best point within an amount, written as in a budget.

        Raises:
            BudgetError: the amount is malformed or above the original.
            RunError: nothing in the run is as cheap.
        """
        limit = Limit.parse(quantity, amount, quantity.of(self.original))
        offered = self.points(quantity)
        found = best_within(offered, limit)
        if found is None:
            cheapest = offered[0].cost
            least = "" if cheapest is None else f"the cheapest needs {quantity.exact(cheapest)} {quantity.unit}, "
            raise RunError(
                f"no trial in '{self.folder.path}' is within the budget: {least}received {limit.text} = "
                f"{limit.most:.0f}; raise --budget"
            )
        return found

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
    """Of the folder of a point in the run folder: ``point-17`` for trial 17, of a staged run the second stage's."""
    return f"point-{'recommended' if point.source == RECOMMENDED else point.source.split()[-1]}"


def _original(graph: ChannelGraph, folder: RunFolder) -> Cost:
    table = LatencyTable.read(folder.latency_table) if folder.latency_table.exists() else None
    cost = CostModel(graph).cost(CompressionParameters.none())
    # Fractions are of the original as measured, as they are in budgets.
    return cost if table is None else replace(cost, latency=table.original)
