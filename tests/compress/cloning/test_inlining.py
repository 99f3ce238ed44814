"""Models inside models."""

import keras
import numpy as np
import pytest
from keras import layers

from compress.cloning.inlining import inlined
from compress.cloning.walk import as_functional
from compress.graph.analysis import analyse
from compress.parameters import CompressionParameters
from compress.recipe import apply_parameters
from tests.compress.fixtures.models import block, conv, head, images, outputs, randomized
from tests.compress.fixtures.oracles import assert_same_outputs, checked_prune
from tests.compress.fixtures.user_layers import Scaled


def backbone(name="backbone"):
    inputs = keras.Input((6, 6, 3))
    return keras.Model(inputs, block(block(inputs, "a", 8), "b", 6), name=name)


def on_top(base, **arguments):
    inputs = keras.Input((6, 6, 3), name="image")
    return keras.Model(inputs, head(conv(base(inputs, **arguments), "c", 5)))


def test_a_model_without_models_is_itself():
    model = backbone()
    assert inlined(model) is model


def test_the_flat_copy_computes_the_same_and_shares_nothing():
    model = randomized(on_top(backbone()))
    nodes = [len(layer._inbound_nodes) for layer in model.get_layer("backbone").layers]
    flat = as_functional(model)
    assert [layer.name for layer in flat.layers if isinstance(layer, layers.Conv2D)] == ["a", "b", "c"]
    np.testing.assert_array_equal(outputs(flat, images(model))[0], outputs(model, images(model))[0])
    assert not {id(variable) for variable in flat.variables} & {id(variable) for variable in model.variables}
    assert [len(layer._inbound_nodes) for layer in model.get_layer("backbone").layers] == nodes


def test_names_are_prefixed_only_where_they_collide():
    first, second = backbone("first"), backbone("second")
    inputs = keras.Input((6, 6, 3))
    x = layers.Concatenate()([first(inputs), second(inputs), conv(inputs, "a", 4)])
    names = [layer.name for layer in as_functional(keras.Model(inputs, head(conv(x, "c", 5)))).layers]
    assert {"a", "first.a", "second.a", "first.b", "second.b", "c"} <= set(names)


def test_groups_reach_through_nested_and_shared_models():
    base = backbone()
    inputs = [keras.Input((6, 6, 3)), keras.Input((6, 6, 3))]
    x = layers.Add(name="add")([base(inputs[0]), conv(base(inputs[1]), "d", 6)])
    graph, small = checked_prune(keras.Model(inputs, head(keras.Sequential([layers.Conv2D(5, 1, name="e")])(x))))
    assert [sorted(group.layers) for group in graph.groups] == [["a"], ["b", "d"], ["e"]]
    assert len(small.get_layer("a")._inbound_nodes) == 2


def test_several_outputs_of_a_nested_model():
    inputs = keras.Input((6, 6, 3))
    x = block(inputs, "a", 8)
    base = keras.Model(inputs, {"early": x, "late": block(x, "b", 6)}, name="base")
    outer = keras.Input((6, 6, 3))
    features = base(outer)
    x = layers.Concatenate()([features["late"], conv(features["early"], "c", 4)])
    graph, _ = checked_prune(keras.Model(outer, head(x)))
    assert [group.name for group in graph.groups] == ["a", "b", "c"]


def test_inputs_of_a_nested_model_go_by_name():
    left, right = keras.Input((6, 6, 3), name="left"), keras.Input((6, 6, 3), name="right")
    made = {"first": conv(left, "a", 4), "second": conv(right, "b", 5)}
    base = keras.Model({"right": right, "left": left}, made, name="base")
    inputs = [keras.Input((6, 6, 3)), keras.Input((6, 6, 3))]
    features = base({"left": inputs[1], "right": inputs[0]})
    model = randomized(keras.Model(inputs, [head(features["first"]), features["second"]]))
    for got, wanted in zip(outputs(as_functional(model), images(model)), outputs(model, images(model)), strict=True):
        np.testing.assert_array_equal(got, wanted)


def two_inputs(made_with, called_with):
    """A nested model with inputs 'p' and 'a', made with and called with the structures that two functions give."""
    inner = {"p": keras.Input((6, 6, 3), name="p"), "a": keras.Input((6, 6, 3), name="a")}
    base = keras.Model(
        made_with(inner), conv(inner["p"], "first", 4) + 2.0 * conv(inner["a"], "second", 4), name="base"
    )
    inputs = {name: keras.Input((6, 6, 3), name=f"outer_{name}") for name in ("p", "a", "b")}
    return keras.Model(list(inputs.values()), [head(base(called_with(inputs))), conv(inputs["b"], "rest", 2)])


def in_order(tensors):
    return [tensors["p"], tensors["a"]]


