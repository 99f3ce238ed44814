"""The loss against the cross-entropy worked out by hand."""

from collections.abc import Callable
from typing import Any

import keras
import numpy as np
import pytest

from compress.errors import ModelError
from zoo.tasks.kinds.classification import Classification

_LABELS = np.array([0, 2])
_LOGITS = np.array([[2.0, 0.0, -1.0], [0.5, 0.0, 1.5]], np.float32)
_PROBABILITIES = np.exp(_LOGITS) / np.exp(_LOGITS).sum(axis=1, keepdims=True)
_EXPECTED = -np.log(_PROBABILITIES[[0, 1], _LABELS]).mean()


def _model(*layers: keras.Layer) -> keras.Model:
    return keras.Sequential([keras.Input((4, 4, 3)), *layers])


_POOL = keras.layers.GlobalAveragePooling2D
_DENSE = keras.layers.Dense


@pytest.mark.parametrize(
    "layers",
    [
        [_POOL(), _DENSE(3, activation="softmax")],
        [_POOL(), _DENSE(3), keras.layers.Softmax()],
        [_POOL(), _DENSE(3), keras.layers.Activation("softmax")],
        [_POOL(), keras.Sequential([keras.Input((3,)), _DENSE(3, activation="softmax")])],
        [_POOL(), _DENSE(3, activation="softmax"), keras.layers.Activation("linear", dtype="float32")],
        [keras.layers.Conv2D(3, 1, activation="softmax"), _POOL()],
        [keras.layers.Conv2D(3, 1), keras.layers.Softmax(), _POOL(), keras.layers.Activation("linear")],
    ],
    ids=["dense", "softmax", "activation", "nested", "linear behind", "pooled", "pooled, linear behind"],
)
def test_probabilities(layers: list[keras.Layer]) -> None:
    assert float(Classification().loss(_model(*layers))(_LABELS, _PROBABILITIES)) == pytest.approx(_EXPECTED, rel=1e-5)


@pytest.mark.parametrize(
    "layers", [[_POOL(), _DENSE(3)], [keras.layers.Conv2D(3, 1), _POOL()]], ids=["dense", "pooled"]
)
def test_logits(layers: list[keras.Layer]) -> None:
    assert float(Classification().loss(_model(*layers))(_LABELS, _LOGITS)) == pytest.approx(_EXPECTED, rel=1e-5)


_PASSING = {
    "flatten": lambda x: keras.layers.Flatten()(x),
    "reshape": lambda x: keras.layers.Reshape((3,))(x),
    "squeeze": lambda x: keras.ops.squeeze(x, (1, 2)),
    "cast": lambda x: keras.ops.cast(x, "float32"),
    "dropout": lambda x: keras.layers.Dropout(0.1)(x),
    "mean of models": lambda x: keras.layers.Average()([x, x]),
    "mean of a series": lambda x: keras.layers.GlobalAveragePooling1D()(keras.layers.Reshape((1, 3))(x)),
    "mean of positions": lambda x: keras.ops.mean(x, axis=(1, 2)),
    "enlarged": lambda x: keras.layers.UpSampling2D(2, interpolation="bilinear")(x),
    "resized": lambda x: keras.layers.Resizing(2, 2)(x),
    "several": lambda x: keras.layers.Flatten()(keras.layers.Cropping2D()(keras.ops.image.resize(x, (3, 3)))),
}
"""Functions that give some of what they read, or means of it."""


@pytest.mark.parametrize("linear", [False, True])
@pytest.mark.parametrize("activation", ["softmax", None])
@pytest.mark.parametrize("passed_on", _PASSING.values(), ids=_PASSING)
def test_what_passes_probabilities_on_makes_no_logits_of_them(
    passed_on: Callable[[Any], Any], activation: str | None, linear: bool
) -> None:
    inputs = keras.Input((4, 4, 3))
    outputs = passed_on(keras.layers.Dense(3, activation=activation)(_POOL(keepdims=True)(inputs)))
    model = keras.Model(inputs, keras.layers.Activation("linear")(outputs) if linear else outputs)
    assert Classification(3).loss(model).from_logits == (activation is None)


def test_a_cubic_enlargement_makes_no_probabilities() -> None:
    inputs = keras.Input((4, 4, 3))
    enlarged = keras.layers.UpSampling2D(2, interpolation="bicubic")(_DENSE(3, activation="softmax")(inputs))
    with pytest.raises(ModelError, match="received UpSampling2D"):
        Classification(3).loss(keras.Model(inputs, enlarged))


def test_a_mean_of_probabilities_and_logits_is_refused() -> None:
    inputs = keras.Input((3,))
    mean = keras.layers.Average()([_DENSE(3, activation="softmax")(inputs), _DENSE(3)(inputs)])
    with pytest.raises(ModelError, match="received Average"):
        Classification(3).loss(keras.Model(inputs, mean))


def test_a_sigmoid_that_is_a_function_is_one() -> None:
    inputs = keras.Input((3,))
    assert not Classification(2).loss(keras.Model(inputs, keras.ops.sigmoid(_DENSE(1)(inputs)))).from_logits


def test_a_function_at_the_output_counts_too() -> None:
    inputs = keras.Input((3,))
    model = keras.Model(inputs, keras.ops.softmax(_DENSE(3)(inputs)))
    assert float(Classification().loss(model)(_LABELS, _PROBABILITIES)) == pytest.approx(_EXPECTED, rel=1e-5)


@pytest.mark.parametrize(
    ("layer", "received"),
    [
        (_DENSE(3, activation="sigmoid"), "sigmoid"),
        (keras.layers.ReLU(), "ReLU"),
        (keras.layers.Rescaling(2), "Rescaling"),
    ],
)
def test_another_output_is_refused(layer: keras.Layer, received: str) -> None:
    with pytest.raises(ModelError, match=f"softmax or logits .* received {received}"):
        Classification().loss(_model(_POOL(), layer))


def test_two_outputs_are_refused() -> None:
    inputs = keras.Input((3,))
    model = keras.Model(inputs, [_DENSE(3)(inputs), _DENSE(3)(inputs)], name="two")
    with pytest.raises(ModelError, match="one output, received 2 from 'two'"):
        Classification().loss(model)
