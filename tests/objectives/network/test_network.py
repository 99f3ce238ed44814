"""Networks against the Keras models that they stand for: outputs, gradients, and what is shared between candidates."""

from typing import Any

import keras
import numpy as np
import pytest
import tensorflow as tf

from compress.graph.analysis import analyse
from compress.pruning.pruning import prune
from compress.recipe import apply_parameters
from objectives.cost.cost_model import CostModel
from objectives.network.distillation import TrainingLoss
from objectives.network.signature import signature
from objectives.network.update_rule import update_rule
from scripts.bench.objectives.random_candidate import random_candidate
from tests.objectives.images import CLASSES, SHAPE, conv_model
from tests.objectives.network.networks import images, keras_step, network_of, randomized, step
from tests.objectives.thin_models import REPEATED, thin_model
from zoo.models.registry import CLASSIFIERS
from zoo.tasks.keras_class import KerasClass
from zoo.tasks.kinds.classification import Classification


@pytest.mark.parametrize("name", [name for name in CLASSIFIERS if name not in REPEATED])
def test_a_pruned_and_decomposed_model_is_computed_as_keras_does(name: str) -> None:
    original = randomized(thin_model(name))
    model = apply_parameters(original, random_candidate(CostModel(analyse(original)), seed=3))
    x, _ = images(model)
    # Through 56 untrained layers logits reach tens, whose rounding shows behind the softmax: bring them to ones.
    spread = np.ptp(np.log(model(x, training=False).numpy() + 1e-30))
    model.layers[-1].kernel.assign(model.layers[-1].kernel * (3 / spread))
    expected = model(x, training=False).numpy()
    assert np.ptp(expected) > 0.1
    np.testing.assert_allclose(network_of(model).infer(x).numpy(), expected, rtol=1e-3, atol=2e-5)


def test_a_step_on_a_candidate_is_keras_s() -> None:
    original = randomized(thin_model("digits_resnet"))
    model = apply_parameters(original, random_candidate(CostModel(analyse(original)), seed=3))
    network, (x, y) = network_of(model), images(model, 32)
    loss, weights = keras_step(model, x, y, keras.optimizers.SGD(0.1, momentum=0.9))
    assert step(network, x, y, 0.1) == pytest.approx(loss, rel=1e-4)
    network.unload(model)
    for result, expected in zip(model.trainable_variables, weights, strict=True):
        np.testing.assert_allclose(result.numpy(), expected, rtol=1e-3, atol=2e-5)


def variety() -> keras.Model:
    """Layers with and without stand-ins, options of both kinds, strides, and a branch."""
    keras.utils.set_random_seed(0)
    inputs = keras.Input((9, 9, 3))
    x = keras.layers.Conv2D(8, 3, strides=2, padding="same", kernel_regularizer="l2")(inputs)
    x = keras.layers.BatchNormalization(scale=False)(x)
    x = keras.layers.PReLU(shared_axes=[1, 2])(x)
    short = keras.layers.BatchNormalization(center=False)(keras.layers.Conv2D(6, 1, strides=2, use_bias=True)(x))
    x = keras.layers.DepthwiseConv2D(3, strides=2, padding="same", depth_multiplier=2, activation="relu")(x)
    x = keras.layers.SeparableConv2D(6, 3, padding="same")(x)
    x = keras.layers.Conv2D(6, 3, padding="valid", dilation_rate=1, activation="relu")(keras.layers.ZeroPadding2D()(x))
    x = keras.layers.Concatenate()([keras.layers.Add()([x, short]), x])
    x = keras.layers.GroupNormalization(1, gamma_regularizer="l2")(keras.layers.Conv2D(4, 1, groups=2)(x))
    x = keras.layers.LayerNormalization(center=False)(keras.layers.Dense(5, activation="relu")(x))
    x = keras.layers.BatchNormalization()(keras.layers.Flatten()(x))
    return randomized(keras.Model(inputs, keras.layers.Dense(3)(x)))


