"""Recommended values by sensitivity: ratios and ranks that a sweep suggests at a budget, without a single trial."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import optuna

from compress.errors import RunError
from compress.graph.analysis import analyse
from compress.graph.group import Exclusion
from compress.parameters import CompressionParameters
from compress.recommend.recommend import RecommendedRanks, RecommendedRatios
from configs.schema.run import RunConfig
from configs.schema.search import STAGED
from search.driver.listeners.listener import Listener
from search.driver.start_queue import clipped
from search.driver.sweep import Sweep
from search.runs.run_folder import RunFolder
from search.samplers.probes import Probe
from search.samplers.sensitivity import Sensitivity, sensitivity_of
from search.samplers.starts import least_loss
from search.space.projection import Projection
from search.strategies.job import Job
from search.strategies.preparation import prepared
from search.study.identity import check_same_model
from search.study.storage import find_study, has_study
from search.workers.pool_factory import ray_pool
from search.workers.shutdown import Shutdown
from zoo.tasks.metric import ACCURACY, Metric

_KEPT = "by the sweep it loses more than it saves at this budget"


@dataclass(frozen=True)
class SensitivityValues:
    """The values that a sweep suggests, as a `Recommender`.

    Attributes:
        parameters: for the original model; ranks are of the channels that the ratios leave.
        across_normalization: whether channels over which a layer normalizes may be removed.
    """

    parameters: CompressionParameters
    across_normalization: bool = False

    def ratios(self, model: Any) -> RecommendedRatios:
        """The ratios, and the groups that keep all channels."""
        graph = analyse(model, self.across_normalization)
        ratios = {name: ratio for name, ratio in self.parameters.ratios.items() if ratio > 0}
        kept = [Exclusion(group.name, _KEPT) for group in graph.groups if group.name not in ratios]
        return RecommendedRatios(ratios, (*graph.excluded, *kept))

    def ranks(self, model: Any) -> RecommendedRanks:
        """The ranks, and the convolutions that stay whole."""
        graph, ranks = analyse(model, self.across_normalization), self.parameters.ranks
        whole = [Exclusion(layer.layer, _KEPT) for layer in graph.decomposable if layer.layer not in ranks]
        return RecommendedRanks(ranks, (*graph.undecomposable, *whole))


def sensitivity_values(config: RunConfig, model: Any, listener: Listener) -> SensitivityValues:
    """The values that just meet the budget by a sensitivity sweep, as a search makes it before its trials.

    A sweep that the run's study contains already is not repeated.

    Args:
        config: of the run.
        model: the original.
        listener: follows the sweep.

    Raises:
        TuckpruneError: bad data, an impossible budget, or a sweep in which nothing could be judged.
        KeyboardInterrupt: a shutdown is requested.
    """
    job = prepared(config, model, listener)
    wanted = least_loss(_kept_sweep(job) or _new_sweep(job), job.space, job.budget)
    candidate = Projection(job.space, job.budget)(job.space.row(clipped(wanted)))
    return SensitivityValues(candidate.parameters, config.pruning.across_normalization)


def _kept_sweep(job: Job) -> Sensitivity | None:
    """The complete sweep in the run's study, where the run was begun with this configuration; else None."""
    config, folder = job.config, RunFolder.of(job.config)
    if config.search.strategy == STAGED or not folder.holds(config):
        return None
    if not has_study(folder.path, config.name, config.search.storage):
        return None
    study = find_study(folder.path, config.name, config.search.storage)
    check_same_model(study, job.model)
    complete = not Sweep(study, job.space, job.budget, job.metric).pending
    return sensitivity_of(study) if complete else None


def _new_sweep(job: Job) -> Sensitivity:
    """A new sweep, which is not stored."""
    study = optuna.create_study()
    sweep = Sweep(study, job.space, job.budget, job.metric)
    section, shutdown = job.config.search, Shutdown(job.config.search.grace)
    with ray_pool(section, job.listener.warned, shutdown, job.model, job.task, len(sweep.pending)) as pool:
        sweep.run(pool, job.listener)
    sensitivity = sensitivity_of(study)
    if sensitivity is None:
        raise RunError(
            "expected a sweep with results, received none: the original model could not be judged; try a search with "
            "--dry-run, which shows why"
        )
    return sensitivity


class SweepLog(Listener):
    """A listener that logs a line for every evaluation of a sweep.

    Args:
        log: called with each line.
    """

    def __init__(self, log: Callable[[str], None]) -> None:
        self._log, self._total, self._done = log, 0, 0
        self._metric = ACCURACY

    def warned(self, line: str) -> None:
        """Log a warning."""
        self._log(f"warning: {line}")

    def sweep_started(self, count: int, metric: Metric) -> None:
        """Say how much there is to do next."""
        self._total, self._done, self._metric = count, 0, metric
        self._log(f"sensitivity sweep: {count} evaluations without training")

    def probed(self, probe: Probe) -> None:
        """Log the result of an evaluation."""
        self._done += 1
        came = f"failed: {probe.error}" if probe.score is None else f"{self._metric.of_objective(probe.score):.4g}"
        kept = "" if probe.kept == 1 else f" at {probe.kept:.2g}"
        self._log(f"[{self._done}/{self._total}] {probe.part}{kept}: {came}")
