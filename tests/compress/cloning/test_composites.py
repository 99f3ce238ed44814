"""Layers that hold other layers, and subclassed models, replaced by what they call."""

import re

import keras
import numpy as np
import pytest
import tensorflow as tf
from keras import layers, ops

from compress.cloning.user_rules import rule
from compress.cloning.walk import as_functional
from compress.errors import ModelError
from compress.graph.analysis import analyse
from compress.model_files.files import load_model, save_model
from compress.parameter_files.files import read_parameters, write_parameters
from compress.parameters import CompressionParameters
from compress.pruning.pruning import prune
from compress.recipe import apply_parameters
from tests.compress.fixtures.composites import Classifier, ConvBlock, Gate, HoldsModels, Pyramid, Stage
from tests.compress.fixtures.models import conv, head, images, outputs, randomized
from tests.compress.fixtures.oracles import assert_same_outputs, checked_prune


def between(layer):
    """A network with this layer between two convolutions."""
    inputs = keras.Input((8, 8, 3), name="image")
    return keras.Model(inputs, head(conv(layer(conv(inputs, "before", 6)), "after", 5)))


def pyramid():
    inputs = keras.Input((8, 8, 3), name="image")
    fine = conv(inputs, "fine", 4)
    made = Pyramid(5, name="pyramid")({"p2": conv(fine, "coarse", 6, strides=2), "p1": fine})
    return keras.Model(inputs, head(layers.Concatenate()([layers.MaxPooling2D()(made["p1"]), made["p2"]])))


def called_twice():
    """One layer on images of two sizes."""
    block = ConvBlock(6, name="block")
    inputs = keras.Input((8, 8, 3), name="image")
    x = layers.MaxPooling2D()(block(conv(inputs, "before", 6)))
    return keras.Model(inputs, head(block(x)))


GROUPS = {
    "block": (lambda: between(ConvBlock(5, name="block")), {"before", "block.conv", "after"}),
    "stage": (
        lambda: between(Stage(5, name="stage")),
        {"before", "stage.blocks.0.conv", "stage.blocks.1.conv", "after"},
    ),
    "models": (lambda: between(HoldsModels(5, 6, name="both")), {"before", "both.model.first", "both.sequence.second"}),
    "gate": (lambda: between(Gate(name="gate")), {"before", "after"}),
    "pyramid": (pyramid, {"fine", "coarse", "pyramid.lateral.p1", "pyramid.smooth"}),
    "twice": (called_twice, {"before", "block.conv"}),
}


@pytest.mark.parametrize("name", GROUPS)
def test_layers_inside_are_pruned_like_any_others(name):
    make, expected = GROUPS[name]
    model = randomized(make())
    before = [np.array(weight) for weight in model.weights]
    calls = [len(part._inbound_nodes) for layer in model.layers for part in layer._flatten_layers()]
    graph, small = checked_prune(model)
    assert {layer for group in graph.groups for layer in group.layers} >= expected
    assert graph.excluded[:-1] == () and small.count_params() < model.count_params()
    for now, then in zip(model.weights, before, strict=True):
        assert now.shape == then.shape
    assert [len(part._inbound_nodes) for layer in model.layers for part in layer._flatten_layers()] == calls


@pytest.mark.parametrize("name", GROUPS)
def test_the_flat_model_is_the_same(name):
    model = randomized(GROUPS[name][0]())
    flat = as_functional(model)
    assert {type(layer).__module__.split(".")[0] for layer in flat.layers} == {"keras"}
    assert_same_outputs(flat, model, tolerance=1e-5)
    assert flat.count_params() == model.count_params()
    assert len(flat.trainable_weights) == len(model.trainable_weights)
    assert as_functional(flat) is flat


def test_names_do_not_depend_on_what_was_made_before():
    first, second = (
        [layer.name for layer in as_functional(between(Stage(4, name="stage"))).layers if layer.weights] for _ in "ab"
    )
    assert first == second
    assert "stage.blocks.0.shortcut" in first and "stage.blocks.1.normalize" in first


def test_a_result_is_written_and_read_in_every_form(tmp_path):
    small = prune(randomized(between(Stage(5, name="stage"))), {"stage.blocks.0.add": 0.5})
    assert_same_outputs(load_model(save_model(small, tmp_path / "small.keras")), small, tolerance=1e-6)
    with pytest.raises(ModelError, match=r"Keras reads no operations of keras.ops from .h5 files; write a .keras file"):
        save_model(small, tmp_path / "small.h5")
    small.export(tmp_path / "saved", verbose=False)
    loaded = tf.saved_model.load(str(tmp_path / "saved"))
    served = loaded.serve(images(small))
    np.testing.assert_allclose(np.asarray(served), outputs(small, images(small))[0], rtol=1e-5, atol=1e-6)