def test_any_layer_is_computed_as_keras_does() -> None:
    model = variety()
    network, (x, y) = network_of(model), images(model)
    np.testing.assert_allclose(network.infer(x).numpy(), model(x, training=False).numpy(), rtol=1e-4, atol=1e-5)
    loss, weights = keras_step(model, x, y, keras.optimizers.SGD(0.05, momentum=0.9))
    assert step(network, x, y, 0.05) == pytest.approx(loss, rel=1e-5)
    network.unload(model)
    for result, expected in zip(model.trainable_variables, weights, strict=True):
        np.testing.assert_allclose(result.numpy(), expected, rtol=1e-3, atol=2e-5)


def test_a_nested_model_is_computed_as_keras_does() -> None:
    inner = randomized(conv_model())
    inputs = keras.Input(SHAPE)
    model = keras.Model(inputs, inner(inputs))
    x, _ = images(model)
    np.testing.assert_allclose(network_of(model).infer(x).numpy(), model(x).numpy(), rtol=1e-5, atol=1e-6)


def test_a_convolution_that_something_else_reads_is_not_folded() -> None:
    keras.utils.set_random_seed(0)
    inputs = keras.Input(SHAPE)
    x = keras.layers.Conv2D(4, 3, padding="same")(inputs)
    x = keras.layers.Add()([keras.layers.BatchNormalization()(x), x])
    twice = keras.layers.BatchNormalization()
    x = keras.layers.Add()([twice(keras.layers.Conv2D(4, 1)(x)), twice(x)])
    x = keras.layers.BatchNormalization()(keras.layers.Conv2D(4, 1, activation="tanh")(x))
    model = randomized(keras.Model(inputs, keras.layers.Dense(CLASSES)(keras.layers.Flatten()(x))))
    batch, _ = images(model)
    np.testing.assert_allclose(network_of(model).infer(batch).numpy(), model(batch).numpy(), rtol=1e-4, atol=1e-5)


@pytest.mark.parametrize("first", [0, 1, 2])
def test_single_weights_that_are_frozen_stay_as_they_are(first: int) -> None:
    model = variety()
    for weight in model.weights[first::3]:
        weight.trainable = False
    network, (x, y) = network_of(model), images(model, 16)
    frozen = [weight.numpy() for weight in model.non_trainable_weights]
    _, trained = keras_step(model, x, y, keras.optimizers.SGD(0.01, momentum=0.9))
    step(network, x, y, 0.01)
    network.unload(model)
    for weight, value in zip(model.non_trainable_weights, frozen, strict=True):
        np.testing.assert_array_equal(weight.numpy(), value)
    for weight, value in zip(model.trainable_weights, trained, strict=True):
        np.testing.assert_allclose(weight.numpy(), value, rtol=1e-3, atol=2e-5)


def test_a_model_that_its_constructor_froze_is_not_trained() -> None:
    model = variety()
    network = network_of(keras.Model(model.inputs, model.outputs, trainable=False))
    before = [weight.numpy() for weight in model.weights if weight.trainable]
    assert before and not network.trains
    step(network, *images(model, 16), 0.01)
    network.unload(model)
    for weight, value in zip([weight for weight in model.weights if weight.trainable], before, strict=True):
        np.testing.assert_array_equal(weight.numpy(), value)


def test_candidates_of_other_channel_counts_share_one_trace() -> None:
    original = randomized(thin_model("digits_resnet"))
    graph = analyse(original)
    first, second = (prune(original, random_candidate(CostModel(graph), seed=seed).ratios) for seed in (1, 2))
    assert signature(first) == signature(second) == signature(original)
    network, (x, y) = network_of(first), images(first)
    step(network, x, y, 0.01)
    network.infer(x)
    network.load(second, seed=0)
    np.testing.assert_allclose(network.infer(x).numpy(), second(x, training=False).numpy(), rtol=1e-4, atol=1e-5)
    loss, _ = keras_step(second, x, y, keras.optimizers.SGD(0.01, momentum=0.9))
    assert step(network, x, y, 0.01) == pytest.approx(loss, rel=1e-4)
    assert [f.experimental_get_tracing_count() for f in (network.step, network.infer)] == [1, 1]


