"""What models answer to a few test images, as it is kept for the report."""

import base64
import io
from typing import Any

import numpy as np
import pytest
from PIL import Image

from compress.errors import RunError
from search.pipeline.measuring import answers
from search.runs.answers import PNG, Answers
from tests.objectives.tasks import TARGETS, dataset, model
from zoo.tasks.kinds.classification import Classification
from zoo.tasks.kinds.image_to_image import ImageToImage
from zoo.tasks.kinds.segmentation import Segmentation
from zoo.tasks.task import Shown


def pixels(url: str) -> np.ndarray:
    return np.asarray(Image.open(io.BytesIO(base64.b64decode(url.removeprefix(PNG)))))


@pytest.mark.parametrize("channels", [1, 2, 4, 5])
def test_of_targets_that_are_no_colours_the_first_channel_is_shown(channels):
    target = np.arange(4 * channels, dtype=np.uint8).reshape(2, 2, channels)
    made = Answers.of("search", Shown(np.zeros((1, 2, 2, 3), np.uint8), {"": [target]}, {"": [target]}))
    assert pixels(made.targets[""][0]).tolist() == target[..., 0].tolist()


def test_they_are_kept_whole(tmp_path):
    grey, colour = np.array([[[0], [16]]], np.uint8), np.array([[[-1.0, 0.0, 1.0]]], np.float32)
    for image, expected in ((grey, [[0, 255]]), (colour, [[[0, 128, 255]]])):
        given = {"kind": ["3"], "mask": [np.array([[[9, 8, 7]]], np.uint8)]}
        made = Answers.of("search", Shown(image[None], given, given))
        assert Answers.read(made.write(tmp_path)) == made
        assert pixels(made.images[0]).tolist() == expected
        assert (made.targets["kind"], pixels(made.outputs["mask"][0]).tolist()) == (("3",), [[[9, 8, 7]]])


@pytest.mark.parametrize("content", ["", "[]", "{}", '{"label": "a", "rows": []}'])
def test_a_broken_file_is_named(tmp_path, content):
    (tmp_path / "search.json").write_text(content)
    with pytest.raises(RunError, match=r"answers '.*search.json' cannot be read: .*; delete the file and"):
        Answers.read(tmp_path / "search.json")


@pytest.mark.parametrize("task", TARGETS, ids=lambda task: task.name)
def test_every_task_shows_its_answers(task: Any):
    data, net = dataset(task), model(task)
    made = answers(net, "original", data)
    right, given = made.targets[""], made.outputs[""]
    assert len(made.images) == len(right) == len(given) == 5
    assert all(text and text != "nan" for text in (*right, *given))
    outputs = net.predict(data.normalization(data.test.images[[0, 5, 11, 17, 23]]), verbose=0)
    if isinstance(task, Classification):
        assert given[1] == f"{outputs[1].argmax()} ({100 * outputs[1].max():.0f} %)"
    elif isinstance(task, ImageToImage):
        np.testing.assert_allclose(pixels(given[4]), 255 * np.clip(outputs[4], 0, 1), atol=1)
    elif isinstance(task, Segmentation):
        shown, mask = pixels(right[2]), data.test.targets[11]
        assert (shown[mask == 9] == 0).all() and (shown[mask != 9].max(-1) > 0).all()
        # One colour a class, whoever gives it.
        colours = {tuple(colour) for part in (shown, pixels(given[2])) for colour in part.reshape(-1, 3).tolist()}
        assert len(colours) <= 4
    else:
        assert "," in given[0] or given[0] == "none" or given[0].isdigit()
