"""The elastic layers by type of Keras layer, and folding batch normalization into convolutions."""

from collections.abc import Callable, Mapping
from types import MappingProxyType
from typing import Any

import keras
import tensorflow as tf

from compress.cloning.walk import calls
from objectives.network.elastic_layer import Common, ElasticConv2D, ElasticLayer, kernel_and_bias
from zoo.kernels.batch_normalization import apply_factors, normalize_batch
from zoo.kernels.depthwise import depthwise


class ElasticDepthwiseConv2D(ElasticLayer):
    """A depthwise convolution."""

    def __init__(self, source: Any, common: Common) -> None:
        kernel = (*source.kernel_size, None, source.depth_multiplier)
        super().__init__(source, common, kernel_and_bias(source, kernel))

    def call(self, inputs: Any) -> Any:
        """Inputs (N, H, W, C) to (N, H', W', C x depth multiplier)."""
        source = self.source
        kernel = self.weights_by_name["kernel"].variable.read_value()
        outputs = depthwise(inputs, kernel, source.strides, source.padding.upper(), source.dilation_rate)
        return self.finished(outputs)


class ElasticDense(ElasticLayer):
    """A dense layer."""

    def __init__(self, source: Any, common: Common) -> None:
        super().__init__(source, common, kernel_and_bias(source, (None, None)))

    def call(self, inputs: Any) -> Any:
        """Inputs (N, ..., in) to (N, ..., out)."""
        return self.finished(tf.tensordot(inputs, self.value("kernel"), 1))


class ShapeKeepingLayer(ElasticLayer):
    """An elastic layer whose outputs have the shape of its inputs."""

    def compute_output_shape(self, input_shape: Any) -> tuple[int | None, ...]:
        """The shape of the inputs."""
        return tuple(input_shape)


class ElasticBatchNormalization(ShapeKeepingLayer):
    """Batch normalization over the last axis.

    Attributes:
        folded: whether the convolution before computes it in inference.
        rectifies: whether it computes the rectifier behind it, too.
    """

    def __init__(self, source: Any, common: Common) -> None:
        names = ("gamma",) * source.scale + ("beta",) * source.center + ("moving_mean", "moving_variance")
        super().__init__(source, common, {name: (None,) for name in names})
        self._momentum = common.momentum
        self.folded = self.rectifies = False

    def fold_into(self, convolution: ElasticConv2D) -> None:
        """Let the convolution before, which only this layer reads, compute it in inference."""
        # Its method and not itself: Keras cannot add a layer to one that is built.
        convolution.factors, self.folded = self.factors, True

    def factors(self, training: bool) -> tuple[Any, Any] | None:
        """Slope and shift of the normalization, (C,) each; None in training, with the batch's own statistics."""
        if training and self.source.trainable:
            return None
        mean, variance = (self.weights_by_name[f"moving_{name}"].variable for name in ("mean", "variance"))
        slope = self._parameter("gamma", 1.0) * tf.math.rsqrt(variance + self.source.epsilon)
        return slope, self._parameter("beta", 0.0) - mean * slope

    def call(self, inputs: Any, training: bool = False, mask: None = None) -> Any:
        """Inputs (N, ..., C) to the same shape."""
        factors = self.factors(training)
        if factors is not None:
            outputs = inputs if self.folded else self._applied(inputs, *factors)
            return tf.nn.relu(outputs) if self.rectifies else outputs
        scale, offset = self._parameter("gamma", 1.0), self._parameter("beta", 0.0)
        outputs, mean, variance = normalize_batch(inputs, scale, offset, self.source.epsilon, self.rectifies)
        for name, batch in (("mean", mean), ("variance", variance)):
            moving = self.weights_by_name[f"moving_{name}"].variable
            moving.assign(self._momentum * moving + (1 - self._momentum) * batch)
        return outputs

    def _applied(self, inputs: Any, slope: Any, shift: Any) -> Any:
        return tf.cast(apply_factors(tf.cast(inputs, tf.float32), slope, shift), inputs.dtype)

    def _parameter(self, name: str, absent: float) -> Any:
        if name in self.weights_by_name:
            return self.weights_by_name[name].variable.read_value()
        return tf.fill(tf.shape(self.weights_by_name["moving_mean"].variable), absent)


