"""The choice of the next candidates by a surrogate: an evolutionary search for the largest expected improvement."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Self

import numpy as np
from numpy.typing import NDArray
from scipy.special import log_ndtr, ndtr

from search.samplers.surrogate import Surrogate

Floats = NDArray[np.float64]
Project = Callable[[Floats, bool], Floats]
"""Preferences (N, D) to the fractions (N, D) that candidates keep, each just within the budget; whether to fill up."""

_ROUNDS, _POPULATION, _ELITES = 10, 160, 20
_FRESH = 40
"""Proposals of the first round that are random; the others descend from the best so far."""

_ELITES_EACH = 4
"""Proposals that are kept for each that is chosen, where several are."""

_MIXES = (0.0, 0.0, 0.2, 0.5)
"""Shares of dimensions that a descendant takes from a second parent."""

_CHANGES = (0.15, 0.4, 0.8)
"""Standard deviations of the logarithm by which preferences change."""


@dataclass(frozen=True)
class _Pool:
    """Proposals, what they keep, and what they are worth: (N, D), (N, D) and (N,)."""

    wanted: Floats
    kept: Floats
    worth: Floats

    def best(self, count: int) -> Self:
        """The most worthy, each candidate once."""
        _, first = np.unique(np.round(self.kept, 6), axis=0, return_index=True)
        order = first[np.argsort(-self.worth[first], kind="stable")][:count]
        return type(self)(self.wanted[order], self.kept[order], self.worth[order])

    def joined(self, other: "_Pool") -> Self:
        """The proposals of both pools."""
        pairs = ((self.wanted, other.wanted), (self.kept, other.kept), (self.worth, other.worth))
        return type(self)(*(np.concatenate(pair) for pair in pairs))


def propose(
    surrogate: Surrogate,
    project: Project,
    seen: Floats,
    target: float,
    lowest: float,
    rng: np.random.Generator,
    count: int = 1,
) -> Floats:
    """Preferences (count, D) of the candidates with the largest expected improvement on a target.

    An evolutionary search over candidates that all meet the budget: descendants of the best change a few preferences
    or mix two parents, and are projected. Several are chosen one after the other, each as if those before it had scored
    what is expected of them.

    Args:
        surrogate: predicts scores.
        project: brings preferences to the budget.
        seen: what the candidates that were tried keep, (n, D).
        target: the score to improve on.
        lowest: the smallest preference; the largest is 1.
        rng: of all random choices.
        count: how many to choose; fewer are returned where there are not so many that were not tried.
    """
    most = _ELITES if count == 1 else max(_ELITES, _ELITES_EACH * count)
    parents = seen[np.argsort(-surrogate.mean(seen), kind="stable")[:_ELITES]]

    def pool(wanted: Floats, fill: bool = False) -> _Pool:
        kept = project(wanted, fill)
        return _Pool(wanted, kept, log_expected_improvement(*surrogate.predict(kept), target))

    elites = pool(np.clip(parents, lowest, 1)).joined(pool(rng.uniform(lowest, 1, (_FRESH, seen.shape[1]))))
    for _ in range(_ROUNDS):
        elites = elites.joined(pool(_descendants(elites.kept, lowest, rng))).best(most)
    full = pool(elites.wanted, fill=True).best(most)
    # One by one: together they would be a gigabyte after some ten thousand trials.
    fresh = [not (np.abs(seen - kept).max(axis=1) < 1e-9).any() for kept in full.kept]
    chosen = np.flatnonzero(fresh) if any(fresh) else np.array([0])
    return np.asarray(full.wanted[chosen[one_after_another(surrogate, full.kept[chosen], target, count)]])


def one_after_another(surrogate: Surrogate, kept: Floats, target: float, count: int) -> NDArray[np.intp]:
    """Which of candidates (m, D) to choose, most worthy first, at most ``count``.

    Each is the one with the largest expected improvement as if those before it had scored what is expected of them:
    that leaves all means, and lowers the deviations of what is like them.
    """
    if count == 1:
        return np.array([0])
    mean, covariance, noise = surrogate.joint(kept)
    chosen: list[int] = []
    for _ in range(min(count, len(kept))):
        deviation = np.sqrt(np.maximum(np.diag(covariance), 1e-9 * noise))
        worth = log_expected_improvement(mean, deviation, target)
        worth[chosen] = -np.inf
        best = int(np.argmax(worth))
        chosen.append(best)
        column = covariance[:, best]
        covariance = covariance - np.outer(column, column) / (column[best] + noise)
    return np.array(chosen)


def _descendants(parents: Floats, lowest: float, rng: np.random.Generator) -> Floats:
    """Proposals (N, D) from what parents (n, D) keep."""
    shape = (_POPULATION, parents.shape[1])
    first, second = (parents[rng.integers(0, len(parents), _POPULATION)] for _ in range(2))
    mixed = np.where(rng.random(shape) < rng.choice(_MIXES, (_POPULATION, 1)), second, first)
    # Between about one and a third of the dimensions.
    rate = np.exp(rng.uniform(np.log(min(0.35, 1.5 / shape[1])), np.log(0.35), (_POPULATION, 1)))
    change = rng.choice(_CHANGES, (_POPULATION, 1)) * rng.normal(size=shape) * (rng.random(shape) < rate)
    return np.asarray(np.clip(mixed * np.exp(change), lowest, 1))


def log_expected_improvement(mean: Floats, deviation: Floats, target: float) -> Floats:
    """Logarithm of the expected excess over a target, (N,), also where it is too small for a float.

    Ament et al. 2023, "Unexpected Improvements to Expected Improvement for Bayesian Optimization".
    """
    z = (mean - target) / deviation
    density = np.exp(-(z**2) / 2) / np.sqrt(2 * np.pi)
    near = np.log(np.maximum(density + z * ndtr(z), 1e-300))
    # Far below, the excess is the density times 1 + z ndtr / density, about 1 / z squared.
    far = np.minimum(z, -1.0)
    ratio = far * np.exp(log_ndtr(far) + far**2 / 2) * np.sqrt(2 * np.pi)
    tail = -(far**2) / 2 - np.log(np.sqrt(2 * np.pi)) + np.log(np.maximum(1 + ratio, 1 / (far**2 + 3)))
    return np.asarray(np.log(deviation) + np.where(z > -1, near, tail))
