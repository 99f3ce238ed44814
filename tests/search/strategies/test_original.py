"""What is said of an original model that does not know its images, or whose FLOPs are not all counted."""

import keras
import numpy as np
import pytest

from compress.errors import DataError
from search.strategies.preparation import check_original, prepared, sample_of_validation
from tests.search.fixtures.recorder import Recorder
from tests.search.fixtures.runs import config
from zoo.data.dataset import ImageDataset, Normalization, Split
from zoo.tasks.kinds.classification import Classification
from zoo.tasks.kinds.segmentation import Segmentation

CLASSES = 4
UNIT = Normalization(1.0, (0.0,), (1.0,))


def split(count, factor=1.0):
    """Images whose class is where they are bright."""
    labels = np.arange(count) % CLASSES
    images = np.random.default_rng(count).normal(0, 0.1, (count, 2, 2, 1)).astype(np.float32)
    images.reshape(count, CLASSES)[np.arange(count), labels] += 1
    return Split(images * np.float32(factor), labels)


def dataset(normalization=UNIT, factor=1.0):
    return ImageDataset(
        "spots", split(40, factor), split(1200, factor), split(8, factor), Classification(CLASSES), normalization
    )


def model(shift=0):
    """The brightest pixel is the class; with a shift of the classes it never is."""
    inputs = keras.Input((2, 2, 1))
    x = keras.layers.Rescaling(10.0)(keras.layers.Flatten()(inputs))
    x = keras.layers.Dense(CLASSES, activation="softmax", use_bias=False)(keras.ops.clip(x, 0.0, 10.0))
    made = keras.Model(inputs, x)
    made.layers[-1].set_weights([np.roll(np.eye(CLASSES, dtype=np.float32), shift, axis=1)])
    return made


def warnings(given, data):
    said = []
    check_original(given, data, 0, said.append)
    return said


def test_a_model_that_knows_the_images_is_silent():
    assert warnings(model(), dataset()) == []


def test_another_order_of_the_classes_is_a_warning():
    (said,) = warnings(model(shift=1), dataset())
    assert said.startswith("data set 'spots': the original model scores 0.")
    assert " % on 1000 validation images, where the commonest class has 2" in said
    assert said.endswith("check that it is trained, what the targets mean, and data.scale, data.mean and data.std")


def test_at_chance_with_unusual_pixels_is_an_error():
    """Each is possible by itself: raw pixels where the model rescales, and an untrained model."""
    raw = dataset(factor=100.0)
    with pytest.raises(DataError) as error:
        warnings(model(shift=1), raw)
    assert "commonest class has 2" in str(error.value) and "correct these keys" in str(error.value)
    assert "data.scale 1, data.mean [0], data.std [1]" in str(error.value)
    assert warnings(model(), raw) == []


def test_outputs_that_are_not_finite_are_no_better_than_chance():
    broken = model()
    broken.layers[-1].set_weights([np.full((CLASSES, CLASSES), np.nan, np.float32)])
    assert len(warnings(broken, dataset())) == 1


def large(side, task):
    """A hundred black images."""
    images = np.zeros((100, side, side, 1), np.uint8)
    targets = images[..., 0] if task.moves else np.arange(100) % CLASSES
    return ImageDataset("large", Split(images, targets), Split(images, targets), Split(images, targets), task, UNIT)


def test_of_large_images_fewer_are_looked_at_but_enough_to_tell_from_chance():
    """2**22 pixels are 83 images of 224 by 224, and 11 of 600 by 600: too few where an image has one answer."""
    assert [len(sample_of_validation(large(side, Classification(CLASSES)), 0)) for side in (2, 224, 600)] == [
        100,
        83,
        64,
    ]
    assert len(sample_of_validation(large(600, Segmentation(CLASSES)), 0)) == 11


def test_masks_that_are_ignored_throughout_leave_no_doubt():
    targets, outputs = np.full((2, 3, 3), 255, np.int32), np.full((2, 3, 3, CLASSES), 1 / CLASSES, np.float32)
    task = Segmentation(CLASSES, ignored_label=255)
    assert task.doubt(targets, outputs) is None
    targets[0, 0] = 1  # The first class is the likeliest of equals, and wrong.
    assert "is right on 0.0 % of the pixels of 2" in task.doubt(targets, outputs)


@pytest.mark.parametrize("layers", [0, 1, 5])
def test_layers_whose_flops_are_not_counted_are_named_in_one_line(tmp_path, layers):
    inputs = keras.Input((8, 8, 1))
    x = keras.layers.Conv2D(8, 3, name="conv")(keras.layers.Conv2D(32, 3, name="first")(inputs))
    for number in range(layers):
        x = keras.layers.ConvLSTM1D(8, 1, return_sequences=True, name=f"own{number}")(x)
    net = keras.Model(inputs, keras.layers.Dense(10, "softmax")(keras.layers.GlobalAveragePooling2D()(x)))
    listener = Recorder()
    prepared(config(tmp_path), net, listener)
    named = {1: ["(1: 'own0')"], 5: ["(5: 'own0', 'own1', 'own2', 'own3', ...)"]}.get(layers, [])
    start, end = "counted as 0 FLOPs because their type is not known ", ": a budget of FLOPs limits the others only"
    assert listener.warnings == [f"{start}{names}{end}" for names in named]
