"""Peak activation memory, by hand and against a simulation of built models."""

import math

import keras
import numpy as np
import pytest
from keras import layers

from compress.cloning.walk import as_functional
from compress.graph.analysis import analyse
from compress.parameters import CompressionParameters
from compress.recipe import apply_parameters
from objectives.cost.cost_model import CostModel
from objectives.cost.memory import PeakMemory
from scripts.bench.objectives.random_candidate import random_candidate
from tests.compress.fixtures import models
from tests.compress.graph.graph_steps import STEPS
from tests.compress.graph.random_graph import Decks, RandomGraph
from tests.objectives.cost.test_cost import tiny
from tests.objectives.thin_models import thin_model
from tests.zoo.originals import analysed

pytestmark = pytest.mark.usefixtures("factors_of_ones")

NONE = CompressionParameters.none()


def by_layer(model, parameters=NONE):
    graph = analyse(model)
    return PeakMemory(graph).by_layer(*CostModel(graph).candidate(parameters))


def peak(model, parameters=NONE):
    return peak_of(analyse(model), parameters)


def peak_of(graph, parameters=NONE):
    memory, candidate = PeakMemory(graph), CostModel(graph).candidate(parameters)
    (result,) = memory.evaluate(*candidate)
    assert result == max(memory.by_layer(*candidate).values())
    return result


def simulated(model):
    """The same by sets of tensors of a Keras model: every branch whole before the next, freed after the last use."""
    calls, done = [], set()

    def call(tensor):
        operation, node, _ = tensor._keras_history
        node = operation._inbound_nodes[node]
        if id(node) in done:
            return
        done.add(id(node))
        for given in node.input_tensors:
            call(given)
        calls.append(node)

    for output in model.outputs:
        call(output)
    most = 0
    for position in range(len(calls)):
        made = {id(tensor): tensor for node in calls[: position + 1] for tensor in node.outputs}
        made |= {id(tensor): tensor for tensor in model.inputs}
        needed = {id(tensor) for node in calls[position:] for tensor in node.input_tensors}
        needed |= {id(tensor) for tensor in (*model.outputs, *calls[position].outputs)}
        most = max(most, sum(4 * math.prod(made[key].shape[1:]) for key in made.keys() & needed))
    return most


def test_of_a_tiny_model_by_hand():
    # Bytes: input 8*8*3*4 = 768; conv1, bn1, relu 8*8*8*4 = 2048 each; pool 4*4*8*4 = 512; conv2 2*2*10*4 = 160;
    # avgpool 40; linear 20. A call needs its input and its output; nothing else is alive.
    result = by_layer(tiny())
    expected = {"conv1": 768 + 2048, "bn1": 4096, "pool": 2560, "conv2": 512 + 160, "avgpool": 200, "linear": 60}
    assert {name: result[name] for name in expected} == expected
    assert peak(tiny()) == 4096


def test_of_a_tiny_pruned_and_decomposed_model_by_hand():
    # conv1 keeps 4, conv2 7 channels: conv1 8*8*4*4 = 1024, pool 256, conv2 2*2*7*4 = 112, avgpool 28.
    # conv2 at ranks (3, 2): 4*4*3*4 = 192 between the first and the second, 2*2*2*4 = 32 after it.
    # -> 256 + 192 = 448, then 192 + 32, then 32 + 112.
    parameters = CompressionParameters({"conv1": 0.5, "conv2": 0.3}, {"conv2": (3, 2)})
    result = by_layer(tiny(), parameters)
    expected = {"conv1": 768 + 1024, "bn1": 2048, "pool": 1280, "conv2": 448, "avgpool": 140, "linear": 48}
    assert {name: result[name] for name in expected} == expected
    assert peak(tiny(), parameters) == 2048


def residual(shortcut_first=False):
    inputs = keras.Input((4, 4, 2))
    a = layers.Conv2D(6, 1, name="a")(inputs)
    b = layers.Conv2D(10, 1, name="b")(a)
    c = layers.Conv2D(6, 1, name="c")(b)
    return keras.Model(inputs, layers.Add(name="add")([a, c] if shortcut_first else [c, a]))


@pytest.mark.parametrize("shortcut_first", [False, True])
def test_a_branch_stays_alive_by_hand(shortcut_first):
    # 64 bytes per channel: input 128, a 384, b 640, c 384, add 384; a is alive until the addition.
    result = by_layer(residual(shortcut_first))
    assert [result[name] for name in "abc"] == [128 + 384, 384 + 640, 384 + 640 + 384]
    assert result["add"] == 3 * 384
    assert peak(residual(shortcut_first)) == 1408


