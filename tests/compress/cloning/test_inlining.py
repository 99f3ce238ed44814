"""Models inside models."""

import keras
import numpy as np
from keras import layers

from compress.cloning.inlining import inlined
from compress.cloning.walk import as_functional
from tests.compress.fixtures.models import block, conv, head, images, outputs, randomized
from tests.compress.fixtures.oracles import checked_prune
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
