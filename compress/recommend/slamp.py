"""SLAMP: layer-adaptive magnitude pruning (LAMP) of whole channels, for recommended pruning ratios."""

from collections.abc import Mapping

import numpy as np
import numpy.typing as npt

from compress.errors import ModelError, excerpt
from compress.parameters import kept_channels

Vector = npt.NDArray[np.float64]


def slamp_scores(energy: npt.ArrayLike) -> Vector:
    """SLAMP score of each channel of one group, shape (C,) -> (C,), in the order given.

    energy: s_i, the sum of squared weights of channel i. With s sorted ascending, score_i = s_i / sum_{j >= i} s_j:
    LAMP (Lee et al., "Layer-adaptive sparsity for the magnitude-based pruning", ICLR 2021, eq. 2) with channels in
    the place of weights. The top channel scores exactly 1, every other at most 1/2; of equal energies the later
    channel scores higher. In a group without any energy all other channels score 0.
    Raises ModelError unless the energies are a non-empty vector of finite numbers >= 0.
    """
    values = _checked_energy(energy)
    order = np.argsort(values, kind="stable")
    ascending = values[order] / (values[order[-1]] or 1.0)  # scaled, so that the sums cannot overflow
    remaining = np.cumsum(ascending[::-1])[::-1]
    scores = np.empty_like(values)
    scores[order] = np.divide(ascending, remaining, out=np.zeros_like(values), where=remaining > 0)
    scores[order[-1]] = 1.0
    return scores


def slamp_ratios(energies: Mapping[str, npt.ArrayLike], ratio: float) -> dict[str, float]:
    """Recommended pruning ratio of every group, in the order given.

    Ranks all channels of all groups together by SLAMP score and keeps the top (1 - ratio) fraction of channels, at
    least one in each group; a group's ratio is its removed fraction, and `kept_channels` turns it back into exactly
    the channels that were kept. Equal scores are ordered by group name, then channel, whatever order is given.
    energies: group name -> sum of squared weights per channel, shape (C,).
    Raises ParameterError for a ratio outside [0, 1), ModelError for malformed energies.
    """
    scores = {name: slamp_scores(energies[name]) for name in sorted(energies)}
    if not scores:
        return {}
    groups = np.repeat(np.arange(len(scores)), [len(group) for group in scores.values()])
    # Every group's top channel has the score 1, so keeping as many channels as groups keeps one of each.
    total = max(len(scores), kept_channels(len(groups), ratio))
    ranking = np.argsort(-np.concatenate(list(scores.values())), kind="stable")
    kept = np.bincount(groups[ranking[:total]], minlength=len(scores))
    ratios = {name: 1 - int(count) / len(scores[name]) for name, count in zip(scores, kept, strict=True)}
    return {name: ratios[name] for name in energies}


def _checked_energy(energy: npt.ArrayLike) -> Vector:
    values = np.asarray(energy, dtype=np.float64)
    if values.ndim != 1 or not values.size or not np.all(np.isfinite(values)) or np.any(values < 0):
        raise ModelError(
            f"expected channel energies to be a vector of finite numbers >= 0, received shape {values.shape}, "
            f"values {excerpt(values)}; check the model's weights"
        )
    return values
