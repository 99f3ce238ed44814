"""Folders of nothing but grey images, for models that take one channel and for those that take three."""

from pathlib import Path

import keras
import numpy as np
import pytest
from PIL import Image

from search import settings
from tests.search.fixtures.runs import config
from tests.zoo.data.files.layouts import LAYOUTS, written
from zoo.data.load import load_dataset


def greyed(folder: Path) -> Path:
    """The folder with grey images, in place of those in colours, but for masks."""
    for path in folder.rglob("*.png"):
        if path.parent.name != "masks":
            Image.open(path).convert("L").save(path)
    return folder


@pytest.mark.parametrize("in_memory", [0, 1e9])
@pytest.mark.parametrize("layout", ["classes", "masks", "colours", "sharp"])
def test_grey_images_have_three_channels_where_these_are_wanted(tmp_path: Path, layout: str, in_memory: float) -> None:
    task, fill = LAYOUTS.get(layout, (None, lambda folder: written(folder, parts=("train", "test"))))
    source = str(greyed(fill(tmp_path)))
    grey, colours = (load_dataset(source, task=task, in_memory=in_memory, colours=wanted) for wanted in (False, True))
    assert grey.image_shape[-1] == 1 and colours.image_shape == (*grey.image_shape[:2], 3)
    for part, split in grey.parts.items():
        three = colours.parts[part]
        np.testing.assert_array_equal(three.images[:], np.repeat(split.images[:], 3, axis=-1))
        reached = three.targets[:]
        np.testing.assert_array_equal(reached, np.broadcast_to(split.targets[:], reached.shape))


@pytest.mark.parametrize("channels", [1, 3])
def test_images_are_read_as_the_model_takes_them(tmp_path: Path, channels: int) -> None:
    source = str(written(tmp_path, mode="L"))
    inputs = keras.Input((5, 7, channels))
    model = keras.Model(inputs, keras.layers.Dense(2, "softmax")(keras.layers.Flatten()(inputs)))
    data = settings.data(config(tmp_path, data={"source": source}), model)
    assert data.image_shape == (5, 7, channels)
