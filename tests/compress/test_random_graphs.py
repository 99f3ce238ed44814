"""Randomly built graphs: pruned models compute what they must, and cost what was foretold."""

from typing import get_args

import keras
import numpy as np
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from keras import layers

from compress.analysis import analyse
from compress.channel_step import ChannelStep, Rounding
from compress.parameters import CompressionParameters
from compress.pruning import prune
from compress.pruning_settings import PruningSettings
from compress.recipe import apply_parameters
from objectives.cost import CostModel
from tests.compress.models import randomized
from tests.compress.oracles import assert_same_outputs, kept_slots, unread, zeroed_in_place

RATIOS = st.sampled_from([0.0, 0.2, 0.5, 0.75, 0.9])
STEPS = ("conv", "pointwise", "bn", "relu", "depthwise", "add", "concat", "pool", "shared")
ENDS = ("gap", "flatten", "hidden")


class Builder:
    """Grows a graph on 4x4 images: each step reads one or two of the tensors so far."""

    def __init__(self, draw):
        self.draw = draw
        self.inputs = keras.Input((4, 4, 2))
        self.tensors = [self.inputs]
        self.shared = None

    def pick(self, tensors=None):
        return self.draw(st.sampled_from(self.tensors if tensors is None else tensors))

    def width(self):
        return self.draw(st.integers(1, 5))

    def conv(self, x, size, width):
        bias, stride = self.draw(st.booleans()), self.draw(st.integers(1, 2)) if x.shape[1] > 2 else 1
        return layers.Conv2D(width, size, stride, padding="same", use_bias=bias)(x)

    def alike(self, x, *, channels):
        """A tensor that may be joined with x, made by a convolution where there is none."""
        axes = (1, 2, 3) if channels else (1, 2)
        found = [t for t in self.tensors if t is not x and all(t.shape[axis] == x.shape[axis] for axis in axes)]
        made = layers.Conv2D(x.shape[-1] if channels else self.width(), 1)(x)
        return self.pick([*found, made])

    def step(self, kind):
        x = self.pick()
        match kind:
            case "conv":
                return self.conv(x, 3, self.width())
            case "pointwise":
                return self.conv(x, 1, self.width())
            case "bn":
                return layers.BatchNormalization(scale=self.draw(st.booleans()))(x)
            case "relu":
                return layers.ReLU()(x)
            case "depthwise":
                return layers.DepthwiseConv2D(3, padding="same", depth_multiplier=self.draw(st.integers(1, 2)))(x)
            case "add":
                return layers.Add()([x, self.alike(x, channels=True)])
            case "concat":
                return layers.Concatenate()([x, self.alike(x, channels=False)])
            case "pool":
                return (layers.MaxPooling2D if self.draw(st.booleans()) else layers.AveragePooling2D)(
                    2, padding="same"
                )(x)
            case "shared":
                self.shared = self.shared or layers.Conv2D(3, 1)
                return self.shared(layers.Conv2D(3, 1)(x))

    def finish(self):
        ends = []
        for x in self.tensors[-2:]:
            kind = self.draw(st.sampled_from(ENDS))
            y = layers.GlobalAveragePooling2D()(x) if kind == "gap" else layers.Flatten()(x)
            ends.append(layers.Dense(self.width(), activation="relu")(y) if kind == "hidden" else y)
        return keras.Model(self.inputs, layers.Dense(2)(layers.Concatenate()(ends)))


def drawn_model(draw):
    builder = Builder(draw)
    for kind in draw(st.lists(st.sampled_from(STEPS), min_size=3, max_size=8)):
        builder.tensors.append(builder.step(kind))
    return randomized(builder.finish(), seed=draw(st.integers(0, 9)))


@given(st.data())
@settings(max_examples=30, suppress_health_check=list(HealthCheck))
def test_any_graph(data):
    model = drawn_model(data.draw)
    graph = analyse(model)
    ratios = {group.name: data.draw(RATIOS, label=group.name) for group in graph.groups}
    step = data.draw(st.builds(ChannelStep, st.integers(1, 3), st.sampled_from(get_args(Rounding))))
    small = prune(model, ratios)
    kept = kept_slots(model, graph, ratios)
    assert_same_outputs(small, unread(model, graph, kept))
    assert_same_outputs(small, zeroed_in_place(model, graph, kept))
    check_cost(model, graph, CompressionParameters(ratios, {}), step)
    check_cost(model, graph, CompressionParameters(ratios, drawn_ranks(data, graph, ratios, step)), step)


def drawn_ranks(data, graph, ratios, step):
    """Ranks of some convolutions, within what pruning leaves."""
    counts = CostModel(graph).counts
    kept = counts.kept_blocks(ratios, step)
    ranks = {}
    for layer in graph.decomposable:
        site = graph.site(layer.layer)
        left = [counts.count(slots, kept) for slots in (site.inputs[0], site.output)]
        if data.draw(st.booleans()):
            ranks[layer.layer] = tuple(data.draw(st.integers(1, channels)) for channels in left)
    return ranks


def check_cost(model, graph, parameters, step):
    """The cost that is told from the parameters is the built model's own, in either order of the stages."""
    expected = CostModel(graph).cost(parameters, step)
    for recipe in (("prune", "decompose"), ("decompose", "prune")):
        built = apply_parameters(model, parameters, recipe, pruning=PruningSettings(step=step))
        assert CostModel(analyse(built)).cost(CompressionParameters.none()) == expected
        assert sum(int(np.prod(weight.shape)) for weight in built.trainable_weights) == expected.params
        assert 4 * sum(int(np.prod(weight.shape)) for weight in built.weights) == expected.bytes
