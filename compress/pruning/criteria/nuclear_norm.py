"""The nuclear norm of feature maps, made of a few images, as importance of channels."""

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import keras
import numpy as np
from numpy.typing import NDArray

from compress.cloning.walk import Call, calls
from compress.errors import DataError, ModelError
from compress.graph.channel_graph import ChannelGraph
from compress.graph.group import KeptChannels
from compress.pruning.criterion import Floats, Images, LayerScores, scored_nodes

_CHUNK = 16
"""Images per forward pass: the feature maps of all layers are held at once."""

_FOLLOWED = (
    keras.layers.BatchNormalization,
    keras.layers.Activation,
    keras.layers.ReLU,
    keras.layers.LeakyReLU,
    keras.layers.PReLU,
    keras.layers.ELU,
)
"""A layer's feature map is what it becomes behind these."""


@dataclass(frozen=True, eq=False)
class NuclearNorm:
    """Sum of the singular values of each channel's feature map, averaged over images: poor maps go.

    Yeom, Shim and Hwang, "Toward compact deep neural networks via energy-aware pruning", 2021 (arXiv:2103.10858). The
    feature map is the layer's output after the normalization and activation that only it feeds: what the next layers
    read. A map of one spatial position is a matrix of one number, and its nuclear norm that number's magnitude.

    Attributes:
        images: what the model reads, normalized, shape (images, ...); one array for each input of the model.
    """

    images: tuple[NDArray[Any], ...]

    def scores(self, model: Any, graph: ChannelGraph, wanted: KeptChannels) -> Iterator[LayerScores]:
        """The average nuclear norm of every channel of the layers that hold a wanted label.

        Raises:
            DataError: no images, or images that do not have the shape of the model's inputs.
            ModelError: a feature map that is not finite.
        """
        nodes = [node for node, _, _ in scored_nodes(model, graph, wanted)]
        self._check(model)
        if not nodes:
            return
        maps = _feature_maps(model)
        reader = keras.Model(model.inputs, [maps[node.layer] for node in nodes])
        count = len(self.images[0])
        totals = [np.zeros(node.output.size) for node in nodes]
        for start in range(0, count, _CHUNK):
            read = reader([images[start : start + _CHUNK] for images in self.images], training=False)
            outputs = keras.tree.flatten(read)  # Of one layer alone Keras returns the feature map itself, and no list.
            for node, total, output in zip(nodes, totals, outputs, strict=True):
                total += nuclear_norms(_finite(node.layer, np.asarray(output))).sum(axis=0)
        for node, total in zip(nodes, totals, strict=True):
            yield LayerScores(node.layer, node.output, total / count)

    def _check(self, model: Any) -> None:
        expected = [tuple(tensor.shape[1:]) for tensor in model.inputs]
        received = [images.shape[1:] for images in self.images]
        counts = {len(images) for images in self.images}
        fits = len(expected) == len(received) and all(map(_fits, received, expected))
        if not fits or len(counts) != 1 or 0 in counts:
            raise DataError(
                f"nuclear norm: expected at least one image for each of the model's inputs {expected}, "
                f"received arrays of shape {[images.shape for images in self.images]}"
            )


def nuclear_norms(maps: NDArray[Any]) -> Floats:
    """Sum of the singular values of each feature map, shape (images, ..., channels) -> (images, channels).

    A map is the matrix of its first spatial axis by all others.
    """
    moved = np.moveaxis(maps.astype(np.float64), -1, 1)
    rows = moved.shape[2] if moved.ndim > 2 else 1
    matrices = moved.reshape(*moved.shape[:2], rows, -1)
    norms: Floats = np.linalg.svd(matrices, compute_uv=False).sum(axis=-1)
    return norms


def _finite(layer: str, maps: NDArray[Any]) -> NDArray[Any]:
    if not np.isfinite(maps).all():
        raise ModelError(
            f"layer '{layer}': expected finite feature maps, received NaN or infinity; check the weights and the images"
        )
    return maps


def _fits(received: tuple[int, ...], expected: tuple[int | None, ...]) -> bool:
    return len(received) == len(expected) and all(
        size in (None, given) for given, size in zip(received, expected, strict=True)
    )


def _feature_maps(model: Any) -> dict[str, Any]:
    """The tensor that holds each layer's feature map, by the layer's name, at the layer's first call."""
    model_calls = list(calls(model))
    readers: dict[int, list[Call]] = {}
    for call in model_calls:
        for tensor in call.inputs:
            readers.setdefault(id(tensor), []).append(call)
    ends = {id(tensor) for tensor in model.outputs}
    maps: dict[str, Any] = {}
    for call in model_calls:
        maps.setdefault(call.layer.name, _last(call.outputs[0], readers, ends))
    return maps


def _last(tensor: Any, readers: dict[int, list[Call]], ends: set[int]) -> Any:
    """The tensor behind the normalization and activation, as long as nothing else reads what they do."""
    while id(tensor) not in ends and len(readers.get(id(tensor), [])) == 1:
        (reader,) = readers[id(tensor)]
        if type(reader.layer) not in _FOLLOWED:
            break
        tensor = reader.outputs[0]
    return tensor


def criterion(images: Images) -> NuclearNorm:
    """The criterion on these images."""
    return NuclearNorm(images())
