"""Layer norms: how one layer's channel scores are scaled before they are combined with those of other layers."""

from collections.abc import Callable, Mapping
from typing import Literal

import numpy as np
from numpy.typing import NDArray

Floats = NDArray[np.float64]
LayerNorm = Literal["none", "standard_score", "tss_norm", "linear_scaling", "softmax_norm"]


def normalized(scores: Floats, norm: LayerNorm) -> Floats:
    """Scores of all channels of one layer on a common scale, shape (channels,).

    The names are NetsPresso's (PyNetsPresso, "Pruning Options"). Every one keeps the order of the layer's channels;
    equal scores, which have no scale, become zeros (``softmax_norm``: equal shares).

    - ``none``: as they are.
    - ``standard_score``: (x - mean) / standard deviation.
    - ``tss_norm``: total sum scaling, x / sum of all x.
    - ``linear_scaling``: (x - min) / (max - min), in [0, 1].
    - ``softmax_norm``: exp(x) / sum of all exp(x).
    """
    return _NORMS[norm](scores)


def _unchanged(scores: Floats) -> Floats:
    return scores


def _standard_score(scores: Floats) -> Floats:
    return _divided(scores - scores.mean(), float(scores.std()) if np.ptp(scores) > 0 else 0.0)


def _total_sum_scaling(scores: Floats) -> Floats:
    return _divided(scores, float(scores.sum()))


def _linear_scaling(scores: Floats) -> Floats:
    return _divided(scores - scores.min(), float(np.ptp(scores)))


def _softmax(scores: Floats) -> Floats:
    # Less the largest: exp cannot overflow.
    powers = np.exp(scores - scores.max())
    return _divided(powers, float(powers.sum()))


def _divided(scores: Floats, scale: float) -> Floats:
    return scores / scale if scale else np.zeros_like(scores)


_NORMS: Mapping[LayerNorm, Callable[[Floats], Floats]] = {
    "none": _unchanged,
    "standard_score": _standard_score,
    "tss_norm": _total_sum_scaling,
    "linear_scaling": _linear_scaling,
    "softmax_norm": _softmax,
}
