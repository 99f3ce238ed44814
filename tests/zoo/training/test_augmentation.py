"""Keras's augmentation layers on batches of raw images."""

import pickle
import time
from concurrent.futures import ThreadPoolExecutor

import numpy as np
import pytest

from compress.errors import ConfigError
from zoo.data.batches import CropAndFlip, ImageBatches
from zoo.data.dataset import Normalization, Split
from zoo.tasks.keras_class import KerasClass
from zoo.tasks.kinds.classification import Classification
from zoo.tasks.kinds.segmentation import Segmentation
from zoo.training.augmentation import KerasAugmentation
from zoo.training.random_states import seed_random_states

CLASSES = 4
LABELS, TASK = np.arange(32) % CLASSES, Classification(CLASSES)
IMAGES = np.random.default_rng(0).integers(0, 256, (32, 6, 8, 3), np.uint8)


def augmentation(*layers):
    return KerasAugmentation(tuple(KerasClass(name, options) for name, options in layers))


def applied(made, seed=0, images=IMAGES):
    return made(images, LABELS, TASK, np.random.default_rng(seed))


def test_a_flip_is_a_mirror_image_or_none():
    changed, labels = applied(augmentation(("random_flip", {"mode": "horizontal"})))
    mirrored = [np.array_equal(image, before[:, ::-1]) for image, before in zip(changed, IMAGES, strict=True)]
    kept = [np.array_equal(image, before) for image, before in zip(changed, IMAGES, strict=True)]
    assert all(np.logical_xor(mirrored, kept)) and any(mirrored) and any(kept)
    np.testing.assert_array_equal(labels, LABELS)


def test_the_seed_decides_in_every_layer():
    layers = [
        ("RandomFlip", {}),
        ("RandomTranslation", {"height_factor": 0.3, "width_factor": 0.3}),
        ("RandAugment", {}),
    ]
    made, other = augmentation(*layers), augmentation(*layers)
    first, _ = applied(made)
    applied(made, 5)
    sent = pickle.loads(pickle.dumps(made))
    for again in (applied(made)[0], applied(other)[0], applied(sent)[0]):
        np.testing.assert_array_equal(again, first)
    assert not np.array_equal(applied(made, 1)[0], first)


# Boxes of CutMix end between pixels: in both directions up to one more or less of 60, times 3, the largest number.
@pytest.mark.parametrize(("name", "tolerance"), [("MixUp", 1e-4), ("CutMix", 0.11)])
def test_labels_are_mixed_as_pixels_are(name, tolerance):
    """Every pixel of an image is the number of its class: their mean says how much of which class is left."""
    numbers = np.broadcast_to(LABELS[:, None, None, None], (32, 60, 60, 3)).astype(np.uint8)
    changed, labels = applied(augmentation((name, {})), images=numbers)
    assert labels.shape == (32, CLASSES)
    np.testing.assert_allclose(labels.sum(1), 1, rtol=1e-5)
    np.testing.assert_allclose(changed.mean((1, 2, 3)), labels @ np.arange(CLASSES), atol=tolerance)
    assert np.count_nonzero((labels > 0.01).sum(1) == 2) > 8


def test_batches_are_the_same_however_often_they_are_read():
    made = augmentation(("RandomRotation", {"factor": 0.1}))
    batches = ImageBatches(
        Split(IMAGES, LABELS), Normalization(1.0, (0.0,) * 3, (1.0,) * 3), 8, seed=3, task=TASK, augmentation=made
    )
    first, other = batches[0][0], batches[1][0]
    np.testing.assert_array_equal(batches[0][0], first)
    np.testing.assert_array_equal(batches[1][0], other)


def test_the_crop_comes_first():
    made = KerasAugmentation((KerasClass("CenterCrop", {"height": 6, "width": 8}),), CropAndFlip(2, True))
    cropped, _ = CropAndFlip(2, True)(IMAGES, LABELS, TASK, np.random.default_rng(0))
    np.testing.assert_array_equal(applied(made)[0], cropped)


@pytest.mark.parametrize(
    ("layer", "message"),
    [
        (
            ("RandomFlop", {}),
            r"augment: expected the name of a class of Keras, received 'RandomFlop'; did you mean Random",
        ),
        (("RandomFlip", {"angle": 3}), "augment: expected options that RandomFlip takes, received .*angle"),
    ],
)
def test_what_cannot_be_made_is_refused(layer, message):
    with pytest.raises(ConfigError, match=message):
        augmentation(layer)


def test_images_keep_their_shape():
    with pytest.raises(ConfigError, match=r"expected images of shape \(6, 8, 3\) as before, received \(4, 4, 3\)"):
        augmentation(("RandomCrop", {"height": 4, "width": 4})).check(IMAGES[:1], LABELS[:1], TASK)
    with pytest.raises(ConfigError, match=r"expected layers that take images of shape \(6, 8, 2\)"):
        augmentation(("RandomGrayscale", {"factor": 1.0})).check(IMAGES[:1, ..., :2], LABELS[:1], TASK)


UNIT = np.random.default_rng(0).random((4, 6, 8, 3), np.float32)


@pytest.mark.parametrize("name", ["RandomBrightness", "RandomInvert", "RandomHue", "RandomContrast"])
@pytest.mark.parametrize(
    ("images", "options", "received"),
    [
        (UNIT, {}, r"float32 from 0\.\d+ to 0\.9\d+, received 0 to 255"),
        (UNIT - 0.5, {}, r"float32 from -0\.\d+ to 0\.\d+, received 0 to 255"),
        ((255 * UNIT).astype(np.uint8), {"value_range": [0, 1]}, r"uint8 from \d to 25\d, received 0 to 1"),
        (UNIT, {"value_range": [0, 1]}, None),
        (UNIT - 0.5, {"value_range": [-0.5, 0.5]}, None),
        ((255 * UNIT).astype(np.uint8), {}, None),
        (255 * UNIT, {}, None),
    ],
)
def test_pixels_have_the_range_that_layers_are_told(name, images, options, received):
    made = augmentation((name, {"factor": 0.5, **options}))
    if received is None:
        made.check(images, LABELS[:4], TASK)
        return
    with pytest.raises(ConfigError, match=f"expected a value_range of {name} that fits pixels of {received}; give the"):
        made.check(images, LABELS[:4], TASK)


@pytest.mark.parametrize("layer", [("RandomTranslation", {"fill_mode": "constant"}), ("random_perspective", {})])
def test_masks_have_nothing_beyond_their_edges(layer):
    name, options = layer
    ranges = {"height_factor": 0.2, "width_factor": 0.2} if "fill_mode" in options else {}
    made, masks = augmentation((name, options | ranges)), np.ones(IMAGES.shape[:3], np.int32)
    with pytest.raises(ConfigError, match="expected none that fills edges with a constant for segmentation"):
        made.check(IMAGES, masks, Segmentation(2))
    made.check(IMAGES, LABELS, TASK)


def test_threads_do_not_seed_the_layers_under_each_other(monkeypatch):
    """As Keras's loader makes several batches of images in files at once."""
    made = augmentation(("RandomTranslation", {"height_factor": 0.3, "width_factor": 0.3}), ("RandomFlip", {}))
    alone = [applied(made, seed)[0] for seed in range(8)]

    def seeded(states, seed):
        seed_random_states(states, seed)
        time.sleep(0.02)

    monkeypatch.setattr("zoo.training.augmentation.seed_random_states", seeded)
    with ThreadPoolExecutor(4) as pool:
        together = list(pool.map(lambda seed: applied(made, seed)[0], range(8)))
    np.testing.assert_array_equal(together, alone)
