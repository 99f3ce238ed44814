"""A dry run: prepares a search, judges a few candidates on one worker, and estimates durations; nothing is written."""

import math
from collections.abc import Sequence
from dataclasses import dataclass
from functools import partial

import keras
import numpy as np

from compress.errors import RunError
from compress.model_files.files import load_model
from compress.parameters import PRUNE, CompressionParameters
from configs.schema.run import RunConfig
from configs.schema.search import STAGED
from search import settings
from search.driver.listeners.listener import Listener
from search.pipeline.durations import Durations, makespan
from search.pipeline.training import zoo_model
from search.runs.run_folder import RunFolder, model_path
from search.samplers.probes import parts_of
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

_PROBES_EACH = 1.5
"""Evaluations that the sweep is expected to take for each part: about half of them are judged once more."""


@dataclass(frozen=True)
class DryRun:
    """The outcome of a dry run.

    Attributes:
        job: the prepared search.
        trained: whether the original is trained; a model of the zoo has random weights before ``tuckprune train``.
        workers: number of workers that the search would have.
        first: judgement of the first trial, on a new worker, which traces the network.
        candidate: parameters of the second trial.
        next: judgement of the second trial, on the same worker.
        untrained: judgement of the second trial's candidate without training.
        whole: judgement of the original without training.
        probe: judgement of the original as the sweep judges.
    """

    job: Job
    trained: bool
    workers: int
    first: Judgement
    candidate: CompressionParameters
    next: Judgement
    untrained: Judgement
    whole: Judgement
    probe: Judgement

    def check(self) -> None:
        """Refuse a search whose trials fail.

        Raises:
            RunError: the error of the first failed trial.
        """
        for judged in (self.first, self.next, self.untrained, self.whole, self.probe):
            if judged.error is not None:
                raise RunError(f"a trial of this search would fail: {judged.error}")

    @property
    def candidates_log10(self) -> float:
        """Decimal logarithm of the number of candidates on the space's grid."""
        space = self.job.space
        fewest, most = space.arrays.step_bounds
        ranks = math.ceil(round(1 / space.settings.rank_step, 9))
        free_ranks = np.count_nonzero(space.arrays.is_free[len(space.groups) :])
        return float(np.log10(most - fewest + 1).sum() + free_ranks * math.log10(ranks))

    @property
    def sweep_seconds(self) -> float:
        """Estimated seconds of the sensitivity sweep; 0 without one."""
        section = self.job.config.search
        if not section.sweeps:
            return 0.0
        wholes = 2 if section.strategy == STAGED else 1
        return self.probe.seconds * math.ceil((wholes + _PROBES_EACH * len(parts_of(self.job.space))) / self.workers)

    @property
    def search_seconds(self) -> float:
        """Estimated seconds of the trials, with one tracing per worker."""
        config, durations = self.job.config, self._durations
        trials = math.ceil(config.search.trials / self.workers)
        trial = self.next.seconds if durations is None else durations.trial(config.proxy.steps, config.rungs)
        return self.first.seconds - self.next.seconds + trials * trial

    @property
    def finals_seconds(self) -> float | None:
        """Estimated most seconds of the finals; 0 without finals, None where trials have no steps to measure."""
        config = self.job.config
        if not (config.finals.candidates and config.finetune.epochs):
            return 0.0
        training, stages = settings.final(config).training, self._stages
        # Of a staged search the trials go on from the model between the stages; the recommended values do not.
        of_trial = stages[1:] if config.search.strategy == STAGED else stages
        recommended, trial = self._seconds(training, stages), self._seconds(training, of_trial)
        if recommended is None or trial is None:
            return None
        return makespan([recommended, *[trial] * config.finals.candidates], self.workers)

    @property
    def keeps_final_models(self) -> bool:
        """Whether the finals fine-tune as ``tuckprune compress`` does, which then takes their models."""
        config = self.job.config
        finals = bool(config.finals.candidates and config.finetune.epochs)
        return finals and settings.final(config) == settings.fine_tuning(config.finetune, config.seed)

    @property
    def middle_seconds(self) -> float | None:
        """Estimated most seconds of the fine-tuning between two stages; 0 for a joint search, None as for finals."""
        config = self.job.config
        staged = config.search.strategy == STAGED
        return self._seconds(settings.final(config).training, self._stages[:1]) if staged else 0.0

    @property
    def training_seconds(self) -> float | None:
        """Estimated seconds of ``tuckprune train``; 0 for a trained model, None as for finals."""
        config = self.job.config
        original = [CompressionParameters.none()]
        return 0.0 if self.trained else self._seconds(settings.training(config.training, config.seed), original)

    @property
    def compression_seconds(self) -> float | None:
        """Estimated most seconds of the fine-tuning in one ``tuckprune compress``; None as for finals."""
        config = self.job.config
        if not config.finetune.epochs or self.keeps_final_models:
            return 0.0
        return self._seconds(settings.training(config.finetune, config.seed), self._stages)

    @property
    def _stages(self) -> list[CompressionParameters]:
        """Parameters of the candidate after each stage of the recipe."""
        if len(self.job.config.recipe) == 1:
            return [self.candidate]
        ratios, ranks = self.candidate.ratios, self.candidate.ranks
        first = (
            CompressionParameters(ratios, {})
            if self.job.config.recipe[0] == PRUNE
            else CompressionParameters({}, ranks)
        )
        return [first, self.candidate]

    def _seconds(self, training: TrainingSettings, stages: Sequence[CompressionParameters]) -> float | None:
        """Estimated seconds of one training after each of these stages; None where the pace is unknown."""
        durations = self._durations
        if durations is None:
            return None
        return sum(durations.training(training, self._flops(parameters)) for parameters in stages)

    def _flops(self, parameters: CompressionParameters) -> int:
        return self.job.space.cost.cost(parameters, self.job.space.settings.step).flops

    @property
    def scored_images(self) -> int:
        """Validation images that a trial is scored on; 0 where the user's own code scores."""
        config, data = self.job.config, self.job.data
        return (
            0 if isinstance(data, OwnTask) else len(settings.proxy(config.proxy, config.seed).scored(data.validation))
        )

    @property
    def _durations(self) -> Durations | None:
        """Durations by the judged trials; None where they have no steps, or the user's own code trains."""
        proxy, data = self.job.config.proxy, self.job.data
        if not proxy.steps or isinstance(data, OwnTask):
            return None
        return Durations.measured(
            self.next.seconds,
            (self.untrained.seconds, self.whole.seconds),
            (self._flops(self.candidate), self._flops(CompressionParameters.none())),
            steps=proxy.steps,
            batch_size=proxy.batch_size,
            images=len(data.train),
            validated=len(data.validation) / self.scored_images,
            tracing=self.first.seconds - self.next.seconds,
        )


