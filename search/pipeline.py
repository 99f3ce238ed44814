"""The stages of a run as functions: train, search, export, compress. The command line only calls these."""

from dataclasses import dataclass
from pathlib import Path
from typing import Any

import keras

from compress.analysis import analyse
from compress.errors import ModelError, RunError
from compress.model_file import file_size, load_model, save_model
from compress.parameter_files import write_parameters
from compress.parameters import CompressionParameters
from configs.schema import RunConfig
from objectives.constraint import FlopsBudget
from objectives.cost import CostModel
from search import settings
from search.cluster import cluster, worker_count
from search.driver import Driver, Listener, SilentListener, enqueue_starts
from search.fingerprint import check_same_model, tie_to_model
from search.pool import PoolSettings, WorkerPool
from search.results import ORIGINAL, Result, write_result
from search.run_folder import RunFolder
from search.space import SearchSpace
from search.starts import starts
from search.storage import find_study, open_study
from search.trial_record import TrialRecord, best, records
from search.worker import Task, model_bytes
from zoo.data.dataset import ImageDataset, check_model_fits
from zoo.models.registry import build_model
from zoo.training import evaluate, train


@dataclass(frozen=True)
class SearchOutcome:
    """All finished trials of a run and the winner."""

    folder: RunFolder
    trials: list[TrialRecord]
    winner: TrialRecord


def train_model(config: RunConfig, callbacks: tuple[Any, ...] = ()) -> Result:
    """Train the zoo model of a run and write it, with its test accuracy, into the run folder.

    A folder that holds the model already is left as it is.

    Raises:
        ModelError: the configuration names a model file, which needs no training.
        RunError: the folder cannot be written, or belongs to another configuration.
    """
    if config.model.zoo is None:
        raise ModelError(f"model.path '{config.model.path}' is already trained; train needs model.zoo")
    folder = RunFolder.of(config)
    data = settings.dataset(config.data, config.seed)
    keras.utils.set_random_seed(config.seed)
    model = build_model(config.model.zoo, input_shape=data.image_shape, classes=data.classes)
    with folder.opened(config):
        if not folder.trained_model.exists():
            train(model, data, settings.recipe(config.training, config.seed), callbacks)
            save_model(model, folder.trained_model)
        return measure_original(folder.trained_model, data, folder)


def model_path(config: RunConfig, folder: RunFolder | None = None) -> Path:
    """Where the run's original model is; `folder` is the run's, where that is not the one of the configuration.

    Raises:
        ModelError: a zoo model that has not been trained yet.
    """
    if config.model.path is not None:
        return Path(config.model.path)
    path = (folder or RunFolder.of(config)).trained_model
    if not path.exists():
        raise ModelError(f"'{path}' does not exist: run 'tuckprune train' with this configuration first")
    return path


def run_search(config: RunConfig, listener: Listener | None = None) -> SearchOutcome:
    """Search a run to its planned number of trials, from where it stands.

    Raises:
        TuckpruneError: bad model, data, budget or run folder; or no trial that can be used.
        KeyboardInterrupt: the run is left resumable.
    """
    folder, model = RunFolder.of(config), load_model(model_path(config))
    space = SearchSpace(CostModel(analyse(model)), settings.space(config), config.recipe)
    budget = FlopsBudget.parse(config.budget.flops, space.cost.cost(CompressionParameters.none()).flops)
    budget.check_reachable(space.smallest_flops())
    data = settings.dataset(config.data, config.seed)
    check_model_fits(data, model)
    with folder.opened(config):
        study = open_study(folder.path, config.name, config.search.storage)
        tie_to_model(study, model)
        driver = Driver(study, space, budget, settings.driver(config))
        if driver.remaining:
            if config.search.projection:
                enqueue_starts(study, starts(model, space, budget))
            _drive(driver, config, _task(config, model, data), listener or SilentListener())
        return _outcome(folder, records(study))


def _task(config: RunConfig, model: Any, data: ImageDataset) -> Task:
    threads = max(1, int(config.search.cpus_per_worker))
    proxy = settings.proxy(config.proxy, config.seed)
    return Task(model_bytes(model), data, proxy, config.recipe, config.space.channel_multiple, threads)


def _drive(driver: Driver, config: RunConfig, task: Task, listener: Listener) -> None:
    section = config.search
    with cluster(section.address, section.workers, section.cpus_per_worker):
        workers = worker_count(section.workers, section.cpus_per_worker, section.gpus_per_worker, driver.remaining)
        resources = PoolSettings(
            workers, section.cpus_per_worker, section.gpus_per_worker, section.trials_per_worker, section.trial_timeout
        )
        pool = WorkerPool(task, resources)
        try:
            driver.run(pool, listener)
        finally:
            pool.close()


def _outcome(folder: RunFolder, found: list[TrialRecord]) -> SearchOutcome:
    winner = best(found)
    if winner is None:
        failed = next((record for record in reversed(found) if record.error), None)
        reason = f"the last error was: {failed.error}" if failed else "none met the budget; set search.projection: true"
        raise RunError(f"none of the {len(found)} trials in '{folder.path}' can be used: {reason}")
    return SearchOutcome(folder, found, winner)


def find_run(path: Path) -> SearchOutcome:
    """The trials of an existing run.

    Raises:
        RunError: no run folder, no study, or no usable trial in it.
    """
    folder = RunFolder(path)
    return _outcome(folder, records(find_study(path, folder.config().name)))


def export_run(path: Path) -> list[Path]:
    """Write the winner's parameter files (listings, JSON, NetsPresso's) into the run folder; returns their paths.

    Raises:
        RunError: no run folder, no usable trial, or another model than the one that was searched.
        ModelError: the original model cannot be read; the files say what it is.
    """
    outcome = find_run(path)
    config = outcome.folder.config()
    model = load_model(model_path(config, outcome.folder))
    check_same_model(find_study(path, config.name), model)
    return write_parameters(
        outcome.winner.parameters, path, analyse(model), config.recipe, config.space.channel_multiple
    )


def measure_original(path: Path, data: ImageDataset, folder: RunFolder) -> Result:
    """Cost and test accuracy of the original model, also written to the run's results."""
    model = load_model(path)
    result = measure(model, path, ORIGINAL, evaluate(model, data.test, data.normalization))
    write_result(result, folder.results)
    return result


def measure(model: Any, path: Path, label: str, accuracy: float | None) -> Result:
    """Figures of a saved model."""
    cost = CostModel(analyse(model)).cost(CompressionParameters.none())
    return Result(label, accuracy, cost.flops, cost.params, file_size(path))
