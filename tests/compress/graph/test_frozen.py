"""Which frozen layers compression changes, and that those alone become trainable."""

import keras
import pytest

from compress.graph.analysis import analyse
from compress.graph.frozen import changeable_layers, frozen_layers, unfrozen

layers = keras.layers


def _model() -> keras.Model:
    """No channel of the input goes, so that the first normalization stays whole."""
    inputs = keras.Input((8, 8, 3))
    x = layers.BatchNormalization(name="whole")(inputs)
    x = layers.Conv2D(4, 3, padding="same", name="a")(x)
    x = layers.ReLU(name="relu")(layers.BatchNormalization(name="norm")(x))
    x = layers.Conv2D(6, 3, name="b")(x)
    return keras.Model(inputs, layers.Dense(2, name="head")(layers.Flatten()(x)))


def _trainable(model: keras.Model) -> set[str]:
    return {layer.name for layer in model.layers if layer.trainable and layer.weights}


def test_pruning_changes_what_has_channels_that_may_go() -> None:
    graph = analyse(_model())
    assert changeable_layers(graph, ("prune",)) == {"a", "norm", "b", "head"}
    assert changeable_layers(graph, ("decompose",)) == {layer.layer for layer in graph.decomposable}
    assert changeable_layers(graph, ("prune", "decompose")) == {"a", "norm", "b", "head"}
    assert changeable_layers(graph, ()) == frozenset()


@pytest.mark.parametrize("frozen", [("whole", "a", "norm"), ("whole", "a", "norm", "b", "head"), None])
def test_what_changes_is_trainable_and_nothing_else(frozen: tuple[str, ...] | None) -> None:
    model = _model()
    for layer in [model] if frozen is None else map(model.get_layer, frozen):
        layer.trainable = False
    assert frozen_layers(model) == (frozen or ("whole", "a", "norm", "b", "head"))
    made = unfrozen(model, ("prune",))
    assert (made.trainable, _trainable(made)) == (True, {"a", "norm", "b", "head"})
    # 3 x 3 x 3 x 4 + 4, scale and offset of 4, 3 x 3 x 4 x 6 + 6, and 6 x 6 x 6 inputs of 2 units.
    counted = sum(int(weight.shape.num_elements()) for weight in made.trainable_weights)
    assert counted == 112 + 8 + 222 + 434


def test_a_model_that_its_constructor_froze() -> None:
    model = _model()
    model = keras.Model(model.inputs, model.outputs, trainable=False)
    assert frozen_layers(model) == ("whole", "a", "norm", "b", "head")
    made = unfrozen(model, ("prune",))
    assert (made.trainable, _trainable(made)) == (True, {"a", "norm", "b", "head"})


def test_a_frozen_model_inside_another() -> None:
    base = _model()
    base.trainable = False
    inputs = keras.Input((8, 8, 3))
    outer = keras.Model(inputs, layers.Dense(2, name="top")(layers.ReLU()(base(inputs))))
    made = unfrozen(outer, ("prune",))
    assert {name.split("/")[-1] for name in _trainable(made)} == {"a", "norm", "b", "head", "top"}
    assert not _trainable(base)


def test_what_needs_no_training_is_as_it_was() -> None:
    model = _model()
    model.get_layer("whole").trainable = False
    assert unfrozen(model, ("prune",)) is model
    assert frozen_layers(model) == ("whole",)


@pytest.mark.parametrize("name", ["wrapped", "single"])
def test_weights_that_are_frozen_in_a_trainable_layer(name: str) -> None:
    """The dense layer in a wrapper, or the kernel of a convolution and the scale of a normalization alone."""
    inputs = keras.Input((8, 8, 3))
    x = layers.BatchNormalization(name="whole")(inputs)
    x = layers.TimeDistributed(layers.Dense(6), name="wrapped")(layers.Conv2D(4, 3, name="single")(x))
    model = keras.Model(inputs, layers.Dense(2, name="head")(layers.Flatten()(x)))
    model.get_layer("whole").gamma.trainable = False
    if name == "wrapped":
        model.get_layer(name).layer.trainable = False
    else:
        model.get_layer(name).kernel.trainable = False
    assert frozen_layers(model) == ("whole", name)
    made = unfrozen(model, ("prune",))
    assert [weight.path for weight in made.weights if not weight.trainable] == [
        "whole/gamma",
        "whole/moving_mean",
        "whole/moving_variance",
    ]
