import keras
from keras import layers

from compress.graph.analysis import analyse
from compress.parameters import CompressionParameters
from compress.recipe import apply_parameters
from objectives.cost.memory import call_order


def branches():
    """Keras calls both branches in turn, by their distance to the output."""
    inputs = keras.Input((4, 4, 8), name="image")
    main = layers.Conv2D(8, 1, name="main_2")(layers.Conv2D(8, 1, name="main_1")(inputs))
    side = layers.Conv2D(8, 1, name="side_2")(layers.Conv2D(8, 1, name="side_1")(inputs))
    return keras.Model(inputs, layers.Add(name="add")([main, side]))


def names(model):
    graph = analyse(model)
    return [graph.nodes[index].layer for index in call_order(graph)]


def test_every_branch_is_called_whole():
    assert names(branches()) == ["image", "main_1", "main_2", "side_1", "side_2", "add"]


def test_a_decomposed_layer_takes_its_place():
    built = apply_parameters(branches(), CompressionParameters({}, {"side_1": (2, 2), "main_2": (1, 1)}))
    chains = {name: [f"{name}_tucker_{i}" for i in range(3)] for name in ("side_1", "main_2")}
    assert names(built) == ["image", "main_1", *chains["main_2"], *chains["side_1"], "side_2", "add"]