def prepared_job(config: RunConfig, listener: Listener) -> tuple[Job, bool]:
    """The prepared search of a configuration, and whether its model is trained.

    Raises:
        TuckpruneError: any error that would stop the search before its sweep.
    """
    resumed = RunFolder.of(config).with_kept_strategy(config)
    RunFolder.of(config).check(resumed)
    if config.model.zoo is None or RunFolder.of(config).trained_model.exists():
        model = load_model(model_path(config), config.model.custom_objects)
        job = prepared(resumed, model, listener)
        check_original(model, job.data, config.seed, listener.warned)
        return job, True
    data = settings.dataset(config, listener.warned)
    keras.utils.set_random_seed(config.seed)
    return prepared(resumed, zoo_model(config.model.zoo, data), listener, data), False


def dry_run(config: RunConfig, listener: Listener) -> DryRun:
    """Prepare the search of a configuration, and judge two trials, two untrained models and a probe on one worker.

    Raises:
        TuckpruneError: any error that would stop the search before its first trial.
    """
    job, trained = prepared_job(config, listener)
    job = decided(job)
    section, shutdown = config.search, Shutdown(0.0)
    with cluster(section.address, section.workers, section.cpus_per_worker, section.niceness), shutdown.working():
        workers = worker_count(section.workers, share_of(section), section.trials)
        pool = WorkerPool(job.task, pool_settings(section, job.model, 1), listener.warned, shutdown)
        try:
            even, uneven = _candidates(job)
            first, following = (
                submit_and_wait(pool, partial(pool.submit, given)).checked(job.metric) for given in (even, uneven)
            )
            original = CompressionParameters.none()
            untrained, whole = (
                submit_and_wait(pool, partial(pool.go_on, given, 0)).checked(job.metric) for given in (uneven, original)
            )
            probe = submit_and_wait(pool, partial(pool.submit_probe, original)).checked(job.metric)
        finally:
            pool.close()
    return DryRun(job, trained, workers, first, uneven, following, untrained, whole, probe)


def _candidates(job: Job) -> tuple[CompressionParameters, CompressionParameters]:
    """Two different candidates that just meet the budget."""
    projection, even = Projection(job.space, job.budget), np.ones(len(job.space.dimensions))
    uneven = np.where(np.arange(len(even)) % 2, 0.5, 1.0)
    return projection(even).parameters, projection(uneven).parameters
