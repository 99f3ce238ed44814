"""From the configuration's pruning section to the settings of the compression."""

from dataclasses import replace

import numpy as np
import pytest
import yaml

from compress.errors import ConfigError
from compress.parameters import ChannelStep
from compress.pruning.criteria.geometric_median import GeometricMedian
from compress.pruning.criteria.l2_norm import L2Norm
from compress.pruning.criteria.nuclear_norm import NuclearNorm
from compress.pruning.settings import DEFAULT_PRUNING, PruningSettings
from configs.load import load_config
from objectives.network.distillation import Distillation
from objectives.network.precision import Precision
from objectives.score.fine_tuning import FineTuning
from search import settings
from search.driver.rungs import Ladder
from tests.objectives.tasks import dataset, model
from tests.search.fixtures.runs import ROOT, config
from zoo.data.batches import CropAndFlip
from zoo.data.dataset import ImageDataset, Normalization, Split
from zoo.tasks.keras_class import KerasClass
from zoo.tasks.kinds.classification import Classification
from zoo.tasks.metric import ACCURACY, Metric
from zoo.training.augmentation import KerasAugmentation
from zoo.training.schedule import Schedule
from zoo.training.training import TrainingSettings


def pruning(folder, **section):
    return settings.pruning(config(folder, pruning=section))


def test_a_normalization_of_the_configuration_replaces_that_of_the_source(tmp_path):
    given = {"source": "digits", "scale": 8.0, "mean": [0.25], "std": [0.5]}
    assert settings.dataset(config(tmp_path, data=given)).normalization == Normalization(8.0, (0.25,), (0.5,))
    assert settings.dataset(config(tmp_path)).normalization.scale == 16.0


def test_the_defaults_are_those_of_the_compression(tmp_path):
    assert pruning(tmp_path) == DEFAULT_PRUNING
    assert settings.space(config(tmp_path)).step == DEFAULT_PRUNING.step


@pytest.mark.parametrize(("name", "criterion"), [("l2_norm", L2Norm()), ("geometric_median", GeometricMedian())])
def test_every_key_arrives(tmp_path, name, criterion):
    section = {"criterion": name, "layer_norm": "tss_norm", "group_policy": "sum", "policy": "sum"}
    section |= {"step": 8, "rounding": "nearest"}
    assert pruning(tmp_path, **section) == PruningSettings(
        criterion, layer_norm="tss_norm", group_policy="sum", policy="sum", step=ChannelStep(8, "nearest")
    )
    assert settings.space(config(tmp_path, pruning=section)).step == ChannelStep(8, "nearest")


def test_feature_maps_are_made_of_normalized_training_images(tmp_path):
    given = config(tmp_path, pruning={"criterion": "nuclear_norm", "images": 20})
    data = settings.dataset(given)
    result, again = settings.pruning(given).criterion, settings.pruning(given, data).criterion
    assert isinstance(result, NuclearNorm) and isinstance(again, NuclearNorm)
    (images,), (same,) = result.images, again.images
    np.testing.assert_array_equal(images, same)
    assert images.shape == (20, 8, 8, 1)
    training = {image.tobytes() for image in data.normalization(data.train.images)}
    assert len({image.tobytes() for image in images} & training) >= 19  # Two images may be equal.


def test_no_more_images_than_there_are(tmp_path):
    criterion = pruning(tmp_path, criterion="nuclear_norm", images=10**6).criterion
    assert isinstance(criterion, NuclearNorm)
    assert len(criterion.images[0]) == 256


@pytest.mark.parametrize("name", ["float32", "mixed_bfloat16", "mixed_float16"])
def test_a_precision_that_is_named_is_taken(tmp_path, name):
    given = config(tmp_path, proxy={"precision": name}).proxy
    assert settings.proxy(given, seed=3).precision == Precision(name)


def test_without_one_the_worker_chooses(tmp_path):
    assert settings.proxy(config(tmp_path).proxy, seed=3).precision is None


def test_the_metric_arrives_in_the_driver_and_the_proxy(tmp_path):
    section = {"name": "f1_score", "options": {"average": "macro"}}
    given = config(tmp_path, search={"metric": section})
    metric = settings.metric(given.search.metric, Classification(10))
    assert metric == Metric("F1Score", "maximize", "one_hot", {"average": "macro"})
    assert settings.driver(given, metric).metric == settings.proxy(given.proxy, 3, metric).metric == metric
    assert settings.metric(config(tmp_path).search.metric, Classification(10)) == ACCURACY


def test_a_metric_gets_what_the_model_gives(tmp_path):
    task = Classification(2)
    by_name = config(tmp_path, search={"metric": "recall"}).search.metric
    assert settings.metric(by_name, task, model(task)) == Metric("Recall", "maximize", "one_hot")
    f1 = config(tmp_path, search={"metric": {"name": "F1Score", "options": {"average": "macro"}}}).search.metric
    assert settings.metric(f1, task, model(task)).name == settings.metric(f1, task).name == "F1Score"
    with pytest.raises(ConfigError, match="expected maximize or minimize for F1Score, which is .* alike"):
        settings.metric(f1, task, model(task, unit=True))


def test_the_first_rung_is_that_of_the_proxy(tmp_path):
    assert settings.driver(config(tmp_path), ACCURACY).ladder == Ladder((2,), 3)
    given = config(tmp_path, rungs={"steps": [6, 18], "one_in": 4})
    assert settings.driver(given, ACCURACY).ladder == Ladder((2, 6, 18), 4)


