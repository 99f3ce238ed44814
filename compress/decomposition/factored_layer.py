"""Layers replaced by chains of smaller ones that multiply to their kernel: what all decompositions share."""

from collections.abc import Callable, Mapping, Sequence
from typing import Any

import numpy as np

from compress.cloning.layer_copy import copy_weights
from compress.cloning.layers import layers_by_name
from compress.cloning.rebuild import Chain, rebuild
from compress.cloning.whole_layer import copy_whole
from compress.decomposition.kernel_bases import Array, as_kernel
from compress.errors import ParameterError, excerpt

FREE = {"kernel_constraint": None}
"""Configuration of all parts of a chain: a constraint holds for the kernel, not for the factors that multiply to it."""

BARE = {
    **FREE,
    "use_bias": False,
    "activation": "linear",
    "bias_regularizer": None,
    "activity_regularizer": None,
}
"""Configuration of the parts of a chain before the last, which alone has the bias and the activation."""

POINTWISE = {"kernel_size": (1, 1), "strides": (1, 1), "dilation_rate": (1, 1), "padding": "valid"}


def replace_layers(model: Any, chains: Mapping[str, Chain], factors: Callable[[str, Array], Sequence[Array]]) -> Any:
    """A new functional model in which chains of new layers stand for some layers; all others are copied.

    Args:
        model: a functional Keras model; it is not modified.
        chains: unbuilt layers by the name of the layer that they replace.
        factors: kernels of a chain's layers, from the name and the kernel of the layer that it replaces.

    Raises:
        ModelError: a kernel that is not finite, or a layer that cannot be copied.
    """
    smaller = rebuild(model, lambda layer: chains.get(layer.name) or [copy_whole(layer)])
    made = layers_by_name(smaller)
    for name, layer in layers_by_name(model).items():
        if name in chains:
            bias = layer.bias if layer.use_bias else None
            set_factors(chains[name], layer, factors(name, as_kernel(layer.kernel, name)), bias)
        else:
            copy_weights(layer, made[name])
    return smaller


def set_factors(chain: Chain, replaced: Any, kernels: Sequence[Array], bias: Any | None) -> None:
    """Set the weights of a built chain, which training changes where it changes those of the layer that it replaces.

    Args:
        chain: the layers.
        replaced: the layer in whose place they are.
        kernels: one for each of them, in its shape.
        bias: of the last one, or None.
    """
    for layer, kernel in zip(chain, kernels, strict=True):
        layer.kernel.assign(kernel)
        layer.kernel.trainable = replaced.kernel.trainable
    if bias is not None:
        chain[-1].bias.assign(bias)
        chain[-1].bias.trainable = replaced.bias.trainable


def checked_rank(name: str, rank: object, most: int) -> None:
    """Refuse a single rank that is no whole number in [1, most].

    Raises:
        ParameterError: names the layer and the bounds.
    """
    if isinstance(rank, bool) or not isinstance(rank, int | np.integer) or not 1 <= rank <= most:
        raise ParameterError(
            f"rank of '{name}': expected a whole number from 1 to {most}, received {excerpt(rank)}; correct it"
        )
