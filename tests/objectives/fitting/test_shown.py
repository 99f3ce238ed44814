"""Test examples and answers as a report shows them, of every kind of data that Keras's fit takes."""

from typing import Any

import keras
import numpy as np
import pytest
import tensorflow as tf

from compress.model_files.compiled import CompiledModel
from objectives.fitting.compiled import CompiledTraining
from objectives.fitting.outputs import OutputsTraining, OutputTask
from objectives.fitting.shown import plain_answers
from tests.objectives.fitting.two_outputs import Given, drawn, model, saved
from zoo.tasks.kinds.classification import Classification
from zoo.tasks.kinds.segmentation import Segmentation
from zoo.training.training import SGD

TASKS = {"mask": OutputTask(Segmentation()), "kind": OutputTask(Classification())}


def outputs_of(data: Any) -> OutputsTraining:
    return OutputsTraining(Given(data), TASKS, ("kind", "mask"), None, SGD, 0.2, 0)


def batched(part: Any) -> Any:
    return tf.data.Dataset.from_tensor_slices(part).batch(3)


def test_every_output_is_shown_as_its_task_does() -> None:
    net, (images, targets) = model(), drawn()[2]
    shown = outputs_of(drawn()).shown(net, 4)
    assert shown is not None
    np.testing.assert_array_equal(shown.images, images[:4])
    logits = net.predict(images[:4], verbose=0)["kind"]
    assert shown.targets["kind"] == [str(kind) for kind in targets["kind"][:4]]
    assert [answer.split()[0] for answer in shown.outputs["kind"]] == [str(row.argmax()) for row in logits]
    likely = keras.ops.convert_to_numpy(keras.ops.softmax(logits)).max(axis=-1)
    assert [answer.split("(")[1] for answer in shown.outputs["kind"]] == [f"{100 * one:.0f} %)" for one in likely]
    # One colour a class, and every class another one.
    colours = np.stack(shown.targets["mask"])
    by_class = {label: {tuple(one) for one in colours[targets["mask"][:4] == label].tolist()} for label in range(3)}
    assert all(len(given) == 1 for given in by_class.values()) and len(set.union(*by_class.values())) == 3


def test_a_dataset_shows_the_first_of_its_examples() -> None:
    net = model()
    shown, expected = (outputs_of(data).shown(net, 3) for data in (tuple(map(batched, drawn())), drawn()))
    assert shown is not None and expected is not None
    assert (shown.targets["kind"], shown.outputs["kind"]) == (expected.targets["kind"], expected.outputs["kind"])
    np.testing.assert_array_equal(shown.outputs["mask"], expected.outputs["mask"])


def test_values_of_a_compiled_model_have_no_meaning_but_themselves(tmp_path: Any) -> None:
    compiled = CompiledModel.read(saved(tmp_path / "net.keras"), None)
    shown = CompiledTraining(Given(drawn()), compiled, None, 0.2, 0).shown(model(), 2)
    images, targets = drawn()[2]
    assert shown is not None and list(shown.outputs) == ["kind", "mask"]
    assert shown.targets["kind"] == [str(kind) for kind in targets["kind"][:2]]
    first = model().predict(images[:2], verbose=0)
    assert shown.outputs["kind"] == [str(row.argmax()) for row in first["kind"]]
    labels = first["mask"][0].argmax(axis=-1)
    np.testing.assert_array_equal(shown.outputs["mask"][0][..., 0], np.array([0, 128, 255])[labels])


def test_series_are_not_shown() -> None:
    inputs = keras.Input((6, 2))
    net = keras.Model(inputs, keras.layers.Dense(2, name="kind")(keras.layers.Flatten()(inputs)))
    part = np.zeros((4, 6, 2), np.float32), {"kind": np.arange(4) % 2}
    task = OutputsTraining(Given((part, part, part)), {"kind": TASKS["kind"]}, ("kind",), None, SGD, 0.2, 0)
    assert task.shown(net, 2) is None


@pytest.mark.parametrize(
    ("targets", "outputs", "expected"),
    [
        ([[0.5, 2.0]], [[0.25, 1.0]], (["0.5, 2"], ["0.25, 1"])),
        ([3], [[0.0, 0.1, 0.2, 0.7, 0.0]], (["3"], ["3"])),
        ([[1]], [[0.3]], (["1"], ["0.3"])),
        ([[[[0.0], [1.0]]]], [[[[2.0], [2.0]]]], ([[[[0], [255]]]], [[[[0], [0]]]])),
        ([[[2, 1]]], [[[[0.1, 0.2, 0.7], [0.6, 0.4, 0.0]]]], ([[[[255], [128]]]], [[[[255], [0]]]])),
        ([[[[0.0, 1.0, 5.0]]]], [[[[0.0, 1.0, 2.0]]]], ([[[[0, 51, 255]]]], [[[[0, 128, 255]]]])),
    ],
)
def test_values_are_text_or_pictures(targets: Any, outputs: Any, expected: Any) -> None:
    plain = plain_answers(np.asarray(targets), np.asarray(outputs))
    assert tuple([one if isinstance(one, str) else one.tolist() for one in part] for part in plain) == expected