def test_parameters_of_layers_inside_are_written_and_read(tmp_path):
    parameters = CompressionParameters({"stage.blocks.0.add": 0.5}, {"stage.blocks.1.conv": (2, 2)})
    graph = analyse(between(Stage(5, name="stage")))
    for path in write_parameters(parameters, tmp_path, graph):
        read = read_parameters([path]).parameters
        assert read.ratios in ({}, parameters.ratios) and read.ranks in ({}, parameters.ranks)


def test_a_frozen_layer_stays_frozen():
    model = between(ConvBlock(5, name="block"))
    model.get_layer("block").trainable = False
    assert {layer.name for layer in as_functional(model).layers if layer.trainable_weights} == {
        "before",
        "after",
        "linear",
    }


def test_half_precision_is_kept():
    model = randomized(between(ConvBlock(5, name="block", dtype="mixed_float16")))
    flat = as_functional(model)
    assert "block.conv" in {layer.name for layer in flat.layers}
    assert_same_outputs(flat, model, tolerance=1e-3)


class Scales(layers.Layer):
    def build(self, shape):
        self.conv = layers.Conv2D(4, 1)
        self.conv.build(shape)
        self.gamma = self.add_weight(shape=(4,), name="gamma")

    def call(self, x):
        return self.conv(x) * self.gamma


class Branches(ConvBlock):
    def call(self, x):
        return self.normalize(self.conv(x)) + self.project(x) if ops.max(x) > 0 else self.conv(x)


class Shortens(ConvBlock):
    def call(self, x, training=None):
        y = self.normalize(self.conv(x), training=training)
        return y + 0.5 * self.project(x) if training else y + self.project(x)


class Skips(ConvBlock):
    def call(self, x, training=None):
        return self.conv(x) + self.project(x)


class Freezes(ConvBlock):
    def call(self, x, training=None):
        return self.normalize(self.conv(x), training=False) + self.project(x)


class StaysCalm(ConvBlock):
    def __init__(self, *args, **kwargs):
        super().__init__(*args, **kwargs)
        self.drop = layers.Dropout(0.5, seed=1)

    def call(self, x, training=None):
        return self.drop(super().call(x, training=training), training=False)


class Trains(ConvBlock):
    def call(self, x, training=True):
        return super().call(x, training=training)


class Shakes(ConvBlock):
    def __init__(self, *args, **kwargs):
        super().__init__(*args, **kwargs)
        self.seeds = keras.random.SeedGenerator(1)

    def call(self, x, training=None):
        noise = keras.random.uniform((1,), seed=self.seeds) if training else 1.0
        return super().call(x, training=training) * noise


class Rolls(ConvBlock):
    def call(self, x, training=None):
        return super().call(x, training=training) * tf.random.uniform((1,))


class Counts(ConvBlock):
    def build(self, shape):
        self.count = self.add_weight(shape=(), initializer="zeros", trainable=False)
        super().build(shape)

    def call(self, x, training=None):
        self.count.assign_add(1.0)
        return super().call(x, training=training)


class Regrets(ConvBlock):
    def call(self, x, training=None):
        self.add_loss(ops.mean(self.conv.kernel))
        return super().call(x, training=training)


class Native(ConvBlock):
    def call(self, x, training=None):
        return tf.nn.relu(super().call(x, training=training))


class Borrows(ConvBlock):
    """Holds one layer twice, once in another layer."""

    def __init__(self, *args, **kwargs):
        super().__init__(*args, **kwargs)
        self.other = Holder(self.conv)

    def call(self, x, training=None):
        return super().call(x, training=training) + self.other(x)


class Hides(ConvBlock):
    """Does in inference what symbolic tensors do not see."""

    def call(self, x, training=None):
        y = super().call(x, training=training)
        return y if isinstance(x, keras.KerasTensor) else 2.0 * y


