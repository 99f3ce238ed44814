"""FLOPs of each layer type, in NPTK's convention, as products of channel counts.

FLOPs = 2 x multiply-accumulates + bias additions + pooling (window size x outputs; inputs for global pooling).
Batch normalization, activations, merges, padding and softmax count nothing.
"""

import math
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass
from types import MappingProxyType

from compress.graph.group import CoupledLabels, Node, WeightSpec, positions


@dataclass(frozen=True)
class Term:
    """A coefficient times the product of the channels of up to two tensors.

    Attributes:
        coefficient: operations, or elements, per unit of the product.
        channels: of the tensors; empty for a constant.
        macs: multiply-accumulates per unit of the product.
    """

    coefficient: int
    channels: tuple[CoupledLabels, ...]
    macs: int = 0


def weight_term(weight: WeightSpec) -> Term:
    """Number of elements of a weight."""
    fixed = math.prod(size for size, labels in zip(weight.shape, weight.labels, strict=True) if labels is None)
    return Term(fixed, tuple(labels for labels in weight.labels if labels is not None))


def _added(term: Term, times: int) -> Term:
    """FLOPs of adding a weight ``times`` times."""
    return Term(term.coefficient * times, term.channels)


def _multiplied(term: Term, times: int) -> Term:
    """FLOPs of multiplying and accumulating a weight ``times`` times, two operations each."""
    macs = term.coefficient * times
    return Term(2 * macs, term.channels, macs)


def _repeated(term: Term, times: int) -> Term:
    """FLOPs of computing a term ``times`` times."""
    return Term(term.coefficient * times, term.channels, term.macs * times)


def _affine(node: Node) -> Iterator[Term]:
    outputs = positions(node.output_shape)
    for weight in node.weights:
        yield (_added if weight.name == "bias" else _multiplied)(weight_term(weight), outputs)


def _transposed(node: Node) -> Iterator[Term]:
    """Every input position spreads over a window."""
    inputs, outputs = positions(node.input_shapes[0]), positions(node.output_shape)
    for weight in node.weights:
        term = weight_term(weight)
        yield _multiplied(term, inputs) if weight.name == "kernel" else _added(term, outputs)


def _pooling(node: Node) -> Iterator[Term]:
    yield Term(math.prod(node.pool_size) * positions(node.output_shape), (node.output,))


def _global_pooling(node: Node) -> Iterator[Term]:
    yield Term(positions(node.input_shapes[0]), (node.inputs[0],))


def _nothing(node: Node) -> Iterator[Term]:
    return iter(())


_UNCOUNTED_OPERATIONS = (
    *("Divide", "TrueDivide", "Power", "Where", "DivideNoNan", "FloorDivide", "Mod", "Hypot", "Arctan2"),
    *("Greater", "GreaterEqual", "Less", "LessEqual", "Equal", "NotEqual", "LogicalAnd", "LogicalOr", "LogicalNot"),
    *("Absolute", "Abs", "Negative", "Exp", "Expm1", "Log", "Log1p", "Sqrt", "Rsqrt", "Square", "Sign", "Reciprocal"),
    *("Sin", "Cos", "Tan", "Sinh", "Cosh", "Tanh", "Erf", "Clip", "Ceil", "Floor", "Round", "Copy", "Cast"),
    *("SaturateCast", "StopGradient", "ZerosLike", "OnesLike", "NanToNum", "Relu", "Relu6", "Sigmoid", "Softplus"),
    *("Softsign", "Silu", "LogSigmoid", "LeakyRelu", "HardSigmoid", "HardSilu", "Elu", "Selu", "Gelu", "Celu"),
    *("HardTanh", "TanhShrink", "SoftShrink", "HardShrink", "Threshold", "Squareplus", "LogSoftmax"),
    *("Transpose", "Swapaxes", "Moveaxis", "Squeeze", "ExpandDims", "Stack", "Split", "Unstack", "GetItem", "Repeat"),
    *("Flip", "Roll", "Pad", "PadImages", "CropImages", "Resize", "DepthToSpace", "SpaceToDepth"),
)
"""Operations of keras.ops that are elementwise or only move elements."""


def _reduction(node: Node) -> Iterator[Term]:
    """As global pooling: the inputs, whichever axes they are reduced over."""
    fixed = [size for axis, size in enumerate(node.input_shapes[0]) if axis not in (0, node.input_axes[0])]
    yield Term(positions((None, *fixed, None)), (node.inputs[0],))


def _of_ranks(name: str, ranks: Iterable[int] = (1, 2, 3)) -> tuple[str, ...]:
    return tuple(name.format(rank) for rank in ranks)


FLOPS: Mapping[str, Callable[[Node], Iterable[Term]]] = MappingProxyType(
    {
        **dict.fromkeys((*_of_ranks("Conv{}D"), *_of_ranks("DepthwiseConv{}D"), "Dense"), _affine),
        **dict.fromkeys(_of_ranks("SeparableConv{}D", (1, 2)), _affine),
        **dict.fromkeys(_of_ranks("Conv{}DTranspose"), _transposed),
        **dict.fromkeys(
            (*_of_ranks("MaxPooling{}D"), *_of_ranks("AveragePooling{}D"), "MaxPool", "AveragePool"), _pooling
        ),
        **dict.fromkeys((*_of_ranks("GlobalMaxPooling{}D"), *_of_ranks("GlobalAveragePooling{}D")), _global_pooling),
        **dict.fromkeys(("Mean", "Sum", "Max", "Min", "Amax", "Amin"), _reduction),
        **dict.fromkeys(
            (
                *("InputLayer", "BatchNormalization", "GroupNormalization", "LayerNormalization"),
                *("UnitNormalization", "RMSNormalization", "Rescaling", "Normalization", "LayerScale"),
                *("Activation", "ReLU", "LeakyReLU", "ELU", "PReLU", "Softmax", "Identity", "ActivityRegularization"),
                *("Add", "Subtract", "Multiply", "Average", "Maximum", "Minimum", "Concatenate", "CustomScaleLayer"),
                *("Dropout", "AlphaDropout", "GaussianDropout", "GaussianNoise", "StochasticDepth"),
                *_of_ranks("SpatialDropout{}D"),
                *("Flatten", "Reshape", "Permute", "RepeatVector"),
                *_of_ranks("ZeroPadding{}D"),
                *_of_ranks("Cropping{}D"),
                *_of_ranks("UpSampling{}D"),
                *("Resizing", "CenterCrop", "RandomBrightness", "RandomContrast", "RandomCrop", "RandomFlip"),
                *("RandomPerspective", "RandomRotation", "RandomShear", "RandomTranslation", "RandomZoom"),
                *_UNCOUNTED_OPERATIONS,
            ),
            _nothing,
        ),
    }
)
"""FLOPs terms by layer class name."""


def flops_terms(node: Node) -> tuple[Term, ...] | None:
    """FLOPs of one call of a layer as a sum of terms, or None where it is not known how to count them."""
    if node.inside is not None:
        times = positions((None, node.output_shape[1], None))
        terms = flops_terms(node.inside)
        return None if terms is None else tuple(_repeated(term, times) for term in terms)
    if node.ruled_by_user and node.understood:
        # A scale or a shift is elementwise; what is done with a matrix or a kernel the rule does not say.
        return None if any(sum(size > 1 for size in weight.shape) > 1 for weight in node.weights) else ()
    counted = FLOPS.get(node.kind)
    if counted is None or not (node.understood or counted in (_nothing, _reduction)):
        return None
    return tuple(counted(node))
