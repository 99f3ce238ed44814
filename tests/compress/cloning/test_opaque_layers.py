"""Layers that a graph of what they call cannot replace stay one, and say why."""

import re

import keras
import numpy as np
import pytest
import tensorflow as tf
from keras import layers, ops

from compress.cloning.user_rules import rule
from compress.cloning.walk import as_functional
from compress.graph.analysis import analyse
from tests.compress.fixtures.composites import ConvBlock
from tests.compress.fixtures.models import between, head, randomized


class Holder(layers.Layer):
    def __init__(self, part):
        super().__init__()
        self.part = part

    def call(self, x):
        return self.part(x)


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
