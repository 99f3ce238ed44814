"""The stages of a run as functions: train, search, export, compress. The command line only calls these."""

from dataclasses import dataclass, replace
from functools import partial
from pathlib import Path
from typing import Any

import keras
import optuna

from compress.analysis import analyse
from compress.errors import ModelError, RunError
from compress.model_file import load_model, save_model, saved_size
from compress.parameter_files import write_parameters
from compress.parameters import CompressionParameters
from configs.schema import RunConfig
from configs.staged import AUTO, STAGED
from objectives.cost import CostModel
from objectives.fine_tuning import FineTuning
from objectives.latency import measure_latency
from objectives.score import score
from search import settings
from search.crew import ray_crew
from search.driver import Listener, SilentListener
from search.finalist import Finalist, finalists
from search.fingerprint import check_same_model, tie_to_model
from search.joint import run_joint
from search.latency import keep_latency_table
from search.listeners import Listeners
from search.original import check_original
from search.preparation import prepared
from search.ray_metrics import RayMetrics
from search.recommended import silent
from search.results import ORIGINAL, Result, write_result
from search.run_folder import RunFolder
from search.run_log import RunLog
from search.shared_study import tie_to_config
from search.shutdown import Shutdown
from search.staged import first_trials, run_staged
from search.storage import find_study, has_study, opened_study
from search.strategy import decided
from search.tracking import check_trackers, trackers
from search.trial_record import TrialRecord, records
from search.watched_training import Say, WatchedTraining
from search.winner import Winner, winner_of
from zoo.data.dataset import ImageDataset
from zoo.models.registry import build_model
from zoo.training import evaluate

_BATCH = 512
"""Images that the original and the final models are called with at a time."""


@dataclass(frozen=True)
class SearchOutcome:
    """All finished trials of a run, its finalists, and the winner: the best finalist, without any the best trial.

    The trials of a staged search are those of its first stage, then those of its second.
    """

    folder: RunFolder
    trials: list[TrialRecord]
    finalists: list[Finalist]
    winner: Winner


def train_model(config: RunConfig, say: Say = silent) -> Result:
    """Train the zoo model of a run and write it, with its test accuracy, into the run folder.

    A folder that holds the model already is left as it is; a training that was stopped is taken up again.

    Raises:
        ModelError: the configuration names a model file, which needs no training.
        RunError: the folder cannot be written, or belongs to another configuration.
    """
    if config.model.zoo is None:
        raise ModelError(f"model.path '{config.model.path}' is already trained; train needs model.zoo")
    check_trackers(config.log_to)
    folder = RunFolder.of(config)
    data = settings.dataset(config.data, config.seed)
    keras.utils.set_random_seed(config.seed)
    model = build_model(config.model.zoo, input_shape=data.image_shape, classes=data.classes)
    with folder.opened(config):
        if not folder.trained_model.exists():
            training = WatchedTraining(config, folder, data, say)
            training("train", model, FineTuning(settings.recipe(config.training, config.seed)), model)
            save_model(model, folder.trained_model)
            training.forget("train")
        return measure_original(folder.trained_model, data, folder, config)


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


def run_search(config: RunConfig, listener: Listener | None = None, shutdown: Shutdown | None = None) -> SearchOutcome:
    """Search a run to its planned number of trials, from where it stands.

    Args:
        config: of the run.
        listener: who is told of the progress.
        shutdown: how the search is asked to end early.

    Raises:
        TuckpruneError: bad model, data, budget or run folder; or no trial that can be used.
        KeyboardInterrupt: the run is left resumable.
    """
    folder, model = RunFolder.of(config), load_model(model_path(config))
    told = listener or SilentListener()
    job = prepared(folder.kept(config), model, told)
    is_new = not has_study(folder.path, config.name, config.search.storage)
    if is_new:
        check_original(model, job.data, config.seed, told.warned)
    if is_new or job.config.search.strategy == AUTO:
        job = decided(job)
    config = job.config
    with (
        folder.opened(config),
        opened_study(folder.path, config.name, config.search.storage, front=job.levels is not None) as study,
    ):
        keep_latency_table(job.budget.table, folder)
        tie_to_config(study, config)
        tie_to_model(study, model)
        tracked = trackers(config, folder, told.warned)
        heard = Listeners(told, RunLog(folder.logs), RayMetrics(config.name), *tracked)
        job = replace(job, listener=heard)
        crew = partial(ray_crew, config.search, heard.warned, shutdown or Shutdown(config.search.grace))
        if config.search.strategy == STAGED:
            run_staged(job, folder, study, crew)
        else:
            run_joint(job, study, crew)
        return _outcome(folder, config, study)


def _outcome(folder: RunFolder, config: RunConfig, study: optuna.Study) -> SearchOutcome:
    earlier, found, judged = first_trials(folder, config), records(study), finalists(study)
    winner = winner_of(found, judged)
    if winner is None and earlier and not found:
        raise RunError(
            f"'{folder.path}' has {len(earlier)} trials of its first stage, and none of the second yet: run 'tuckprune "
            "search' again"
        )
    if winner is None:
        failed = next((record for record in reversed(found) if record.error), None)
        reason = f"the last error was: {failed.error}" if failed else "none met the budget; set search.projection: true"
        raise RunError(f"none of the {len(found)} trials in '{folder.path}' can be used: {reason}")
    return SearchOutcome(folder, earlier + found, judged, winner)


def find_run(path: Path) -> SearchOutcome:
    """The trials of an existing run.

    Raises:
        RunError: no run folder, no study, or no usable trial in it.
    """
    folder = RunFolder(path)
    config = folder.config()
    return _outcome(folder, config, find_study(path, config.name, config.search.storage))


def export_run(path: Path, out: Path | None = None) -> list[Path]:
    """Write the winner's parameter files (listings, JSON, NetsPresso's), by default into the run folder.

    Returns their paths.

    Raises:
        RunError: no run folder, no usable trial, or another model than the one that was searched.
        ModelError: the original model cannot be read; the files say what it is.
    """
    outcome = find_run(path)
    config = outcome.folder.config()
    model = load_model(model_path(config, outcome.folder))
    check_same_model(find_study(path, config.name, config.search.storage), model)
    step = settings.channel_step(config.pruning)
    return write_parameters(outcome.winner.parameters, out or path, analyse(model), config.recipe, step)


def measure_original(path: Path, data: ImageDataset, folder: RunFolder, config: RunConfig) -> Result:
    """Cost, test accuracy and metric of the original model, also written to the run's results."""
    result = measure(load_model(path), ORIGINAL, data, config)
    write_result(result, folder.results)
    return result


def measure(model: Any, label: str, data: ImageDataset | None = None, config: RunConfig | None = None) -> Result:
    """Figures of a model: its cost and size, and where there is data, what it scores on the test split.

    A configuration asks for the metric that candidates are ranked by, and for memory and latency where its budget
    limits them.
    """
    cost = CostModel(analyse(model)).cost(CompressionParameters.none())
    accuracy = None if data is None else evaluate(model, data.test, data.normalization)
    result = Result(label, accuracy, cost.flops, cost.params, saved_size(model))
    if config is None:
        return result
    if config.budget.memory is not None:
        result = replace(result, memory=cost.memory)
    if config.budget.latency is not None:
        result = replace(result, latency=measure_latency(model, settings.latency(config.latency)).low)
    metric = None if data is None else settings.metric(config.search.metric, data.classes)
    if data is None or metric is None or not metric.is_extra:
        return result
    value = score(model, data.test, data.normalization, _BATCH, metric).value
    return replace(result, metric=metric.name, value=value)
