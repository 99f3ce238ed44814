"""The shared network: a model traced once for any number of channels, into which candidates' weights are loaded."""

from collections.abc import Callable, Sequence
from dataclasses import replace
from typing import Any

import keras
import tensorflow as tf

from compress.cloning.layer_copy import copy_layer, copy_weights
from compress.cloning.layers import finalize_state, layers_by_name
from compress.cloning.rebuild import rebuild
from compress.cloning.walk import as_functional
from compress.cloning.whole_layer import copy_whole
from objectives.network.distillation import TrainingLoss
from objectives.network.elastic_layer import Common, ElasticLayer, LayerWeights, Weight
from objectives.network.elastic_layers import elastic_layer, fold, takes_any_channels
from objectives.network.precision import Precision
from objectives.network.signature import signature
from objectives.network.update_rule import UpdateRule
from zoo.training.precision import before_products, takes_precision
from zoo.training.random_states import random_states, seed_random_states

_ATTRIBUTES = (
    *("kernel", "bias", "gamma", "beta"),
    *("moving_mean", "moving_variance", "adapt_mean", "adapt_variance"),
)


class Network:
    """A model of elastic layers, whose training step and inference are traced at most once for all candidates.

    Args:
        model: a functional or Sequential model; it is not modified, and its weights are not copied.
        loss: minimized by training steps, together with the model's regularizers.
        rule: how a step changes the weights.
        precision: that all layers but the last compute in.
        jit_compile: whether XLA compiles the traced functions, for every shape anew.
        decomposable: names of the convolutions that may be whole or decomposed in a candidate; empty with XLA, which
            compiles the branch that is not taken as well.
    """

    def __init__(
        self,
        model: Any,
        loss: TrainingLoss,
        rule: UpdateRule,
        precision: Precision,
        jit_compile: bool = False,
        decomposable: frozenset[str] = frozenset(),
    ) -> None:
        # The momentum of moving statistics: 1 in training steps, less while they are estimated.
        self._kept = tf.Variable(1.0, trainable=False)
        source = as_functional(model)
        self.takes_any_channels = signature(source) is not None
        common = Common(self._kept, decomposable=decomposable)
        try:
            self._build(source, precision, common, jit_compile)
        except Exception:  # Code of a layer that needs to know its number of channels may raise anything.
            if not self.takes_any_channels:
                raise
            self.takes_any_channels = False
            # With weights of fixed shapes no convolution can be decomposed.
            self._build(source, precision, replace(common, decomposable=frozenset()), jit_compile)
        self._copy_others(source)  # Their weights say whether steps update them.
        self._weights = _weights(self._model)
        self._random_states = random_states(self._model)
        self._trained = [weight for weight in self._weights if weight.trainable and source.trainable]
        self._rule, self._taken = rule, tf.Variable(0.0, trainable=False)
        self._slots = [[_like(weight.variable) for _ in range(rule.slots)] for weight in self._trained]
        self._scale = precision.loss_scale()
        self.loss = loss
        self.step = self._traced(self._step, jit_compile)
        self._observe = self._traced(lambda images: self._model(images, training=True), jit_compile)

    def _build(self, source: Any, precision: Precision, common: Common, jit_compile: bool) -> None:
        """Make the model of elastic layers and trace its inference, which runs every layer's code."""
        self._model = _stand_ins(source, precision.policy, replace(common, any_channels=self.takes_any_channels))
        fold(self._model)
        # With any number of channels TensorFlow does not know the outputs' shape, which losses need.
        self._shape = source.outputs[0].shape
        self.infer = self._traced(lambda images: self._outputs(images, training=False), jit_compile)
        self.infer.get_concrete_function(tf.TensorSpec((None, *source.inputs[0].shape[1:]), tf.float32))

    def _outputs(self, images: Any, *, training: bool) -> Any:
        """The very tensor of the last layer: Keras's losses use the logits of a softmax that they recognize."""
        outputs = tf.cast(self._model(images, training=training), tf.float32)
        outputs.set_shape(self._shape)
        return outputs

    def load(self, model: Any, seed: int) -> None:
        """Take over the weights of a model of the same signature; begin to train them anew, and seed random layers."""
        self._copy_others(as_functional(model))
        self.load_weights(weights_of(model), seed)

    def _copy_others(self, model: Any) -> None:
        """Take over the weights of all layers but the elastic ones."""
        old = layers_by_name(model)
        for name, layer in layers_by_name(self._model).items():
            if not isinstance(layer, ElasticLayer) and getattr(layer, "weights", None):
                copy_weights(old[name], layer)

    def load_weights(self, weights: LayerWeights, seed: int) -> None:
        """Load the weights of the elastic layers from arrays, reset the optimizer, and seed random layers."""
        for layer in self._model.layers:
            if isinstance(layer, ElasticLayer):
                layer.assign(weights)
        self._begin(seed)

    def _begin(self, seed: int) -> None:
        for slots, weight in zip(self._slots, self._trained, strict=True):
            for slot in slots:
                slot.assign(tf.zeros_like(weight.variable))
        self._taken.assign(0.0)
        seed_random_states(self._random_states, seed)
        self._scale.reset()

    def unload(self, model: Any) -> None:
        """Copy the weights into a model of the same signature."""
        theirs = layers_by_name(as_functional(model))
        for name, layer in layers_by_name(self._model).items():
            if isinstance(layer, ElasticLayer):
                for owner, weights in layer.current().items():
                    for attribute, value in weights.items():
                        getattr(theirs[owner], attribute).assign(value)
                    finalize_state(theirs[owner])
            elif getattr(layer, "weights", ()):
                copy_weights(layer, theirs[name])

    @property
    def trains(self) -> bool:
        """Whether there are trainable weights."""
        return bool(self._slots)

    @property
    def normalizes(self) -> bool:
        """Whether there are statistics of batch normalization to estimate."""
        return any(_estimates(layer) for layer in self._model.layers)

    def observe(self, images: Any, share: float) -> None:
        """Mix the statistics of a batch (N, H, W, C) into the moving ones by this share; nothing else changes."""
        before = [state.numpy() for state in self._random_states]
        self._kept.assign(1 - share)
        self._observe(images)
        self._kept.assign(1.0)
        for state, value in zip(self._random_states, before, strict=True):
            state.assign(value)

    def _traced(self, function: Callable[..., Any], jit_compile: bool) -> Any:
        return tf.function(function, autograph=False, jit_compile=jit_compile, reduce_retracing=True)

    def _step(self, images: Any, targets: Any, soft: Any, rate: Any) -> Any:
        """One update; returns the loss before it."""
        with tf.GradientTape() as tape:
            variables = [weight.variable for weight in self._trained]
            tape.watch(variables)
            outputs = self._outputs(images, training=True)
            losses = [self.loss(targets, outputs, soft), *self._model.losses, *_penalties(self._weights)]
            total = tf.add_n([tf.cast(loss, tf.float32) for loss in losses])
            scaled = self._scale.up(total)
        computed = tape.gradient(scaled, variables)
        # A weight that nothing depends on has no gradient.
        gradients = self._scale.down(
            [tf.zeros_like(v.read_value()) if g is None else g for g, v in zip(computed, variables, strict=True)]
        )
        self._scale.guard(gradients, lambda: self._update(gradients, rate))
        return total

    def _update(self, gradients: Sequence[Any], rate: Any) -> None:
        step = self._taken.assign_add(1.0, read_value=True)
        for weight, slots, gradient in zip(self._trained, self._slots, gradients, strict=True):
            self._rule.update(weight.variable, slots, gradient, rate, step)
            if weight.constraint is not None:
                weight.variable.assign(weight.constraint(weight.variable.read_value()))