def without_b(tensors):
    return {"p": tensors["p"], "a": tensors["a"]}


@pytest.mark.parametrize(
    ("made_with", "called_with"),
    [
        (in_order, without_b),
        (in_order, dict),
        (lambda tensors: tuple(in_order(tensors)), without_b),
        (in_order, in_order),
        (without_b, without_b),
    ],
    ids=["list by dict", "list by larger dict", "tuple by dict", "list by list", "dict by dict"],
)
def test_inputs_of_a_nested_model_go_where_keras_puts_them(made_with, called_with):
    model = randomized(two_inputs(made_with, called_with))
    assert_same_outputs(as_functional(model), model, tolerance=1e-6)


@pytest.mark.filterwarnings("ignore:The structure of")  # Keras warns of a dict for a single tensor, and takes it.
def test_a_single_input_of_a_nested_model_goes_by_name():
    inner = keras.Input((6, 6, 3), name="p")
    base = keras.Model(inner, conv(inner, "inner", 4), name="base")
    inputs = [keras.Input((6, 6, 3)), keras.Input((6, 6, 3))]
    model = randomized(keras.Model(inputs, [head(base({"a": inputs[0], "p": inputs[1]})), conv(inputs[0], "rest", 2)]))
    assert_same_outputs(as_functional(model), model, tolerance=1e-6)


def casting(given, wanted, factor):
    """A nested model of numbers that only the type of its input holds: 0 - 127 in uint8, 1e5 in float16."""
    inner = keras.Input((6, 6, 3), dtype=wanted)
    base = keras.Model(inner, conv(inner * factor - 127, "inner", 4), name="base")
    inputs = keras.Input((6, 6, 3), dtype=given)
    return keras.Model(inputs, head(layers.Concatenate()([base(inputs), base(inputs)])))


@pytest.mark.parametrize(("given", "factor"), [("uint8", 1), ("int32", 1), ("float16", 1e5)])
def test_nested_models_get_the_type_of_their_inputs(given, factor, tmp_path):
    model = randomized(casting(given, "float32", factor))
    x = np.random.default_rng(0).integers(0, 255, (2, 6, 6, 3)).astype(given)
    wanted = outputs(model, x)[0]
    small = apply_parameters(model, CompressionParameters({}, {}))
    small.save(tmp_path / "model.keras")
    for copy in (as_functional(model), small, keras.saving.load_model(tmp_path / "model.keras")):
        assert outputs(copy, x)[0].dtype == wanted.dtype
        np.testing.assert_allclose(outputs(copy, x)[0], wanted, rtol=1e-5)
    assert [group.name for group in analyse(as_functional(model)).groups] == ["inner"]
    names = [layer.name for layer in as_functional(model).operations if type(layer).__name__ == "Cast"]
    assert sorted(names) == ["base.cast", "base.cast_1"]


def test_models_without_casts_get_none():
    flat = as_functional(on_top(backbone()))
    assert not [operation for operation in flat.operations if type(operation).__name__ == "Cast"]


@pytest.mark.parametrize(("given", "wanted"), [((), (1,)), ((4, 1), (4,))])
def test_nested_models_get_the_axes_of_their_inputs(given, wanted):
    inner = keras.Input(wanted)
    base = keras.Model(inner, layers.Dense(3, name="inner")(inner), name="base")
    inputs = keras.Input(given)
    model = randomized(keras.Model(inputs, base(inputs)))
    assert_same_outputs(as_functional(model), model, tolerance=1e-6)


def test_frozen_models_stay_frozen_and_in_inference_mode():
    base = backbone()
    base.trainable = False
    flat = as_functional(on_top(base, training=False))
    assert {layer.name for layer in flat.layers if layer.trainable_weights} == {"c", "linear"}
    assert flat.get_layer("a.bn")._inbound_nodes[0].arguments.kwargs["training"] is False


class Outer(keras.Model):
    """A subclassed model that computes with a weight of its own: what it does cannot be read."""

    def __init__(self):
        super().__init__(name="outer")
        self.inner = layers.Conv2D(8, 1, name="inner")
        self.gain = self.add_weight(shape=(), name="gain")

    def call(self, inputs):
        return self.inner(inputs) * self.gain

    def get_config(self):
        return {}

    @classmethod
    def from_config(cls, config):
        return cls()


def test_subclassed_models_that_stay_one_are_named():
    inputs = keras.Input((6, 6, 3))
    x = conv(Outer()(Scaled()(conv(inputs, "a", 4))), "b", 5)
    graph, _ = checked_prune(keras.Model(inputs, head(x)))
    assert [group.name for group in graph.groups] == ["b"]
    reasons = {item.name: item.reason for item in graph.excluded}
    assert reasons["a"].startswith("it touches 'outer' (Outer), whose effect on channels is not known: its call uses")
