"""Arithmetic written as keras.ops: what is pruned, and that the result computes what it must."""

import keras
import numpy as np
import pytest
from keras import layers, ops

from compress.graph.rules.operations import is_elementwise
from tests.compress.fixtures.models import conv, head
from tests.compress.fixtures.oracles import checked_prune

CONSTANT = np.linspace(0.5, 1.5, 8).astype(np.float32)


def pruned(build, shape=(6, 6, 3), ratios=None):
    """Prune a model that applies ``build`` to the 8 channels of a convolution."""
    inputs = keras.Input(shape)
    made = build(conv(inputs, "before", 8))
    return checked_prune(keras.Model(inputs, head(conv(made, "after", 5))), ratios)


def reasons(graph):
    return {item.name: item.reason for item in graph.excluded}


@pytest.mark.parametrize(
    "build",
    [
        lambda x: 2.0 * x + 3.0,
        lambda x: 1.0 - x / 4.0,
        lambda x: x * CONSTANT,
        lambda x: ops.add(CONSTANT.reshape(1, 1, 1, 8), x),
        lambda x: x - ops.convert_to_tensor(CONSTANT),
        lambda x: x * np.ones((6, 6, 1), np.float32),
        lambda x: ops.where(x > CONSTANT, x, 0.0),
        lambda x: ops.relu(x) * ops.mean(x, axis=(1, 2), keepdims=True),
        lambda x: x * ops.mean(x, axis=(1, 2))[:, None, None, :],
        lambda x: x + ops.sum(x, axis=-1, keepdims=True),
        lambda x: ops.sum(x, axis=-1, keepdims=True) * x,
        lambda x: layers.Multiply()([conv(x, "gate", 1), x]),
        lambda x: layers.Add()([layers.GlobalMaxPooling2D()(x), x, x]),
        lambda x: ops.concatenate([x, ops.square(x)], axis=-1),
        lambda x: ops.concatenate([x, -x], axis=2),
        lambda x: ops.stack([x, ops.exp(x)], axis=1)[:, 1],
        lambda x: ops.stack([x, x], axis=-1)[..., 0],
        lambda x: ops.pad(x, ((0, 0), (1, 1), (2, 0), (0, 0)), mode="reflect"),
        lambda x: x[:, ::2, 1:-1],
        lambda x: ops.flip(x, axis=3),
        lambda x: ops.repeat(x, 3, axis=-1),
        lambda x: ops.repeat(x, 2, axis=1),
        lambda x: ops.roll(x, 1, axis=1),
        lambda x: ops.softmax(x, axis=1),
        lambda x: ops.max_pool(x, 2) + ops.average_pool(x, 2),
        lambda x: ops.image.resize(x, (3, 3)),
        lambda x: ops.transpose(ops.transpose(x, (0, 3, 1, 2)) * 2.0, (0, 2, 3, 1)),
        lambda x: ops.swapaxes(ops.swapaxes(x, 1, 3), 1, 3),
        lambda x: ops.moveaxis(ops.moveaxis(x, -1, 1), 1, -1),
        lambda x: ops.squeeze(ops.expand_dims(x, (1, 3)), (1, 3)),
        lambda x: ops.reshape(ops.reshape(x, (-1, 36, 8)), (-1, 6, 6, 8)),
        lambda x: layers.Reshape((2, 3, 6, 8))(x)[:, 0],
        lambda x: ops.add(*ops.unstack(ops.reshape(x, (-1, 2, 3, 6, 8)), axis=1)),
        lambda x: ops.cast(ops.stop_gradient(ops.clip(x, -1, 1)), "float32"),
    ],
)
def test_what_keeps_channels_apart(build):
    graph, small = pruned(build, ratios={"before": 0.5})
    assert [group.name for group in graph.groups] == ["before", "after"]
    assert small.get_layer("before").filters == 4


