"""The acquisition of the layered sampler: an evolutionary search for the largest expected improvement."""

import numpy as np
from numpy.typing import NDArray
from scipy.special import log_ndtr, ndtr

from search.samplers.evolution import ELITES, Project, evolved
from search.samplers.surrogate import Surrogate

Floats = NDArray[np.float64]

_ELITES_EACH = 4
"""Proposals kept from round to round for each one that is to be chosen, where there are several."""


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

    Several are chosen one after the other, each as if those before it had scored what is expected of them.

    Args:
        surrogate: predicts scores.
        project: projects preferences onto the budget.
        seen: fractions that the tried candidates keep, (n, D).
        target: the score to improve on.
        lowest: the smallest preference; the largest is 1.
        rng: source of all random choices.
        count: how many to choose; fewer are returned where fewer untried candidates are found.
    """

    def improvement(kept: Floats) -> Floats:
        return log_expected_improvement(*surrogate.predict(kept), target)

    most = ELITES if count == 1 else max(ELITES, _ELITES_EACH * count)
    parents = seen[np.argsort(-surrogate.mean(seen), kind="stable")[:ELITES]]
    full = evolved(improvement, project, parents, lowest, rng, elites=most)
    # One by one: together they would be a gigabyte after some ten thousand trials.
    fresh = [not (np.abs(seen - kept).max(axis=1) < 1e-9).any() for kept in full.kept]
    chosen = np.flatnonzero(fresh) if any(fresh) else np.array([0])
    return np.asarray(full.wanted[chosen[one_after_another(surrogate, full.kept[chosen], target, count)]])


def one_after_another(surrogate: Surrogate, kept: Floats, target: float, count: int) -> NDArray[np.intp]:
    """Indices of at most ``count`` of the candidates (m, D), which are sorted by worth, in the order of their choice.

    Each has the largest expected improvement, as if those before it had scored what the surrogate expects: that leaves
    all means unchanged, and lowers the deviations of similar candidates.
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