class ElasticExampleNormalization(ShapeKeepingLayer):
    """Layer or group normalization: of each example by itself, over its channels or over all of its values."""

    def __init__(self, source: Any, common: Common) -> None:
        names = ("gamma",) * source.scale + ("beta",) * source.center
        super().__init__(source, common, {name: (None,) for name in names})

    def call(self, inputs: Any) -> Any:
        """Inputs (N, ..., C) to the same shape, in float32 until the end as Keras does."""
        over_channels = isinstance(self.source, keras.layers.LayerNormalization)
        axes = [-1] if over_channels else list(range(1, inputs.shape.rank))
        values = tf.cast(inputs, tf.float32)
        mean, variance = tf.nn.moments(values, axes, keepdims=True)
        outputs = (values - mean) * tf.math.rsqrt(variance + self.source.epsilon)
        if self.source.scale:
            outputs *= self.weights_by_name["gamma"].variable.read_value()
        if self.source.center:
            outputs += self.weights_by_name["beta"].variable.read_value()
        return tf.cast(outputs, self.compute_dtype)


class ElasticNormalization(ShapeKeepingLayer):
    """Subtraction of a known mean and division by a known standard deviation, over the last axis."""

    def __init__(self, source: Any, common: Common) -> None:
        super().__init__(source, common, {"adapt_mean": (None,), "adapt_variance": (None,)})

    def call(self, inputs: Any) -> Any:
        """Inputs (N, ..., C) to the same shape."""
        mean, variance = (self.weights_by_name[f"adapt_{name}"].variable for name in ("mean", "variance"))
        slope = 1 / tf.maximum(tf.sqrt(variance), keras.backend.epsilon())
        return tf.cast(apply_factors(tf.cast(inputs, tf.float32), slope, -mean * slope), self.compute_dtype)


class ElasticRectifier(ShapeKeepingLayer):
    """Sets negative values to zero, unless the batch normalization before computes that, too."""

    def __init__(self, source: Any, common: Common) -> None:
        super().__init__(source, common, {})
        self.supports_masking = True
        self._folded = False

    def fold_into(self, normalization: ElasticBatchNormalization) -> None:
        """Let the normalization before, which only this layer reads, compute it."""
        normalization.rectifies = self._folded = True

    def call(self, inputs: Any) -> Any:
        """Inputs to the same shape."""
        return inputs if self._folded else tf.nn.relu(inputs)


class ElasticReshape(ElasticLayer):
    """A reshape after which channels are still the last axis."""

    def __init__(self, source: Any, common: Common) -> None:
        super().__init__(source, common, {})
        self.supports_masking = source.supports_masking

    def call(self, inputs: Any) -> Any:
        """Inputs (N, ..., C) to (N, ..., C)."""
        return tf.reshape(inputs, [-1, *self.source.target_shape[:-1], tf.shape(inputs)[-1]])

    def compute_output_shape(self, input_shape: Any) -> tuple[int | None, ...]:
        """The source's, with the channels of the input."""
        return (input_shape[0], *self.source.target_shape[:-1], input_shape[-1])


def takes_any_channels(layer: Any) -> bool:
    """Whether an elastic layer can replace this one, by its type and all of its options."""
    options = _OPTIONS.get(type(layer))
    if options is None or isinstance(getattr(layer, "activation", None), keras.Layer):
        return False
    plain = getattr(layer, "data_format", None) in (None, "channels_last") and layer.activity_regularizer is None
    quantized = getattr(layer, "lora_enabled", False) or getattr(layer, "quantization_mode", None) is not None
    return plain and not quantized and options(layer)


def elastic_layer(layer: Any, common: Common) -> ElasticLayer:
    """The elastic layer that replaces a layer which takes any channels."""
    return _STAND_INS[type(layer)](layer, common)


def is_linear(layer: Any) -> bool:
    """Whether a layer has no activation."""
    return bool(layer.activation is keras.activations.linear)