def test_what_differs_in_more_than_channel_counts_is_told_apart() -> None:
    def model(strides: int = 1, merge: Any = keras.layers.Add, trainable: bool = True, reshape: int = 8) -> Any:
        inputs = keras.Input(SHAPE, name="i")
        x = keras.layers.Conv2D(4, 3, padding="same", name="a", trainable=trainable)(inputs)
        y = keras.layers.Conv2D(4, 3, strides=strides, padding="same", name="b")(x)
        x = keras.layers.GlobalAveragePooling2D(name="g")(merge(name="m")([x, y]) if strides == 1 else y)
        x = keras.layers.Dense(8, name="c")(x)
        x = keras.layers.Reshape((reshape, 8 // reshape), name="r")(x)
        return signature(keras.Model(inputs, keras.layers.Dense(3, name="d")(keras.layers.Flatten(name="f")(x))))

    texts = [model(), model(2), model(merge=keras.layers.Multiply), model(trainable=False), model(reshape=4)]
    assert len(set(texts)) == 5
    assert model() == texts[0]


def test_a_model_with_weights_of_other_kinds_shares_nothing() -> None:
    assert signature(variety()) is None
    assert signature(conv_model()) is not None


@pytest.mark.parametrize("precision", ["mixed_bfloat16", "mixed_float16"])
def test_mixed_precision_computes_nearly_the_same_and_keeps_weights_in_float32(precision: str) -> None:
    model = randomized(conv_model())
    model.get_layer(index=-2).rate = 0.0
    exact, mixed = network_of(model), network_of(model, precision=precision)
    x, y = images(model, 32)
    np.testing.assert_allclose(mixed.infer(x).numpy(), exact.infer(x).numpy(), atol=0.02)
    assert (mixed.infer(x).numpy() != exact.infer(x).numpy()).any()
    for _ in range(3):
        assert step(mixed, x, y, 0.1) == pytest.approx(step(exact, x, y, 0.1), rel=0.02)
    assert all(weight.variable.dtype == np.float32 for weight in mixed._weights)


def test_float16_skips_a_step_that_overflows_and_halves_its_scale() -> None:
    model = conv_model()
    network, (x, y) = network_of(model, precision="mixed_float16"), images(model)
    before, (scale,) = model.get_weights(), network._scale.variables
    assert float(scale) == 2.0**15
    step(network, np.full_like(x, 6e4), y, 0.1)
    assert float(scale) == 2.0**14
    network.unload(model)
    np.testing.assert_array_equal(model.trainable_variables[0].numpy(), before[0])


def test_xla_computes_the_same() -> None:
    model = randomized(conv_model())
    model.get_layer(index=-2).rate = 0.0
    plain, compiled = network_of(model), network_of(model, jit_compile=True)
    x, y = images(model)
    assert step(compiled, x, y, 0.1) == pytest.approx(step(plain, x, y, 0.1), rel=1e-5)
    np.testing.assert_allclose(compiled.infer(x).numpy(), plain.infer(x).numpy(), rtol=1e-4, atol=1e-6)


def test_the_caller_s_model_is_not_touched() -> None:
    model = conv_model()
    before = model.get_weights()
    network, (x, y) = network_of(model), images(model)
    step(network, x, y, 0.5)
    network.observe(x, 1.0)
    for weight, old in zip(model.get_weights(), before, strict=True):
        np.testing.assert_array_equal(weight, old)


def test_without_distillation_the_soft_labels_are_not_read() -> None:
    loss = TrainingLoss(Classification().loss(conv_model()), Classification())
    outputs = tf.constant([[0.2, 0.3, 0.5]])
    assert float(loss(tf.constant([2]), outputs, tf.zeros((1, 0)))) == pytest.approx(-np.log(0.5))


class Shuffle(keras.layers.Layer):  # type: ignore[misc]
    """A user's own layer that has to know the number of its channels."""

    def call(self, inputs: Any) -> Any:
        _, height, width, channels = inputs.shape
        x = keras.ops.reshape(inputs, (-1, height, width, 2, channels // 2))
        return keras.ops.reshape(keras.ops.transpose(x, (0, 1, 2, 4, 3)), (-1, height, width, channels))

    def compute_output_shape(self, input_shape: Any) -> Any:
        return input_shape


@pytest.mark.parametrize(
    "block",
    [
        lambda x: x * 2.0 + 1.0,
        lambda x: keras.ops.relu(x),
        lambda x: Shuffle()(x),
        lambda x: keras.layers.GroupNormalization(2, center=False, scale=False)(x),
        lambda x: keras.layers.ActivityRegularization(l2=0.1)(x),
    ],
    ids=["arithmetic", "operation", "shuffle", "groups", "activity"],
)
@pytest.mark.parametrize("precision", ["float32", "mixed_bfloat16"])
def test_what_has_no_stand_in_is_computed_as_keras_does(block: Any, precision: str) -> None:
    keras.utils.set_random_seed(0)
    inputs = keras.Input(SHAPE)
    x = block(keras.layers.Conv2D(4, 2)(inputs))
    model = keras.Model(inputs, keras.layers.Dense(CLASSES)(keras.layers.GlobalAveragePooling2D()(x)))
    network, (batch, labels) = network_of(model, precision=precision), images(model, 16)
    tolerance = {"rtol": 1e-4, "atol": 1e-5} if precision == "float32" else {"atol": 0.05}
    np.testing.assert_allclose(network.infer(batch).numpy(), model(batch).numpy(), **tolerance)
    loss, _ = keras_step(model, batch, labels, keras.optimizers.SGD(0.01, momentum=0.9))
    assert step(network, batch, labels, 0.01) == pytest.approx(loss, rel=1e-4 if precision == "float32" else 0.03)


@pytest.mark.parametrize("first", [keras.layers.Normalization, keras.layers.BatchNormalization])
def test_inputs_are_read_exactly_in_any_precision(first: Any) -> None:
    """In 16 bits 1000.5 and 1001.5 are one number; behind the first kernel, values are rounded."""
    mean = {"mean": 1000.0, "variance": 1.0} if first is keras.layers.Normalization else {}
    middle = [first(**mean, name="first"), keras.layers.Conv2D(4, 2), keras.layers.GlobalAveragePooling2D()]
    model = keras.Sequential([keras.Input(SHAPE), *middle, keras.layers.Dense(CLASSES)])
    if not mean:
        model.get_layer("first").moving_mean.assign([1000.0] * SHAPE[-1])
    batch = 1000 + np.random.default_rng(0).normal(size=(8, *SHAPE)).astype(np.float32)
    made = network_of(model, precision="mixed_bfloat16").infer(batch).numpy()
    np.testing.assert_allclose(made, model(batch).numpy(), atol=0.02)
    assert (made != model(batch).numpy()).any()


@pytest.mark.parametrize("policy", ["float16", "bfloat16"])
def test_models_of_one_low_precision_are_taken(policy: str) -> None:
    keras.config.set_dtype_policy(policy)
    try:
        model = conv_model()
    finally:
        keras.config.set_dtype_policy("float32")
    x, y = images(model)
    network = network_of(model)
    np.testing.assert_allclose(network.infer(x).numpy(), np.asarray(model(x), np.float32), atol=0.02)
    assert np.isfinite(step(network, x, y, 0.1))


def test_an_overflow_of_one_candidate_is_forgotten_with_it() -> None:
    model = conv_model()
    network, (x, y) = network_of(model, precision="mixed_float16"), images(model)
    step(network, np.full_like(x, 6e4), y, 0.1)
    network.load(model, seed=0)
    assert float(network._scale.variables[0]) == 2.0**15


def test_a_sure_mistake_still_teaches() -> None:
    """Keras takes the logits behind a softmax, whose gradient is whole where the probability is none at all."""
    inputs = keras.Input((1,))
    logits = keras.layers.Dense(2, "softmax", name="head", kernel_initializer="zeros", bias_initializer="zeros")
    model = keras.Model(inputs, logits(inputs))
    model.get_layer("head").bias.assign([300.0, -300.0])
    network = network_of(model, update_rule(KerasClass("SGD")))
    batch = np.ones((1, 1), np.float32), np.array([1]), np.empty((1, 0), np.float32), np.float32(1.0)
    assert float(network.step(*map(tf.convert_to_tensor, batch))) == pytest.approx(600)
    network.unload(model)
    np.testing.assert_allclose(model.get_layer("head").bias, [299, -299], rtol=1e-6)
