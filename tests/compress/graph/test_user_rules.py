"""Layers of the user's own with a rule: pruned like Keras's, and named where the rule does not fit."""

import keras
import pytest
from keras import layers

import compress
from compress.cloning.user_rules import has_rule
from compress.graph.analysis import analyse
from compress.parameters import CompressionParameters
from compress.pruning.pruning import prune
from objectives.cost.cost_model import CostModel
from tests.compress.fixtures.models import randomized, with_layer
from tests.compress.fixtures.oracles import checked_prune
from tests.compress.fixtures.user_layers import Affine, LayerScale, Scaled, Standardized, Strict

NONE = CompressionParameters.none()


@pytest.mark.parametrize(
    ("layer", "shapes"),
    [
        (lambda: Scaled(0.5, name="own"), []),
        (lambda: Strict(name="own"), []),
        (lambda: LayerScale(0.1, name="own"), [(1, 1, 4)]),
        (lambda: Affine(8, name="own"), [(4,), (4,)]),
        (lambda: Affine(8, center=False, name="own"), [(4,)]),
        (lambda: Standardized(name="own"), [(4,), (4,), ()]),
        (lambda: layers.TimeDistributed(LayerScale(0.1), name="own"), [(1, 1, 4)]),
    ],
    ids=["pass-through", "sized", "scale", "configured", "optional", "statistics", "over time"],
)
def test_a_layer_with_a_rule_is_pruned(layer, shapes):
    graph, small = checked_prune(with_layer(layer()), {"before": 0.5, "after": 0.5})
    assert [group.name for group in graph.groups] == ["before", "after", "last"]
    assert [tuple(weight.shape) for weight in small.get_layer("own").weights] == shapes
    assert CostModel(graph).uncounted == ()
    assert CostModel(graph).cost(CompressionParameters({"before": 0.5, "after": 0.5}, {})) == CostModel(
        analyse(small)
    ).cost(NONE)


def test_a_smaller_copy_trains_the_weights_that_the_layer_does():
    model = with_layer(LayerScale(0.1, name="own"))
    model.get_layer("own").trainable = False
    own = prune(randomized(model), {"before": 0.5}).get_layer("own")
    assert (own.trainable_weights, own.trainable, own.first) == ([], False, 0.1)
    own.trainable = True
    assert own.trainable_weights == [own.gamma]


def test_a_rule_is_for_exactly_its_class():
    class Other(LayerScale):
        pass

    assert has_rule(LayerScale(0.1)) and not has_rule(Other(0.1))
    (reason,) = {item.reason for item in analyse(with_layer(Other(0.1, name="own"))).excluded if item.name == "before"}
    assert reason.startswith("it touches 'own' (Other), whose effect on channels is not known")


class Offset(keras.layers.Layer):
    """A shift by one weight of the shape that it is given."""

    def __init__(self, shape, **options):
        super().__init__(**options)
        self.shape = shape

    def build(self, shape):
        self.offset = self.add_weight(shape=self.shape, name="offset")

    def call(self, inputs):
        return inputs + self.offset


@pytest.mark.parametrize(
    ("weights", "message"),
    [
        (
            {},
            r"'own' \(Offset\): expected only weights that its rule names, received 'own/offset' of shape \(8,\); add",
        ),
        ({"offset": (), "beta": ("out",)}, r"'own' \(Offset\): expected the weight 'beta' that its rule names"),
        ({"offset": ("out", None)}, r"'own' \(Offset\): expected at most 1 axes of 'offset' in its rule, received"),
    ],
)
def test_weights_that_the_rule_does_not_fit_are_named(weights, message):
    compress.rule(Offset, weights=weights)
    with pytest.raises(compress.ModelError, match=message):
        analyse(with_layer(Offset((8,), name="own")))


def test_weights_of_other_sizes_leave_the_layer_whole():
    compress.rule(Offset, weights={"offset": ("out",)})
    excluded = {item.name: item.reason for item in analyse(with_layer(Offset((1,), name="own"))).excluded}
    assert excluded["before"] == "the rule for 'own' (Offset) names other channels than its weights or its output have"


@pytest.mark.parametrize(
    ("size", "message"),
    [
        (None, r"its weight 'offset' should have the shape \(4,\), and has \(8,\); make its weights in build\(\)"),
        ("width", r"its get_config\(\) should have 8 channels as 'width', and has None"),
    ],
)
def test_a_copy_that_cannot_be_made_says_what_is_missing(size, message):
    compress.rule(Offset, weights={"offset": ("out",)}, size=size)
    with pytest.raises(compress.ModelError, match=rf"layer 'own' \(Offset\) cannot be made with 4 channels: {message}"):
        prune(with_layer(Offset((8,), name="own")), {"before": 0.5})


class Sized(keras.layers.Layer):
    """Works on so many channels only."""

    def __init__(self, channels, strict=False, **options):
        super().__init__(**options)
        self.channels, self.strict = channels, strict

    def call(self, inputs):
        if self.strict and inputs.shape[-1] != self.channels:
            raise ValueError("too few channels")
        return keras.ops.reshape(inputs, (-1, *inputs.shape[1:-1], self.channels))


@pytest.mark.parametrize(
    ("strict", "message"),
    [(False, r"it makes \(None, 6, 6, 8\) of \(None, 6, 6, 4\)"), (True, "too few channels")],
)
def test_a_copy_that_computes_with_other_channels_is_refused(strict, message):
    compress.rule(Sized)
    with pytest.raises(compress.ModelError, match=rf"layer 'own' \(Sized\) cannot be made with 4 channels: {message}"):
        prune(with_layer(Sized(8, strict, name="own")), {"before": 0.5})


def test_what_cannot_have_a_rule_is_refused():
    with pytest.raises(compress.ModelError, match="expected a layer class of your own, received Dense, which is Keras"):
        compress.rule(layers.Dense)
    with pytest.raises(compress.ModelError, match="expected a class of keras.layers.Layer, received <function"):
        compress.rule(lambda x: x)
    with pytest.raises(compress.ModelError, match="weight 'offset': expected axes of 'out' or None"):
        compress.rule(Offset, weights={"offset": ("in",)})