def _stand_ins(source: Any, policy: str | None, common: Common) -> Any:
    """The model with elastic layers wherever possible; its first and last layers keep their precision."""
    kept = before_products(source) | {tensor._keras_history.operation.name for tensor in source.outputs}

    def stand_in(layer: Any) -> Sequence[Any]:
        own = policy if layer.name not in kept and takes_precision(layer) else None
        if takes_any_channels(layer):
            return [elastic_layer(layer, replace(common, policy=own))]
        copied = copy_layer(layer, dtype=own) if own else copy_whole(layer)
        for normalization in _batch_normalizations(copied):
            normalization.momentum = common.momentum
        return [copied]

    return rebuild(source, stand_in)


def weights_of(model: Any) -> dict[str, dict[str, Any]]:
    """Weights of the layers that elastic layers can replace, by layer and attribute name."""
    return {
        name: {attribute: getattr(layer, attribute).value for attribute in _ATTRIBUTES if _has(layer, attribute)}
        for name, layer in layers_by_name(as_functional(model)).items()
        if takes_any_channels(layer)
    }


def _has(layer: Any, attribute: str) -> bool:
    return getattr(layer, attribute, None) is not None


def _weights(model: Any) -> list[Weight]:
    """All weights of a network's layers, elastic and other."""
    weights: list[Weight] = []
    for layer in model.layers:
        if isinstance(layer, ElasticLayer):
            weights.extend(layer.weights_by_name.values())
        else:
            variables = getattr(layer, "weights", ())
            weights.extend(Weight(v.value, v.trainable, None, getattr(v, "constraint", None)) for v in variables)
    return weights


def _like(variable: Any) -> Any:
    return tf.Variable(tf.zeros_like(variable), shape=variable.shape, trainable=False)


def _penalties(weights: Sequence[Weight]) -> list[Any]:
    """Regularization losses of elastic layers; Keras collects those of the others in ``losses``."""
    return [weight.regularizer(weight.variable.read_value()) for weight in weights if weight.regularizer]


def _estimates(layer: Any) -> bool:
    return any(part.trainable for part in _batch_normalizations(getattr(layer, "source", layer)))


def _batch_normalizations(layer: Any) -> list[Any]:
    """The batch normalizations in a layer: itself, or layers inside it as in a ``TimeDistributed``."""
    parts = layer._flatten_layers() if isinstance(layer, keras.Layer) else ()
    return [part for part in parts if isinstance(part, keras.layers.BatchNormalization)]
