"""From a configuration's sections to the settings of the packages below, which do not know configurations."""

from configs.schema import DataConfig, ProxyConfig, RunConfig, TrainingConfig
from objectives.accuracy import ProxySettings
from search.driver import DriverSettings
from search.space import SpaceSettings
from zoo.data.batches import Augmentation
from zoo.data.dataset import ImageDataset, Normalization
from zoo.data.limit import limited
from zoo.data.load import load_dataset
from zoo.training import Recipe


def dataset(config: DataConfig, seed: int) -> ImageDataset:
    """The data set that a configuration names.

    Raises:
        DataError: missing, corrupt or ill-shaped data.
    """
    normalization = None
    if config.scale is not None and config.mean is not None and config.std is not None:
        normalization = Normalization(config.scale, config.mean, config.std)
    loaded = load_dataset(
        config.source,
        validation=config.validation,
        seed=seed,
        image_size=config.image_size,
        normalization=normalization,
    )
    return limited(loaded, train=config.train_limit, test=config.test_limit, seed=seed)


def recipe(config: TrainingConfig, seed: int) -> Recipe:
    """How to train or fine-tune."""
    augmentation = Augmentation(config.augment.padding, config.augment.flip) if config.augment else None
    return Recipe(
        epochs=config.epochs,
        learning_rate=config.learning_rate,
        momentum=config.momentum,
        batch_size=config.batch_size,
        weight_decay=config.weight_decay,
        augmentation=augmentation,
        factor=config.factor,
        patience=config.patience,
        seed=seed,
    )


def proxy(config: ProxyConfig, seed: int) -> ProxySettings:
    """How a candidate is judged."""
    return ProxySettings(**config.model_dump(), seed=seed)


def final(config: RunConfig) -> Recipe:
    """How finalists are trained after each stage: as final models, in fewer epochs."""
    epochs = min(config.finals.epochs, config.finetune.epochs)
    return recipe(config.finetune.model_copy(update={"epochs": epochs}), config.seed)


def space(config: RunConfig) -> SpaceSettings:
    """What may be searched."""
    section = config.space
    return SpaceSettings(section.ratio_max, section.ratio_step, section.rank_step, section.channel_multiple)


def driver(config: RunConfig) -> DriverSettings:
    """How proposals are made."""
    section = config.search
    return DriverSettings(config.seed, section.sampler, section.trials, section.projection, section.metric)
