"""FLOPs of each layer type, in NPTK's convention, as products of channel counts.

FLOPs = 2 x multiply-accumulates + bias additions + pooling (window size x outputs; inputs for global pooling).
Batch normalization, activations, merges, padding and softmax count nothing.
"""

import math
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass
from types import MappingProxyType

from compress.group import Site, Slots, WeightSpec, positions


@dataclass(frozen=True)
class Term:
    """coefficient x product of the channels of up to two tensors."""

    coefficient: int
    channels: tuple[Slots, ...]


def weight_term(weight: WeightSpec) -> Term:
    """Number of elements of a weight."""
    fixed = math.prod(size for size, slots in zip(weight.shape, weight.slots, strict=True) if slots is None)
    return Term(fixed, tuple(slots for slots in weight.slots if slots is not None))


def _times(term: Term, factor: int) -> Term:
    return Term(term.coefficient * factor, term.channels)


def _affine(site: Site) -> Iterator[Term]:
    outputs = positions(site.output_shape)
    for weight in site.weights:
        yield _times(weight_term(weight), 2 * outputs if weight.name == "kernel" else outputs)


def _pooling(site: Site) -> Iterator[Term]:
    yield Term(math.prod(site.pool_size) * positions(site.output_shape), (site.output,))


def _global_pooling(site: Site) -> Iterator[Term]:
    yield Term(positions(site.input_shapes[0]), (site.inputs[0],))


def _nothing(site: Site) -> Iterator[Term]:
    return iter(())


FLOPS: Mapping[str, Callable[[Site], Iterable[Term]]] = MappingProxyType(
    {
        **dict.fromkeys(("Conv2D", "DepthwiseConv2D", "Dense"), _affine),
        **dict.fromkeys(("MaxPooling2D", "AveragePooling2D"), _pooling),
        **dict.fromkeys(("GlobalMaxPooling2D", "GlobalAveragePooling2D"), _global_pooling),
        **dict.fromkeys(
            (
                *("InputLayer", "BatchNormalization", "Activation", "ReLU", "LeakyReLU", "ELU", "PReLU", "Softmax"),
                *("Add", "Subtract", "Multiply", "Average", "Maximum", "Minimum", "Concatenate", "Identity"),
                *("Dropout", "SpatialDropout2D", "GaussianDropout", "GaussianNoise", "Flatten", "Reshape", "Permute"),
                *("ZeroPadding2D", "Cropping2D", "UpSampling2D", "Rescaling", "Normalization"),
            ),
            _nothing,
        ),
    }
)
"""FLOPs terms by layer class name."""


def flops_terms(site: Site) -> tuple[Term, ...] | None:
    """FLOPs of one call of a layer as a sum of terms, or None where it is not known how to count them."""
    counted = FLOPS.get(site.kind)
    if counted is None or not (site.understood or counted is _nothing):
        return None
    return tuple(counted(site))