@pytest.mark.parametrize(
    ("ranks", "layer", "expected"),
    [
        # c at (4, 1): its input goes after the first: 384 + 640 + 256, then 384 + 256 + 64, then 384 + 64 + 384.
        ({"c": (4, 1)}, "c", 1280),
        # c at (1, 6): 384 + 640 + 64, then 384 + 64 + 384, then 384 + 384 + 384.
        ({"c": (1, 6)}, "c", 1152),
        # b at (1, 2): its input stays alive: 384 + 64, then 384 + 64 + 128, then 384 + 128 + 640.
        ({"b": (1, 2)}, "b", 1152),
        # b at (6, 6): 384 + 384, then 384 + 384 + 384, then 384 + 384 + 640: more than the layer as a whole.
        ({"b": (6, 6)}, "b", 1408),
    ],
)
def test_a_decomposed_layer_is_three_calls(ranks, layer, expected):
    parameters = CompressionParameters({}, ranks)
    assert by_layer(residual(), parameters)[layer] == expected
    assert peak(residual(), parameters) == peak(apply_parameters(residual(), parameters))


def test_the_tensor_behind_the_strides_of_a_decomposed_layer_by_hand():
    inputs = keras.Input((4, 4, 8))
    strided = keras.Model(inputs, layers.Conv2D(40, 3, strides=2, padding="same", name="c")(inputs))
    # Input 512, output 2*2*40*4 = 640. At ranks (1, 39): 512 + 64, then 64 + 2*2*39*4 = 624, then 624 + 640.
    parameters = CompressionParameters({}, {"c": (1, 39)})
    assert peak(strided, parameters) == peak(apply_parameters(strided, parameters)) == 624 + 640


def test_a_shared_layer_counts_where_most_is_alive():
    assert peak(models.shared()) == simulated(models.shared())


def test_outputs_stay_to_the_end_and_inputs_are_there_from_the_beginning():
    first, second = keras.Input((4, 4, 1), name="first"), keras.Input((2, 2, 5), name="second")
    a = layers.Conv2D(3, 1, name="a")(first)
    b = layers.Conv2D(2, 1, name="b")(second)
    # Bytes: first 64, second 80, a 192, b 32. a: both inputs and a; b: a stays, as it is an output.
    result = by_layer(keras.Model([first, second], [a, b]))
    assert (result["a"], result["b"]) == (64 + 80 + 192, 192 + 80 + 32)


@pytest.mark.parametrize("recipe", [("prune", "decompose"), ("decompose", "prune")], ids="-".join)
@pytest.mark.parametrize(("name", "seed"), [("digits_resnet", 0), ("resnet20", 0), ("resnet20", 1)])
def test_candidates_need_what_the_built_models_do(name, recipe, seed):
    original = thin_model(name)
    parameters = random_candidate(CostModel(analyse(original)), seed)
    built = apply_parameters(original, parameters, recipe)
    assert peak(original, parameters) == peak(built) == simulated(built)


def test_any_graph():
    decks = Decks(0)
    for seed in range(12):
        print(f"graph {seed}")
        # Flat: else each of its readers would make a flat copy of its own.
        model = as_functional(RandomGraph(decks, STEPS).model(3 + seed % 5))
        graph = analyse(model)
        assert peak_of(graph) == simulated(model)
        parameters = random_candidate(CostModel(graph), seed)
        assert peak_of(graph, parameters) == simulated(apply_parameters(model, parameters))


def test_many_candidates_at_once():
    graph = analysed("digits_resnet")
    cost, memory = CostModel(graph), PeakMemory(graph)
    candidates = [cost.candidate(random_candidate(cost, seed)) for seed in range(20)]
    kept, ranks = (np.concatenate(arrays) for arrays in zip(*candidates, strict=True))
    result = memory.evaluate(kept, ranks)
    assert result.tolist() == [max(memory.by_layer(*candidate).values()) for candidate in candidates]
    assert len(set(result.tolist())) > 10


def test_layers_without_a_fixed_size_are_named():
    inputs = keras.Input((None, None, 3), name="image")
    x = layers.Conv2D(4, 1, name="conv")(layers.Resizing(4, 4)(inputs))
    memory = PeakMemory(analyse(keras.Model(inputs, x)))
    assert memory.unsized == ("image",)
    assert PeakMemory(analyse(tiny())).unsized == ()