def _rectifies(layer: Any) -> bool:
    return layer.max_value is None and layer.negative_slope == 0 and layer.threshold == 0


def _normalizes_last_axis(layer: Any) -> bool:
    rank = layer.input_spec.ndim if layer.built else None
    plain = not getattr(layer, "renorm", False)
    return plain and (layer.axis == -1 or (rank is not None and layer.axis == rank - 1))


def _keeps_channels_last(layer: Any) -> bool:
    """Whether a reshape keeps the channels as the last axis, and its target shape gives all sizes."""
    target, nodes = layer.target_shape, layer._inbound_nodes
    shapes = {tensor.shape[1:] for node in nodes for tensor in node.input_tensors}
    return bool(nodes) and all(size > 0 for size in target) and {shape[-1:] for shape in shapes} == {target[-1:]}


def _has_adapted(layer: Any) -> bool:
    shape = layer._build_input_shape
    last = shape is not None and layer.axis in ((-1,), (len(shape) - 1,))
    return last and layer.input_mean is None and not layer.invert


_STAND_INS: Mapping[type, Callable[[Any, Common], ElasticLayer]] = MappingProxyType(
    {
        keras.layers.Conv2D: ElasticConv2D,
        keras.layers.DepthwiseConv2D: ElasticDepthwiseConv2D,
        keras.layers.Dense: ElasticDense,
        keras.layers.BatchNormalization: ElasticBatchNormalization,
        keras.layers.LayerNormalization: ElasticExampleNormalization,
        keras.layers.GroupNormalization: ElasticExampleNormalization,
        keras.layers.Normalization: ElasticNormalization,
        keras.layers.Reshape: ElasticReshape,
        keras.layers.ReLU: ElasticRectifier,
        keras.layers.Activation: ElasticRectifier,
    }
)

_OPTIONS: Mapping[type, Callable[[Any], bool]] = MappingProxyType(
    {
        keras.layers.Conv2D: lambda layer: layer.groups == 1,
        keras.layers.DepthwiseConv2D: lambda layer: layer.strides[0] == layer.strides[1],
        keras.layers.Dense: lambda layer: True,
        keras.layers.BatchNormalization: _normalizes_last_axis,
        keras.layers.LayerNormalization: lambda layer: layer.axis in (-1, [-1]) and not layer.rms_scaling,
        keras.layers.GroupNormalization: lambda layer: layer.groups == 1 and layer.axis == -1,
        keras.layers.Normalization: _has_adapted,
        keras.layers.Reshape: _keeps_channels_last,
        keras.layers.ReLU: _rectifies,
        keras.layers.Activation: lambda layer: layer.activation is keras.activations.relu,
    }
)
"""Whether the elastic layer of a type supports a layer's options."""


def fold(model: Any) -> None:
    """Fold batch normalizations into the convolutions before them, and rectifiers into the normalizations before them.

    Only where no other layer reads the tensor between them.
    """
    for before, after in _chained(model):
        normalized = isinstance(after, ElasticBatchNormalization)
        if isinstance(before, ElasticConv2D) and normalized and is_linear(before.source):
            after.fold_into(before)
        elif isinstance(before, ElasticBatchNormalization) and isinstance(after, ElasticRectifier):
            after.fold_into(before)


def _chained(model: Any) -> list[tuple[Any, Any]]:
    """Pairs of layers that are called once, of which only the second reads the first."""
    made = list(calls(model))
    names = [call.layer.name for call in made]
    readers: dict[str, list[Any]] = {}
    for call in made:
        for tensor in call.inputs:
            readers.setdefault(tensor._keras_history.operation.name, []).append(call.layer)
    returned = {tensor._keras_history.operation.name for tensor in model.outputs}
    once = (call.layer for call in made if names.count(call.layer.name) == 1 and call.layer.name not in returned)
    pairs = ((layer, readers[layer.name][0]) for layer in once if len(readers.get(layer.name, ())) == 1)
    return [(layer, reader) for layer, reader in pairs if names.count(reader.name) == 1]
