"""Real training on real digits, and the promises of train and evaluate."""

import math
import re
from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path

import keras
import numpy as np
import pytest
from PIL import Image

from compress.errors import ConfigError, DataError, DivergenceError, ModelError
from zoo.data.batches import CropAndFlip
from zoo.data.dataset import ImageDataset, Normalization, Split
from zoo.data.load import load_dataset
from zoo.models.resnet import ResNet
from zoo.tasks.keras_class import KerasClass
from zoo.tasks.kinds.classification import Classification
from zoo.training.augmentation import KerasAugmentation
from zoo.training.evaluation import evaluate
from zoo.training.schedule import Schedule
from zoo.training.training import TrainingSettings, train


@pytest.fixture(scope="module")
def digits() -> ImageDataset:
    return load_dataset("digits", validation=0.3)


def _small(seed: int = 0, classes: int = 10) -> keras.Model:
    keras.utils.set_random_seed(seed)
    return keras.Sequential(
        [
            keras.Input((8, 8, 1)),
            keras.layers.Conv2D(8, 3, strides=2, activation="relu"),
            keras.layers.Flatten(),
            keras.layers.Dense(classes, activation="softmax"),
        ]
    )


class _Recorder(keras.callbacks.Callback):
    def __init__(self) -> None:
        super().__init__()
        self.logs: list[dict[str, float]] = []
        self.weights: list[list[np.ndarray]] = []

    def on_epoch_end(self, epoch: int, logs: Mapping[str, float] | None = None) -> None:
        self.logs.append(dict(logs or {}))
        self.weights.append(self.model.get_weights())


class _SpoilLast(keras.callbacks.Callback):
    """Starts the last epoch from zero weights."""

    def __init__(self, epochs: int) -> None:
        super().__init__()
        self.epochs = epochs

    def on_epoch_begin(self, epoch: int, logs: dict[str, float] | None = None) -> None:
        if epoch == self.epochs - 1:
            self.model.set_weights([0 * weight for weight in self.model.get_weights()])


def test_the_digits_network_learns(digits: ImageDataset) -> None:
    keras.utils.set_random_seed(0)
    model = ResNet((16, 32), (1, 1), bottleneck=False, shortcut_normalization=True)("residual", (8, 8, 1), 10)
    result = train(
        model,
        digits,
        TrainingSettings(epochs=5, learning_rate=0.05, batch_size=64, augmentation=CropAndFlip(1, False)),
    )
    assert result.epochs == 5 and result.seconds > 0
    assert evaluate(model, digits, digits.test).figures["accuracy"] > 0.9
    assert result.validation > 0.9


def test_the_best_validation_weights_are_kept(digits: ImageDataset) -> None:
    model, recorder = _small(), _Recorder()
    result = train(
        model, digits, TrainingSettings(epochs=4, learning_rate=0.1, batch_size=64), [recorder, _SpoilLast(4)]
    )
    ranks = [(logs["val_accuracy"], -logs["val_loss"]) for logs in recorder.logs]
    best = ranks.index(max(ranks))
    assert best != len(ranks) - 1
    for kept, expected in zip(model.get_weights(), recorder.weights[best], strict=True):
        np.testing.assert_array_equal(kept, expected)
    assert result.validation == ranks[best][0]
    assert evaluate(model, digits, digits.validation).figures["accuracy"] == pytest.approx(ranks[best][0], abs=1e-6)


def test_training_is_decided_by_the_seed(digits: ImageDataset) -> None:
    weights = []
    for seed in (5, 5, 6):
        model = _small()
        train(model, digits, TrainingSettings(epochs=1, batch_size=64, seed=seed, augmentation=CropAndFlip(1, True)))
        weights.append(model.get_weights()[0])
    np.testing.assert_allclose(weights[0], weights[1], atol=1e-5)
    assert np.abs(weights[0] - weights[2]).max() > 1e-3


def test_images_in_files_train_to_the_weights_of_those_in_memory(tmp_path: Path) -> None:
    """Several batches are decoded at a time, and come in their order."""
    rng = np.random.default_rng(0)
    for label in "ab":
        (tmp_path / label).mkdir()
        for number in range(20):
            Image.fromarray(rng.integers(0, 256, (8, 8), np.uint8)).save(tmp_path / label / f"{number}.png")
    settings, weights = TrainingSettings(epochs=2, batch_size=4, augmentation=CropAndFlip(1, True)), []
    for in_memory in (0, 1e9):
        model = _small(classes=2)
        train(model, load_dataset(str(tmp_path), in_memory=in_memory), settings)
        weights.append(model.get_weights())
    for one, other in zip(*weights, strict=True):
        np.testing.assert_allclose(one, other, atol=1e-5)