WHOLE = {
    Scales: "its call uses its weight 'scales.*/gamma' outside of the layers in it, or not at all",
    Branches: "its call does not run on symbolic tensors",
    Shortens: "its call does other things in training than in inference",
    Skips: "its call uses its weight '.*normal.*' outside of the layers in it, or not at all",
    Freezes: "its call runs 'batch_norm.*' with training=False whatever the mode",
    StaysCalm: "the graph of its call computes something else",
    Trains: "its call has training=True by default",
    Shakes: "its call draws random numbers or changes variables itself",
    Rolls: "its call does other things in training than in inference",
    Counts: "its call draws random numbers or changes variables itself",
    Regrets: "its call adds a loss",
    Native: "its call does not run on symbolic tensors",
    Borrows: "its parts '.*' and '.*' share weights",
    Hides: "the graph of its call computes something else",
}


@pytest.mark.parametrize("kind", WHOLE, ids=lambda kind: kind.__name__)
def test_what_a_graph_cannot_tell_stays_one_and_says_why(kind):
    model = between(kind(4) if issubclass(kind, ConvBlock) else kind())
    values = [np.array(weight) for weight in model.weights]
    assert as_functional(model) is model
    (reason,) = (item.reason for item in analyse(model).excluded if item.name == "before")
    name = model.layers[2].name
    pattern = f"it touches '{name}' ({kind.__name__}), whose effect on channels is not known: "
    assert reason.startswith(pattern) and len(reason.splitlines()) == 1
    assert re.match(WHOLE[kind], reason.removeprefix(pattern)), reason
    for weight, value in zip(model.weights, values, strict=True):
        np.testing.assert_array_equal(weight, value)


def test_layers_of_a_type_with_a_rule_stay_one():
    class Ruled(ConvBlock):
        pass

    rule(Ruled)
    model = between(Ruled(4))
    assert as_functional(model) is model


@pytest.mark.filterwarnings("ignore:Layer 'before':UserWarning")
def test_a_layer_called_with_a_mask_stays_one():
    inputs = keras.Input((5, 4))
    x = Gate1D(name="gate")(layers.Masking()(layers.Conv1D(4, 1, name="before")(inputs)))
    model = keras.Model(inputs, layers.Dense(2)(layers.GlobalAveragePooling1D()(x)))
    reasons = {item.name: item.reason for item in analyse(model).excluded}
    assert as_functional(model) is model
    assert reasons["before"].startswith("it touches")


class Masks(layers.Layer):
    def __init__(self, **kwargs):
        super().__init__(**kwargs)
        self.mask = layers.Masking()

    def call(self, x):
        return self.mask(x)


def test_a_layer_that_makes_a_mask_stays_one():
    inputs = keras.Input((5, 4))
    model = keras.Model(inputs, layers.LSTM(2)(Masks()(layers.Conv1D(4, 1, name="before")(inputs))))
    reasons = {item.name: item.reason for item in analyse(model).excluded}
    assert reasons["before"].endswith("its call answers with a mask")


class Gate1D(layers.Layer):
    supports_masking = True

    def call(self, x):
        return x * ops.sigmoid(x)


class OnlyEven(layers.Layer):
    """Cannot be traced where the image has an odd side."""

    def __init__(self, **kwargs):
        super().__init__(**kwargs)
        self.conv = layers.Conv2D(4, 3, padding="same")

    def call(self, x):
        if x.shape[1] % 2 and isinstance(x, keras.KerasTensor):
            raise ValueError("no symbols, please")
        return self.conv(x)

    def compute_output_shape(self, shape):
        return (*shape[:-1], 4)


@pytest.mark.parametrize("inside", [False, True], ids=["alone", "in another"])
def test_a_layer_that_stays_one_at_one_call_does_so_at_all(inside):
    layer = OnlyEven(name="even")
    inputs = keras.Input((6, 6, 4))
    x = layers.MaxPooling2D()(layer(inputs))
    x = Holder(layer)(x) if inside else layer(x)
    model = randomized(keras.Model(inputs, head(x)))
    assert [type(part).__name__ for part in as_functional(model).layers if part.weights] == ["OnlyEven", "Dense"]


class Holder(layers.Layer):
    def __init__(self, part):
        super().__init__()
        self.part = part

    def call(self, x):
        return self.part(x)


def test_a_subclassed_model_is_traced():
    model = Classifier(name="classifier")
    model(np.zeros((2, 8, 8, 3), np.float32))
    randomized(model)
    flat = as_functional(model)
    assert [layer.name for layer in flat.layers if layer.weights][:2] == ["stem", "stage.blocks.0.conv"]
    assert flat.name == "classifier" and flat.input_shape == (None, 8, 8, 3)
    x = images(flat)
    np.testing.assert_allclose(outputs(flat, x)[0], np.asarray(model(x, training=False)), rtol=1e-5, atol=1e-6)
    small = apply_parameters(model, CompressionParameters({"stem": 0.5}, {"stage.blocks.0.conv": (2, 2)}))
    assert small.get_layer("stem").filters == 3 and small.get_layer("stage.blocks.0.conv_tucker_1")


