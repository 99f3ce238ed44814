"""Training the zoo model of a run."""

from collections.abc import Callable

import keras

from compress.errors import ModelError
from compress.model_files.files import save_model
from configs.schema.run import RunConfig
from objectives.budget.recommended import silent
from objectives.score.fine_tuning import FineTuning
from search import settings
from search.driver.listeners.trackers import check_trackers
from search.pipeline.measuring import measure_original
from search.pipeline.resumable_training import ResumableTraining
from search.runs.results import Result
from search.runs.run_folder import RunFolder
from zoo.data.dataset import ImageDataset
from zoo.models.registry import build_model, task_of
from zoo.tasks.kinds.classification import Classification
from zoo.tasks.kinds.segmentation import Segmentation
from zoo.tasks.kinds.super_resolution import SuperResolution


def train_model(config: RunConfig, log: Callable[[str], None] = silent) -> Result:
    """Train the zoo model of a run and write it, with its result, into the run folder.

    A model that is there already is only measured; an interrupted training is resumed.

    Raises:
        ModelError: the configuration names a model file, which needs no training.
        RunError: the folder cannot be written, or belongs to another configuration.
    """
    if config.model.zoo is None:
        raise ModelError(f"model.path '{config.model.path}' is already trained; train needs model.zoo")
    check_trackers(config.log_to)
    folder = RunFolder.of(config)
    data = settings.dataset(config)
    keras.utils.set_random_seed(config.seed)
    model = zoo_model(config.model.zoo, data)
    settings.check_training(config.training, data, model)
    with folder.opened(config):
        if not folder.trained_model.exists():
            training = ResumableTraining(config, folder, data, log)
            section = config.training
            tuning = FineTuning(settings.training(section, config.seed), timeout=section.timeout)
            training("train", model, tuning, model)
            save_model(model, folder.trained_model)
            training.forget("train")
        return measure_original(folder.trained_model, data, folder, config)


def zoo_model(name: str, data: ImageDataset) -> keras.Model:
    """The untrained zoo model of this name for a data set.

    Raises:
        ConfigError: an unknown name, or images that the network cannot take.
        ModelError: the model is for another task than the data.
    """
    task, wanted = data.task, task_of(name)
    if task.name != wanted or not isinstance(task, Classification | Segmentation | SuperResolution):
        raise ModelError(f"model.zoo '{name}': expected the task {wanted}, received {task.name}; give a model.path")
    classes = task.factor if isinstance(task, SuperResolution) else task.count
    return build_model(name, input_shape=data.image_shape, classes=classes)
