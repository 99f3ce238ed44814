"""Least-squares reconstruction of what layers compute after their inputs were pruned.

He, Zhang, Sun 2017, "Channel Pruning for Accelerating Very Deep Neural Networks" (section 3.1, step 2, and the
"asymmetric" reconstruction of section 3.2); Luo, Wu, Lin 2017, "ThiNet" (equation 7). Layer by layer, the kernel that
is left is fitted so that on the pruned model's own inputs, which already hold the errors of the layers before, the
output before the activation comes near to that of the original layer.
"""

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import keras
import numpy as np
from numpy.typing import NDArray
from scipy.linalg import solve

from compress.cloning.layers import layers_by_name
from compress.cloning.walk import as_functional, calls
from compress.errors import DataError, ModelError
from compress.graph.analysis import analyse
from compress.graph.channel_graph import ChannelGraph
from compress.graph.group import Exclusion, KeptChannels, Node, Ratios
from compress.pruning.im2col import Array, Reader
from compress.pruning.pruning import kept_labels, remove
from compress.pruning.settings import DEFAULT_PRUNING, PruningSettings

Places = NDArray[np.int64]


@dataclass(frozen=True)
class ReconstructionSettings:
    """How much is sampled and how firmly the pruned weights are kept.

    Attributes:
        places: positions of a layer's output that are sampled in every image; He et al. take 10.
        ridge: penalty on the change of a weight, in mean squares of the inputs that it is multiplied with.
        batch_size: images that pass through the models at once.
        seed: of the sampled positions.
    """

    places: int = 32
    ridge: float = 1e-2
    batch_size: int = 32
    seed: int = 0


DEFAULT_SETTINGS = ReconstructionSettings()


@dataclass(frozen=True)
class Reconstruction:
    """A pruned model with fitted weights.

    Attributes:
        model: the new model, not compiled.
        reconstructed: the layers whose weights were fitted, in topological order.
        left: convolutions and dense layers that keep the weights that pruning left them, and why.
    """

    model: Any
    reconstructed: tuple[str, ...]
    left: tuple[Exclusion, ...]


def prune_and_reconstruct(
    model: Any,
    ratios: Ratios,
    images: Any,
    *,
    pruning: PruningSettings = DEFAULT_PRUNING,
    settings: ReconstructionSettings = DEFAULT_SETTINGS,
) -> Reconstruction:
    """Prune as ``prune`` does, then fit the weights of every layer that reads pruned channels.

    Args:
        model: a functional or Sequential Keras model; it is not modified.
        ratios: fraction of channels to remove, by group name.
        images: a few hundred inputs as the model expects them, normalized: an array (images, ...), or a list or dict
            of them for several inputs.
        pruning: which channels go, and what the kept ones are rounded to.
        settings: how much is sampled.

    Raises:
        ModelError: the model's layer graph cannot be read, or it computes values that are not finite.
        ParameterError: an unknown or excluded group.
        DataError: images that do not fit the model.
    """
    source = as_functional(model)
    graph = analyse(source, pruning.across_normalization)
    return reconstruct(source, graph, kept_labels(source, graph, ratios, pruning), images, settings)


def reconstruct(
    model: Any,
    graph: ChannelGraph,
    kept: KeptChannels,
    images: Any,
    settings: ReconstructionSettings = DEFAULT_SETTINGS,
) -> Reconstruction:
    """A new model without the channels of the labels that are not kept, its weights fitted to the original's outputs.

    Args:
        model: the functional model that ``graph`` was made from; it is not modified.
        graph: its analysis.
        kept: True for every label that stays, shape (graph.labels,).
        images: as in ``prune_and_reconstruct``.
        settings: how much is sampled.

    Raises:
        ModelError: the model computes values that are not finite.
        DataError: images that do not fit the model.
    """
    batches = _Batches(images, model, settings)
    smaller = remove(model, graph, kept)
    fitted, left = _consumers(model, graph)
    old, new = layers_by_name(model), layers_by_name(smaller)
    originals = [_Original(old[node.layer], kept[node.labels("out")], settings) for node in fitted]
    _record_outputs(model, originals, batches)
    read = _inputs(smaller)
    for original in originals:
        reading = keras.Model(smaller.inputs, read[original.name])
        _fit(new[original.name], original, batches.outputs(reading), settings.ridge)
    return Reconstruction(smaller, tuple(original.name for original in originals), tuple(left))


def _inputs(model: Any) -> dict[str, Any]:
    """The tensor that every layer reads first; a layer's own ``input`` may be that of another model."""
    return {call.layer.name: call.inputs[0] for call in calls(model) if call.inputs}


def _consumers(model: Any, graph: ChannelGraph) -> tuple[list[Node], list[Exclusion]]:
    """Nodes of the layers to fit, in topological order, and the convolutions and dense layers that are left."""
    layers, read = layers_by_name(model), _inputs(model)
    model_inputs = {id(tensor) for tensor in model.inputs}
    repeated = {node.layer for node in graph.nodes if node.repeated}
    fitted, left = [], []
    for node in graph.nodes:
        layer = layers.get(node.layer)  # None for an operation of keras.ops
        if node.repeated or type(layer) not in (keras.layers.Conv2D, keras.layers.Dense):
            continue
        reason = _reason(layer, node)
        if node.layer in repeated:
            reason = "it is called several times"
        elif id(read[node.layer]) in model_inputs:
            reason = "it reads the model's input, which pruning does not change"
        if reason is None:
            fitted.append(node)
        else:
            left.append(Exclusion(node.layer, reason))
    return fitted, left


