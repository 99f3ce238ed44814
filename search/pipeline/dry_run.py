"""A dry run: everything that a search begins with, two trials on one worker, and an estimate; nothing is written."""

import math
from dataclasses import dataclass
from functools import partial

import keras
import numpy as np

from compress.errors import RunError
from compress.model_files.files import load_model
from compress.parameters import CompressionParameters
from configs.schema.run import RunConfig
from configs.schema.search import STAGED
from search import settings
from search.driver.listeners.listener import Listener
from search.pipeline.training import zoo_model
from search.runs.outcome import model_path
from search.runs.run_folder import RunFolder
from search.samplers.sensitivity import WHOLE, parts_of
from search.space.projection import Projection
from search.strategies.choice import decided
from search.strategies.job import Job
from search.strategies.preparation import check_original, prepared
from search.study.judgement import Judgement
from search.workers.cluster import cluster, worker_count
from search.workers.pool import WorkerPool
from search.workers.pool_factory import pool_settings, share_of, submit_and_wait
from search.workers.shutdown import Shutdown
from zoo.tasks.own_task import OwnTask
from zoo.training.training import TrainingSettings


@dataclass(frozen=True)
class DryRun:
    """The outcome of a dry run.

    Attributes:
        job: the search, ready to be run.
        trained: whether the model is trained; a model of the zoo that is not yet has random weights.
        workers: that the search would have.
        first: judgement of the first trial, on a new worker, which traces the network.
        next: judgement of the second trial, on the worker that is warm.
        probe: judgement of one part of the sweep, None where there is no sweep.
    """

    job: Job
    trained: bool
    workers: int
    first: Judgement
    next: Judgement
    probe: Judgement | None

    def check(self) -> None:
        """Refuse a search whose trials fail.

        Raises:
            RunError: the reason of the first that did.
        """
        for judged in (self.first, self.next, self.probe):
            if judged is not None and judged.error is not None:
                raise RunError(f"a trial of this search would fail: {judged.error}")

    @property
    def candidates_log10(self) -> float:
        """Decimal logarithm of the number of candidates on the grid."""
        space = self.job.space
        fewest, most = space.arrays.step_bounds
        ranks = math.ceil(round(1 / space.settings.rank_step, 9))
        free_ranks = np.count_nonzero(space.arrays.is_free[len(space.groups) :])
        return float(np.log10(most - fewest + 1).sum() + free_ranks * math.log10(ranks))

    @property
    def sweep_seconds(self) -> float:
        """Estimated for the sweep."""
        if self.probe is None:
            return 0.0
        wholes = 2 if self.job.config.search.strategy == STAGED else 1
        return self.probe.seconds * math.ceil((wholes + len(parts_of(self.job.space))) / self.workers)

    @property
    def search_seconds(self) -> float:
        """Estimated for the trials: a worker traces once, one in so many trials of a rung takes the next's steps."""
        config = self.job.config
        steps, share, rungs = [config.proxy.steps, *config.rungs.steps], 1.0, 1.0
        for before, after in zip(steps, steps[1:], strict=False):
            share /= config.rungs.one_in
            rungs += share * (after - before) / max(1, config.proxy.steps)
        trials = math.ceil(config.search.trials / self.workers)
        return self.first.seconds + (trials - 1) * self.next.seconds * rungs

    @property
    def finals_seconds(self) -> float | None:
        """Estimated at most for the finals, by the seconds of a step; None where trials have no steps to measure."""
        config = self.job.config
        if not (config.finals.candidates and config.finetune.epochs):
            return 0.0
        rounds = math.ceil((1 + config.finals.candidates) / self.workers)
        seconds = self._tuning_seconds
        return None if seconds is None else seconds * len(config.recipe) * rounds

    @property
    def middle_seconds(self) -> float | None:
        """Estimated at most for the fine-tuning between two stages; 0 where the search is joint, None as for finals."""
        return self._tuning_seconds if self.job.config.search.strategy == STAGED else 0.0

    @property
    def training_seconds(self) -> float | None:
        """Estimated for ``tuckprune train``; 0 where the model is trained, None as for finals."""
        config = self.job.config
        return 0.0 if self.trained else self._seconds(settings.training(config.training, config.seed))

    @property
    def compression_seconds(self) -> float | None:
        """Estimated at most for the fine-tuning of one ``tuckprune compress``, None as for finals."""
        config = self.job.config
        if not config.finetune.epochs:
            return 0.0
        seconds = self._seconds(settings.training(config.finetune, config.seed))
        return None if seconds is None else seconds * len(config.recipe)

    @property
    def _tuning_seconds(self) -> float | None:
        """Estimated for a finalist's training after one stage."""
        return self._seconds(settings.final(self.job.config).training)

    def _seconds(self, training: TrainingSettings) -> float | None:
        """Estimated for a training, by the seconds of a step of a trial.

        None where trials have no steps to measure, or the user's own training has epochs of unknown length.
        """
        config, data = self.job.config, self.job.data
        if not config.proxy.steps or isinstance(data, OwnTask):
            return None
        steps = training.epochs * math.ceil(len(data.train) / training.batch_size)
        return steps * self.next.seconds / config.proxy.steps * training.batch_size / config.proxy.batch_size


def begun(config: RunConfig, listener: Listener) -> tuple[Job, bool]:
    """What a search of a configuration begins with, and whether its model is trained.

    Raises:
        TuckpruneError: whatever would stop the search before its sweep.
    """
    kept = RunFolder.of(config).kept(config)
    if config.model.zoo is None or RunFolder.of(config).trained_model.exists():
        model = load_model(model_path(config), config.model.custom_objects)
        job = prepared(kept, model, listener)
        check_original(model, job.data, config.seed, listener.warned)
        return job, True
    data = settings.dataset(config, listener.warned)
    keras.utils.set_random_seed(config.seed)
    return prepared(kept, zoo_model(config.model.zoo, data), listener, data), False


def dry_run(config: RunConfig, listener: Listener) -> DryRun:
    """Begin the search of a configuration, on one worker, and end it after two trials.

    Raises:
        TuckpruneError: whatever would stop the search before its first trial.
    """
    job, trained = begun(config, listener)
    job = decided(job)
    section, shutdown = config.search, Shutdown(0.0)
    with cluster(section.address, section.workers, section.cpus_per_worker, section.niceness), shutdown.working():
        workers = worker_count(section.workers, share_of(section), section.trials)
        pool = WorkerPool(job.task, pool_settings(section, job.model, 1), listener.warned, shutdown)
        try:
            first, following = (
                submit_and_wait(pool, partial(pool.submit, given)).checked(job.metric) for given in _candidates(job)
            )
            whole = WHOLE.parameters(job.space)
            probe = submit_and_wait(pool, partial(pool.submit_probe, whole)) if section.sweeps else None
        finally:
            pool.close()
    return DryRun(job, trained, workers, first, following, probe)


def _candidates(job: Job) -> tuple[CompressionParameters, CompressionParameters]:
    """Two different candidates that just meet the budget."""
    projection, even = Projection(job.space, job.budget), np.ones(len(job.space.dimensions))
    uneven = np.where(np.arange(len(even)) % 2, 0.5, 1.0)
    return projection(even).parameters, projection(uneven).parameters