def test_one_step_is_the_recipe_s_by_hand() -> None:
    """Zero weights and one image: softmax 1/2 each, so every weight moves by half the learning rate."""
    split = Split(np.ones((1, 1, 1, 1), np.float32), np.zeros(1, np.int64))
    dataset = ImageDataset("one", split, split, split, Classification(2), Normalization(1.0, (0.0,), (1.0,)))
    model = keras.Sequential(
        [keras.Input((1, 1, 1)), keras.layers.Flatten(), keras.layers.Dense(2, "softmax", kernel_initializer="zeros")]
    )
    train(model, dataset, TrainingSettings(epochs=1, learning_rate=0.1))
    kernel, bias = model.get_weights()
    np.testing.assert_allclose(kernel, [[0.05, -0.05]], rtol=1e-5)
    np.testing.assert_allclose(bias, [0.05, -0.05], rtol=1e-5)
    before = kernel.copy()
    train(
        model,
        dataset,
        TrainingSettings(epochs=1, learning_rate=0.1, optimizer=KerasClass("SGD", {"weight_decay": 0.5})),
    )
    # Logits +-0.1: softmax(0.2) = 0.549834; decay 0.1 x 0.5 of the weight.
    np.testing.assert_allclose(model.get_weights()[0], before * 0.95 + 0.1 * 0.450166 * np.array([[1, -1]]), rtol=1e-4)


def test_the_learning_rate_falls_on_a_plateau(digits: ImageDataset) -> None:
    model, recorder = _small(), _Recorder()
    # So small a rate improves the loss by less than ReduceLROnPlateau's threshold of 1e-4.
    halved = Schedule("plateau", {"patience": 1, "factor": 0.5})
    train(model, digits, TrainingSettings(epochs=4, learning_rate=1e-9, schedule=halved), [recorder])
    rates = [logs["learning_rate"] for logs in recorder.logs]
    np.testing.assert_allclose(rates, [1e-9, 1e-9, 5e-10, 2.5e-10], rtol=1e-5)


def test_averages_are_what_is_validated_and_kept(digits: ImageDataset) -> None:
    """The moving average of every step's weights, by hand, and not the weights themselves."""
    model, steps = _small(), list[np.ndarray]()

    class Steps(keras.callbacks.Callback):
        def on_train_batch_end(self, batch: int, logs: Mapping[str, float] | None = None) -> None:
            steps.append(self.model.get_weights()[0])

    averaging = KerasClass("SGD", {"use_ema": True, "ema_momentum": 0.8})
    settings = TrainingSettings(epochs=2, learning_rate=0.1, batch_size=200, optimizer=averaging)
    train(model, digits, settings, [Steps()])
    averaged = list(steps)
    steps.clear()
    train(_small(), digits, replace(settings, optimizer=KerasClass("SGD")), [Steps()])
    # Steps go on from the weights themselves, not from the averages.
    np.testing.assert_array_equal(averaged, steps)
    average = steps[0]
    for weights in steps[1:]:
        average = 0.8 * average + 0.2 * weights
    assert len(steps) == 2 * math.ceil(len(digits.train) / 200)
    np.testing.assert_allclose(model.get_weights()[0], average, rtol=1e-4, atol=1e-6)
    assert np.abs(average - steps[-1]).max() > 1e-3


def test_classes_count_as_they_are_weighed(digits: ImageDataset) -> None:
    counts = np.bincount(digits.train.targets)
    balanced = TrainingSettings(class_weights="balanced").weights_of_classes(digits)
    assert balanced == pytest.approx({label: counts.sum() / (10 * counts[label]) for label in range(10)})
    # Only the images of class 7 count: no other class is ever answered.
    model, alone = _small(), TrainingSettings(epochs=2, class_weights=tuple(float(label == 7) for label in range(10)))
    train(model, digits, alone)
    outputs = model.predict(digits.normalization(digits.test.images), verbose=0)
    assert (outputs.argmax(1) == 7).mean() > 0.95
    with pytest.raises(ConfigError, match="class_weights: expected 10 weights, one for each class, received 2"):
        train(_small(), digits, TrainingSettings(class_weights=(1.0, 2.0)))