@pytest.mark.parametrize("name", ["resnet50", "vgg19", "mobilenetv1"])
def test_the_cifar_100_configurations_train_by_the_recipe_of_the_model_zoo(name):
    """SGD at 0.1 with momentum 0.9, a tenth of it to fine-tune, 100 epochs of 128 images, padded by 4 and mirrored."""
    given = load_config(ROOT / "configs" / f"{name}_cifar100.yaml")
    published = TrainingSettings(augmentation=CropAndFlip(4, True), precision=None)
    assert (published.epochs, published.learning_rate, published.batch_size) == (100, 0.1, 128)
    assert (published.optimizer, published.schedule.options) == (KerasClass("SGD", {"momentum": 0.9}), {})
    assert settings.training(given.training, given.seed) == published
    assert settings.fine_tuning(given.finetune, given.seed) == FineTuning(replace(published, learning_rate=0.01))


@pytest.mark.parametrize("section", ["training", "finetune"])
def test_a_training_that_cannot_be_is_refused_by_its_key(tmp_path, section):
    split = Split(np.zeros((4, 8, 8, 1), np.uint8), np.array([0, 1, 0, 1]))
    data = ImageDataset("two", split, split, split, Classification(2), Normalization(255.0, (0.0,), (1.0,)))
    for change, message in {
        "optimizer: AdamX": "optimizer: expected the name of a class of Keras, received 'AdamX'; did you mean Adamax",
        "schedule: cosin": "schedule: expected one of constant, cosine, one_cycle, plateau, received 'cosin'",
        "loss: {name: Dice, options: {a: 1}}": "loss: expected options that Dice takes, received {'a': 1}",
        "class_weights: [1, 2, 3]": "class_weights: expected 2 weights, one for each class, received 3",
        "augment: {layers: [RandomCut]}": "augment: expected the name of a class of Keras, received 'RandomCut'",
    }.items():
        given = config(tmp_path, **{section: yaml.safe_load(change)})
        with pytest.raises(ConfigError) as caught:
            settings.check_training(getattr(given, section), data, model(Classification(2)))
        assert str(caught.value).startswith(f"{section}.{message}")
        settings.check_training(config(tmp_path, finetune={"epochs": 0, "optimizer": "AdamX"}).finetune, data, None)


def test_a_loss_that_takes_no_logits_is_refused_before_the_search(tmp_path):
    """Dice takes probabilities: with a model of logits the finals would fail, hours later."""
    section, data = config(tmp_path, finetune={"loss": "Dice"}).finetune, dataset(Classification(2))
    settings.check_training(section, data, model(Classification(2)))
    with pytest.raises(ConfigError, match="finetune.loss: expected a loss that takes logits, .* received Dice"):
        settings.check_training(section, data, model(Classification(2), logits=True))


def test_a_recipe_is_taken_whole(tmp_path):
    schedule = {"name": "cosine", "options": {"warm_up": 0.1}}
    augment = {"padding": 1, "flip": False, "layers": ["RandomFlip"]}
    given = config(tmp_path, finetune={"schedule": schedule, "precision": "mixed_float16", "augment": augment})
    made = settings.training(given.finetune, 0)
    assert (made.schedule, made.precision) == (Schedule("cosine", {"warm_up": 0.1}), "mixed_float16")
    assert made.augmentation == KerasAugmentation((KerasClass("RandomFlip"),), CropAndFlip(1, False))
    # Half precision without a scale of the loss loses small gradients.
    assert type(made.made_optimizer(10)).__name__ == "LossScaleOptimizer"


def test_fine_tuning_takes_every_key(tmp_path):
    finetune = {"epochs": 20, "early_stopping": 4, "distillation": {"weight": 0.7, "temperature": 3.0}}
    finetune |= {"devices": "all", "timeout": 60.0}
    given = config(tmp_path, finetune=finetune, finals={"epochs": 5})
    whole = settings.fine_tuning(given.finetune, given.seed)
    assert whole.distillation == Distillation(0.7, 3.0)
    assert (whole.training.epochs, whole.training.early_stopping) == (20, 4)
    assert (whole.training.devices, whole.timeout) == ("all", 60.0)
    assert settings.final(given) == replace(whole, training=replace(whole.training, epochs=5))


class Halving:
    """A task of the user's own, without images."""

    def fit(self, model, budget): ...

    def evaluate(self, model, split):
        return {"half": 0.5}


def test_a_task_of_the_user_s_own(tmp_path):
    own = {"task": f"{__name__}:Halving", "data": None}
    given = config(tmp_path, **own, search={"metric": {"name": "half", "direction": "minimize"}})
    data = settings.data(given, model(Classification(2)))
    assert settings.metric(given.search.metric, data) == Metric("half", "minimize")
    assert settings.feature_maps(given, data) is None
    for change, message in (
        ({"proxy": {"reconstruction_images": 8}}, "a method calibration_images"),
        ({"pruning": {"criterion": "nuclear_norm"}}, "a method calibration_images"),
        ({"search": {"metric": {"name": "half", "labels": "index"}}}, "expected no options or labels for a figure of"),
    ):
        wrong = config(tmp_path, **own | change)
        with pytest.raises(ConfigError, match=message):
            task = settings.data(wrong, model(Classification(2)))
            settings.pruning(wrong, task)
            settings.metric(wrong.search.metric, task)
