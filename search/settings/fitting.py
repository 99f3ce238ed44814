"""Turns the sections ``training`` and ``finetune`` of a configuration into settings of trainings."""

from typing import Any

from compress.errors import ConfigError
from configs.schema.run import RunConfig
from configs.schema.training import ClassOfKeras, DistillationConfig, FinetuneConfig, TrainingConfig
from objectives.network.distillation import Distillation
from objectives.score.fine_tuning import FineTuning
from zoo.data.batches import Augmentation, CropAndFlip
from zoo.data.dataset import Data
from zoo.tasks.keras_class import KerasClass
from zoo.tasks.own_task import OwnTask
from zoo.training.augmentation import KerasAugmentation
from zoo.training.schedule import Schedule
from zoo.training.training import TrainingSettings


def training(config: TrainingConfig, seed: int) -> TrainingSettings:
    """The settings of a training or a fine-tuning."""
    return TrainingSettings(
        epochs=config.epochs,
        learning_rate=config.learning_rate,
        batch_size=config.batch_size,
        optimizer=keras_class(config.optimizer),
        schedule=Schedule(config.schedule.name, config.schedule.options),
        loss=None if config.loss is None else keras_class(config.loss),
        class_weights=config.class_weights,
        augmentation=_augmentation(config),
        seed=seed,
        early_stopping=config.early_stopping,
        precision=None if config.precision == "auto" else config.precision,
        devices=config.devices,
    )


def _augmentation(config: TrainingConfig) -> Augmentation | None:
    if config.augment is None:
        return None
    cropped = CropAndFlip(config.augment.padding, config.augment.flip)
    layers = tuple(keras_class(layer) for layer in config.augment.layers)
    return KerasAugmentation(layers, cropped) if layers else cropped


def check_training(config: TrainingConfig, data: Data, model: Any) -> None:
    """Refuse a training that does not fit the data set or the model's outputs, or that Keras does not know.

    A task of the user's own is not checked.

    Raises:
        ConfigError: names the key and what to change.
        ModelError: the model's outputs do not fit the task.
    """
    if not config.epochs or isinstance(data, OwnTask):
        return
    try:
        made = training(config, 0)
        made.check(data)
        data.task.training_loss(model, made.loss, mixed=made.mixes)
    except ConfigError as error:
        section = "finetune" if isinstance(config, FinetuneConfig) else "training"
        raise ConfigError(f"{section}.{error}") from error


def fine_tuning(config: FinetuneConfig, seed: int) -> FineTuning:
    """The fine-tuning of final models after each stage."""
    return FineTuning(training(config, seed), distillation(config.distillation), config.timeout)


def final(config: RunConfig) -> FineTuning:
    """The fine-tuning of finalists after each stage: that of final models with ``finals.epochs`` at most."""
    epochs = min(config.finals.epochs, config.finetune.epochs)
    return fine_tuning(config.finetune.model_copy(update={"epochs": epochs}), config.seed)


def distillation(config: DistillationConfig | None) -> Distillation | None:
    return None if config is None else Distillation(**config.model_dump())


def keras_class(config: ClassOfKeras) -> KerasClass:
    return KerasClass(config.name, config.options)