def _reason(layer: Any, node: Node) -> str | None:
    if not node.understood:
        return "the effect of the layer on channels is not known"
    if getattr(layer, "groups", 1) != 1:
        return f"it is a grouped convolution (groups={layer.groups})"
    if None in node.input_shapes[0][1:]:
        return f"its input has no fixed size {node.input_shapes[0]}"
    return None


class _Batches:
    """Calibration images in batches, always in the same order."""

    def __init__(self, images: Any, model: Any, settings: ReconstructionSettings) -> None:
        arrays = keras.tree.flatten(images)
        shapes = [tuple(tensor.shape[1:]) for tensor in model.inputs]
        received = [tuple(np.shape(array)) for array in arrays]
        counts = {shape[0] for shape in received if shape}
        if not _shapes_fit([shape[1:] for shape in received], shapes) or len(counts) != 1 or 0 in counts:
            raise DataError(
                f"expected calibration images of shapes {shapes}, one or more, received arrays of shapes {received}; "
                "pass what the model is called with"
            )
        self._arrays = arrays
        self.count = counts.pop()
        self._size = settings.batch_size

    def outputs(self, model: Any) -> Iterator[list[Array]]:
        """The outputs of a model for every batch."""
        for start in range(0, self.count, self._size):
            batch = [array[start : start + self._size] for array in self._arrays]
            yield [np.asarray(value) for value in keras.tree.flatten(model(batch, training=False))]


def _shapes_fit(received: list[tuple[int, ...]], wanted: list[tuple[int | None, ...]]) -> bool:
    return len(received) == len(wanted) and all(
        len(shape) == len(sizes) and all(size in (length, None) for length, size in zip(shape, sizes, strict=True))
        for shape, sizes in zip(received, wanted, strict=True)
    )


class _Original:
    """What an original layer computes before its activation, at sampled places."""

    def __init__(self, layer: Any, kept: NDArray[np.bool_], settings: ReconstructionSettings) -> None:
        self.name: str = layer.name
        self.reader = Reader.of(layer)
        self.outputs: list[Array] = []
        self.places: list[Places] = []
        self._kernel = np.asarray(layer.kernel)[..., kept].reshape(-1, int(kept.sum()))
        self._bias = np.asarray(layer.bias)[kept] if layer.use_bias else np.zeros(int(kept.sum()), np.float32)
        self._sampled = settings.places
        self._generator = np.random.default_rng(settings.seed)

    def record(self, values: Array) -> None:
        """Sample places for one more batch of the layer's inputs, and keep the outputs there."""
        positions = int(np.prod(self.reader.output_size(values.shape), dtype=np.int64))
        sampled = min(self._sampled, positions)
        ordered = np.tile(np.arange(positions), (len(values), 1))
        self.places.append(self._generator.permuted(ordered, axis=1)[:, :sampled])
        with np.errstate(over="ignore", invalid="ignore"):
            outputs = self.reader.patches(values, self.places[-1]) @ self._kernel + self._bias
        self.outputs.append(_finite(outputs, self.name))


def _record_outputs(model: Any, originals: list[_Original], batches: _Batches) -> None:
    if not originals:
        return
    read = _inputs(model)
    reading = keras.Model(model.inputs, [read[original.name] for original in originals])
    for inputs in batches.outputs(reading):
        for original, values in zip(originals, inputs, strict=True):
            original.record(values)


def _fit(layer: Any, original: _Original, inputs: Iterator[list[Array]], ridge: float) -> None:
    """Solve min |X W - Y|^2 + ridge |W - W0|^2 for one layer, in place, from its inputs batch by batch."""
    kernel = np.asarray(layer.kernel, dtype=np.float64)
    start = kernel.reshape(-1, kernel.shape[-1])
    if layer.use_bias:
        start = np.concatenate([start, np.asarray(layer.bias, dtype=np.float64)[None]])
    gram, moment = np.zeros((len(start), len(start))), np.zeros(start.shape)
    recorded = zip(original.places, original.outputs, strict=True)
    for (places, outputs), (values,) in zip(recorded, inputs, strict=True):
        rows = original.reader.patches(values, places).astype(np.float64)
        if layer.use_bias:
            rows = np.concatenate([rows, np.ones((len(rows), 1))], axis=1)
        rows = _finite(rows, layer.name)
        gram += rows.T @ rows
        moment += rows.T @ (outputs - rows @ start)
    _set(layer, start + _solved(gram, moment, ridge))


def _finite(values: Array, name: str) -> Array:
    if not np.isfinite(values).all():
        raise ModelError(
            f"layer '{name}': expected finite inputs and outputs, received some that are not; "
            "check the model's weights and the calibration images"
        )
    return values


def _solved(gram: Array, moment: Array, ridge: float) -> Array:
    penalty = max(ridge * float(np.trace(gram)) / len(gram), np.finfo(np.float64).tiny)
    solution: Array = solve(gram + penalty * np.eye(len(gram)), moment, assume_a="pos")
    return solution


def _set(layer: Any, weights: Array) -> None:
    if layer.use_bias:
        layer.bias.assign(weights[-1])
        weights = weights[:-1]
    layer.kernel.assign(weights.reshape(tuple(layer.kernel.shape)))