def test_a_model_is_saved_with_what_every_keras_has(digits: ImageDataset, tmp_path: Path) -> None:
    """Own losses and metrics, which mixed labels need, would make the file unreadable elsewhere."""
    model = _small()
    mixing = KerasAugmentation((KerasClass("MixUp"), KerasClass("RandomErasing")))
    smoothed = KerasClass("CategoricalCrossentropy", {"label_smoothing": 0.1})
    settings = TrainingSettings(
        4, 0.02, 64, KerasClass("AdamW", {"global_clipnorm": 1.0}), Schedule("one_cycle"), smoothed, augmentation=mixing
    )
    result = train(model, digits, settings)
    assert result.validation > 0.6
    model.save(tmp_path / "model.keras")
    loaded = keras.models.load_model(tmp_path / "model.keras")
    assert type(loaded.loss) is keras.losses.SparseCategoricalCrossentropy
    images = digits.normalization(digits.validation.images)
    _, accuracy = loaded.evaluate(images, digits.validation.targets, verbose=0)
    assert accuracy == pytest.approx(result.validation, abs=1e-6)


def test_a_step_is_traced_once(digits: ImageDataset) -> None:
    """Variables of the optimizer or of metrics that a trace makes would let it be thrown away and made again."""
    model, traced = _small(), []
    step = model.train_step
    model.train_step = lambda batch: traced.append(batch) or step(batch)
    mixing = KerasAugmentation((KerasClass("MixUp"),))
    optimizer = KerasClass("Adam", {"use_ema": True})
    train(model, digits, TrainingSettings(1, 0.01, 64, optimizer, augmentation=mixing, precision="mixed_float16"))
    assert len(traced) == 1


def test_an_output_in_a_list_is_trained_like_one_alone(digits: ImageDataset) -> None:
    trained = []
    for structure in (list, lambda items: items[0]):
        plain = _small()
        model = keras.Model(structure(plain.inputs), structure(plain.outputs))
        train(model, digits, TrainingSettings(epochs=1, batch_size=64))
        trained.append(model.get_weights())
    for listed, alone in zip(*trained, strict=True):
        np.testing.assert_array_equal(listed, alone)


def test_an_output_in_a_dictionary_is_refused_with_what_takes_it(digits: ImageDataset) -> None:
    plain = _small()
    model = keras.Model(plain.inputs, {"digit": plain.outputs[0]})
    with pytest.raises(ModelError, match="received a dictionary of digit; give it a task by that name"):
        train(model, digits, TrainingSettings(epochs=1))


def test_an_absurd_learning_rate_diverges_with_advice(digits: ImageDataset) -> None:
    with pytest.raises(DivergenceError, match=r"received (nan|inf) in epoch \d at learning rate 1e\+30; lower"):
        train(_small(), digits, TrainingSettings(epochs=3, learning_rate=1e30))


def test_a_model_of_other_classes_is_refused_before_training(digits: ImageDataset) -> None:
    model = _small(classes=3)
    before = model.get_weights()[0]
    with pytest.raises(DataError, match=r"output \(3,\), received 10"):
        train(model, digits, TrainingSettings(epochs=1))
    np.testing.assert_array_equal(model.get_weights()[0], before)


def test_evaluate_counts_the_largest_output(digits: ImageDataset) -> None:
    """A model that is not compiled, over batches that do not divide the split."""
    model = _small()
    images = (digits.test.images.astype(np.float64) / 16 - digits.normalization.mean[0]) / digits.normalization.std[0]
    outputs = np.concatenate([np.asarray(model(images[i : i + 100].astype(np.float32))) for i in range(0, 540, 100)])
    expected = (outputs.argmax(axis=1) == digits.test.targets).mean()
    assert evaluate(model, digits, digits.test, batch_size=64).figures["accuracy"] == pytest.approx(expected, abs=1e-9)


def test_evaluate_does_not_score_nan(digits: ImageDataset) -> None:
    model = _small()
    model.set_weights([np.full_like(weight, np.nan) for weight in model.get_weights()])
    with pytest.raises(DivergenceError, match="NaN or infinity for 540 of 540 images"):
        evaluate(model, digits, digits.test)


@pytest.mark.parametrize(
    "changes",
    [
        {"epochs": 0},
        {"batch_size": 0},
        {"learning_rate": 0.0},
        {"learning_rate": float("nan")},
        {"seed": -1},
        {"early_stopping": 0},
        {"class_weights": (1.0, -2.0)},
        {"class_weights": (0.0, 0.0)},
        {"optimizer": KerasClass("SGD", {"momentum": 7.5})},
        {"optimizer": KerasClass("AdamX")},
        {"optimizer": KerasClass("Adam", {"learning_rate": 0.5})},
        {"loss": KerasClass("Crossentropy")},
    ],
)
def test_an_impossible_recipe_is_refused(changes: dict[str, float]) -> None:
    value = next(iter(changes.values()))
    text = re.escape(str(getattr(value, "options", value)))
    with pytest.raises(ConfigError) as caught:
        TrainingSettings(**changes)
    assert value.name in str(caught.value) if isinstance(value, KerasClass) else re.search(text, str(caught.value))