@pytest.mark.parametrize(
    ("build", "reason"),
    [
        (lambda x: ops.softmax(x), "(Softmax) mixes channels"),
        (lambda x: x * ops.mean(x, axis=-1, keepdims=True), "(Mean) mixes channels"),
        (lambda x: x - ops.max(x, axis=(1, 3), keepdims=True), "(Max) mixes channels"),
        (lambda x: ops.cumsum(x, axis=3), "(Cumsum) mixes channels"),
        (lambda x: ops.roll(x, 1, axis=3), "(Roll) mixes channels"),
        (lambda x: ops.pad(x, ((0, 0), (0, 0), (0, 0), (1, 0))), "pads the channels or the batch"),
        (lambda x: ops.stack(ops.unstack(x, axis=3)[:2], axis=3), "takes the channels apart"),
        (lambda x: x[..., ::2], "picks single channels"),
        (lambda x: x[..., 3][..., None], "picks single channels"),
        (lambda x: ops.repeat(x, [1, 2, 1, 1, 1, 1, 1, 1], axis=3), "repeats elements unevenly"),
        (lambda x: x + ops.transpose(x, (0, 3, 2, 1))[:, :6, :, :1], "lie along another axis"),
        (lambda x: x + keras.Variable(CONSTANT), "reads a variable that belongs to no layer"),
        (
            lambda x: ops.concatenate([x, np.ones((3, 6, 6, 2), np.float32)], axis=-1),
            "joins it with a constant",
        ),
        (lambda x: ops.concatenate([x, np.ones((3, 1, 6, 8), np.float32)], axis=1), "joins it with a constant"),
        (lambda x: ops.stack([np.ones((3, 6, 6, 8), np.float32), x], axis=1)[:, 1], "joins it with a constant"),
        (
            lambda x: layers.Concatenate(axis=1)([x, np.ones((3, 1, 6, 8), np.float32)]),
            "joins it with a constant",
        ),
        (lambda x: layers.Add()([x, np.ones((3, 6, 6, 8), np.float32)]), "joins it with a constant"),
        (lambda x: ops.matmul(x, np.eye(8, dtype="float32")), "(Matmul), whose effect on channels is not known"),
        (lambda x: ops.reshape(x, (6, 6, -1, 8)), "reshapes a tensor of no fixed size"),
        (lambda x: ops.reshape(x, (-1, 6, 6, 4)), "reshapes the batch axis"),
    ],
)
def test_what_does_not(build, reason):
    graph, _ = pruned(build)
    assert [group.name for group in graph.groups] == ["after"]
    assert reason in reasons(graph)["before"]


def test_a_constant_that_keras_may_add_along_another_axis_is_refused():
    # Of 12 channels half go, and Keras would take six numbers, one for each row, for a bias of the six channels left.
    inputs = keras.Input((6, 5, 3))
    rows = np.random.default_rng(0).normal(size=(6, 1, 1)).astype(np.float32)
    model = keras.Model(inputs, head(conv(conv(inputs, "before", 12) + rows, "after", 4)))
    graph, _ = checked_prune(model, {"after": 0.5})
    assert [group.name for group in graph.groups] == ["after"]
    assert "Keras takes it for a bias" in graph.excluded[0].reason


@pytest.mark.parametrize("shape", [(5, 4, 3), (1, 4, 3), (1, 1, 3)])
@pytest.mark.parametrize("ratio", [0.5, 0.99])
def test_squeezing_keeps_the_channels_even_if_one_is_left(shape, ratio):
    inputs = keras.Input(shape)
    x = (
        layers.GlobalAveragePooling2D(keepdims=True)(conv(inputs, "before", 8))
        if shape[1] > 1
        else conv(inputs, "before", 8)
    )
    graph, small = checked_prune(keras.Model(inputs, layers.Dense(2)(ops.squeeze(x))), {"before": ratio})
    assert small.get_layer("before").filters == (4 if ratio == 0.5 else 1)


def test_bounds_by_channel_are_refused():
    graph, _ = pruned(lambda x: ops.clip(x, [-1.0] * 8, [0.1 * i for i in range(8)]))
    assert [group.name for group in graph.groups] == ["after"]
    assert "has bounds of its own" in reasons(graph)["before"]


@pytest.mark.parametrize("function", [ops.silu, ops.leaky_relu, ops.abs, ops.log1p, ops.relu6, ops.rsqrt])
def test_elementwise_operations_as_activations(function):
    assert is_elementwise(function)


@pytest.mark.parametrize("function", [ops.softmax, ops.flip, ops.sort, ops.normalize])
def test_other_operations_as_activations_leave_a_layer_whole(function):
    graph, _ = pruned(lambda x: layers.Activation(function)(x))
    assert "before" in reasons(graph)


