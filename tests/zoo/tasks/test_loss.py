"""The loss against the cross-entropy worked out by hand."""

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


def test_a_function_at_the_output_counts_too() -> None:
    inputs = keras.Input((3,))
    model = keras.Model(inputs, keras.ops.softmax(_DENSE(3)(inputs)))
    assert float(Classification().loss(model)(_LABELS, _PROBABILITIES)) == pytest.approx(_EXPECTED, rel=1e-5)


@pytest.mark.parametrize(
    ("layer", "received"),
    [(_DENSE(3, activation="sigmoid"), "sigmoid"), (keras.layers.ReLU(), "ReLU"), (keras.layers.Flatten(), "Flatten")],
)
def test_another_output_is_refused(layer: keras.Layer, received: str) -> None:
    with pytest.raises(ModelError, match=f"softmax or logits .* received {received}"):
        Classification().loss(_model(_POOL(), layer))


def test_two_outputs_are_refused() -> None:
    inputs = keras.Input((3,))
    model = keras.Model(inputs, [_DENSE(3)(inputs), _DENSE(3)(inputs)], name="two")
    with pytest.raises(ModelError, match="one output, received 2 from 'two'"):
        Classification().loss(model)