def test_a_subclassed_model_inside_another_is_traced():
    inputs = keras.Input((8, 8, 3))
    graph, _ = checked_prune(keras.Model(inputs, layers.Dense(2)(Classifier(name="inner")(conv(inputs, "a", 3)))))
    assert {"inner.stem", "inner.stage.blocks.0.conv"} <= {layer for group in graph.groups for layer in group.layers}


def test_a_subclassed_model_from_a_file(tmp_path):
    model = keras.saving.register_keras_serializable("composites")(Saved)(name="saved")
    model(np.zeros((1, 8, 8, 3), np.float32))
    model.save(tmp_path / "saved.keras")
    x = images(load_model(tmp_path / "saved.keras"))
    loaded = load_model(tmp_path / "saved.keras")
    np.testing.assert_allclose(outputs(loaded, x)[0], np.asarray(model(x)), rtol=1e-5, atol=1e-6)


class Saved(Classifier):
    def get_config(self):
        return {"name": self.name}


class Undecided(Classifier):
    def call(self, images, training=None):
        return super().call(images, training) if ops.max(images) > 0 else self.head(self.pool(images))


def test_a_subclassed_model_that_cannot_be_traced_says_why():
    with pytest.raises(ModelError, match=r"the subclassed Classifier 'new', .*Keras knows no shape of its inputs.*"):
        as_functional(Classifier(name="new"))
    model = Undecided(name="undecided")
    model(np.ones((2, 8, 8, 3), np.float32))
    with pytest.raises(ModelError, match=r"the subclassed Undecided .*knows no shape of its inputs: .*rebuild it"):
        as_functional(model)
    model._build_shapes_dict = {"input_shape": (2, 8, 8, 3)}
    with pytest.raises(ModelError, match=r"its call does not run on symbolic tensors .*rebuild it"):
        as_functional(model)


def test_a_lambda_is_what_its_function_does():
    model = between(layers.Lambda(lambda x: 2.0 * ops.tanh(x), name="lambda"))
    graph, _ = checked_prune(model)
    assert [group.name for group in graph.groups] == ["before", "after"]
    assert {"lambda.tanh", "lambda.multiply"} <= {node.layer for node in graph.nodes}


def test_an_identity_with_a_dtype_policy_is_copied():
    model = between(layers.Identity(dtype=keras.DTypePolicy("float32")))
    assert [group.name for group in checked_prune(model)[0].groups] == ["before", "after"]


class Positions(layers.Layer):
    """Reshapes with the batch that it is told, which is None for symbolic tensors."""

    def __init__(self, filters, **kwargs):
        super().__init__(**kwargs)
        self.conv, self.over = layers.Conv2D(filters, 1), layers.Conv1D(filters, 3, padding="same")

    def call(self, x):
        batch, height, width, _ = ops.shape(x)
        y = self.over(ops.reshape(self.conv(x), (batch, -1, self.conv.filters)))
        return ops.reshape(y, (batch, height, width, self.conv.filters))


def test_the_batch_of_a_reshape_may_be_the_one_that_is_told():
    graph, _ = checked_prune(between(Positions(5, name="positions")))
    assert [group.name for group in graph.groups] == ["before", "positions.conv", "positions.over", "after"]


class Padded(layers.Layer):
    """Its Sequential part was built for a larger image than it is called with, as in RepVGG."""

    def __init__(self, filters, **kwargs):
        super().__init__(**kwargs)
        self.part = keras.Sequential([layers.Conv2D(filters, 1, name="part"), layers.BatchNormalization()])

    def build(self, shape):
        self.part.build((None, shape[1] + 2, shape[2] + 2, shape[3]))

    def call(self, x, training=None):
        return self.part(x, training=training)

    def compute_output_shape(self, shape):
        return (*shape[:-1], 5)


def test_a_sequential_part_takes_images_of_any_size():
    layer = Padded(5, name="padded")
    graph, _ = checked_prune(between(layer))
    assert [group.name for group in graph.groups] == ["before", "padded.part.part", "after"]
    assert "compute_output_spec" not in vars(layer.part)