@pytest.mark.parametrize(
    "function",
    [
        lambda x: x / x.shape[-1],
        lambda x: x * ops.cast(ops.shape(x)[-1], x.dtype),
        lambda x: ops.clip(x, 0, x.shape[-1]),
        lambda x: layers.ReLU(max_value=x.shape[-1])(x),
    ],
    ids=["divided", "multiplied", "clipped", "relu"],
)
def test_functions_that_read_the_number_of_channels_leave_a_layer_whole(function):
    assert not is_elementwise(function)
    inputs = keras.Input((6, 6, 3))

    def activation(x):
        return function(x)

    graph, _ = checked_prune(keras.Model(inputs, head(conv(inputs, "before", 8, activation=activation))))
    assert "before" in reasons(graph)


@pytest.mark.parametrize(
    "function", [lambda x: x * ops.relu6(x + 3.0) / 6.0, lambda x: ops.clip(0.2 * x + 0.5, 0.0, 1.0)]
)
def test_functions_that_do_not_are_elementwise(function):
    assert is_elementwise(function)


@pytest.mark.parametrize("ratio", [0.5, 0.99])
@pytest.mark.parametrize("shape", [(1, 1, 6, 8), (1, 6, 1, 8), (6, 8), (1, 6, 6, 8), (6, 1, 8), (8,)], ids=str)
@pytest.mark.parametrize("swapped", [False, True])
def test_constants_of_every_shape_are_added_along_their_axes(shape, ratio, swapped):
    constant = np.random.default_rng(0).normal(size=shape).astype(np.float32)
    build = (lambda x: ops.add(constant, x)) if swapped else (lambda x: ops.add(x, constant))
    _, small = pruned(build, ratios={"before": ratio})
    assert small.get_layer("before").filters == (4 if ratio == 0.5 else 1)


def test_tensors_of_a_fixed_batch_are_added_along_their_axes():
    inputs = keras.Input(batch_shape=(1, 4, 3))
    x = layers.Conv1D(8, 3, padding="same", name="before")(inputs) + layers.Conv1D(1, 1, name="one")(inputs)
    model = keras.Model(inputs, layers.Dense(2)(layers.GlobalAveragePooling1D()(x)))
    checked_prune(model, {"before": 0.5}, np.random.default_rng(0).normal(size=(1, 4, 3)).astype(np.float32))


def test_slices_of_channels():
    def build(x):
        first, last = x[..., :3], x[:, :, :, 3:]
        return ops.concatenate([first * 2.0, last], axis=-1)

    graph, small = pruned(build, ratios={"before": 0.5})
    # Each slice keeps at least one of its own channels: 2 of 3 and 3 of 5.
    assert [block.size for block in graph.group("before").subgroups] == [3, 5]
    assert small.get_layer("before").filters == 5


@pytest.mark.parametrize("sections", [2, 4, [1, 3]])
def test_splits(sections):
    _, small = pruned(lambda x: ops.concatenate(ops.split(x, sections, axis=-1)[::-1], axis=-1), ratios={"before": 0.5})
    assert small.get_layer("before").filters < 8


def test_a_gated_linear_unit():
    def build(x):
        value, gate = ops.split(x, 2, axis=-1)
        return value * ops.sigmoid(gate)

    graph, small = pruned(build, ratios={"before": 0.5})
    assert [block.size for block in graph.group("before").subgroups] == [4]
    assert small.get_layer("before").filters == 4


@pytest.mark.skipif(not hasattr(ops, "depth_to_space"), reason="this Keras has no such operation")
def test_channels_become_positions_and_return():
    graph, small = pruned(lambda x: ops.depth_to_space(ops.space_to_depth(ops.depth_to_space(x, 2), 2), 2))
    assert [block.size for block in graph.group("before").subgroups] == [2]
    assert small.get_layer("before").filters == 4


def test_merges_of_operations_name_their_group():
    inputs = keras.Input((6, 6, 3))
    merged = conv(inputs, "a", 8) + conv(inputs, "b", 8)
    graph, _ = checked_prune(keras.Model(inputs, head(merged)))
    (group,) = graph.groups
    assert group.name == merged._keras_history.operation.name and sorted(group.layers) == ["a", "b"]


def test_names_and_arguments_of_operations_stay(tmp_path):
    _, small = pruned(lambda x: ops.split(x * CONSTANT, [3], axis=-1)[1][:, 1:, :, :2], ratios={"before": 0.5})
    small.save(tmp_path / "small.keras")
    loaded = keras.models.load_model(tmp_path / "small.keras")
    x = np.random.default_rng(0).normal(size=(2, 6, 6, 3)).astype(np.float32)
    np.testing.assert_allclose(loaded(x), small(x), rtol=1e-6)
    assert [operation.name for operation in loaded.operations] == [operation.name for operation in small.operations]
