"""The surrogate: a Gaussian process that predicts scores from the fractions that candidates keep."""

from dataclasses import dataclass
from functools import cached_property
from typing import Self

import numpy as np
from numpy.typing import NDArray
from scipy.linalg import LinAlgError, cho_factor, cho_solve, solve_triangular
from scipy.linalg.lapack import dpotri
from scipy.optimize import minimize

Floats = NDArray[np.float64]

_LEVEL, _SLOPE = 4.0, 1.0
"""Prior variances of the level and of the slope along each guess of the losses: large, so that data decide."""

_JITTER = 1e-6
_ITERATIONS = 20
_FITTED = 150
"""Candidates that the variances are fitted to, spread evenly over the scores: the cost grows with their cube."""

_OUTLIERS = 1.5
"""Interquartile ranges below the lower quartile at which scores are clipped: how bad a failure is means nothing."""


@dataclass(frozen=True)
class Hyperparameters:
    """Variances of the kernel's parts, relative to the variance of the scores, and a length scale.

    Attributes:
        linear: variance of every dimension's slope.
        quadratic: variance of every dimension's curvature.
        joint: variance of the Matern part, of several dimensions together.
        length: length scale of the Matern part, in the root mean square difference of unrelated candidates.
        noise: variance of the noise of a score.
    """

    linear: float = 0.5
    quadratic: float = 0.3
    joint: float = 0.3
    length: float = 1.0
    noise: float = 0.05

    @classmethod
    def of_logs(cls, logs: Floats) -> Self:
        """Hyperparameters from their logarithms (5,), in the order of the attributes."""
        return cls(*np.exp(logs).tolist())

    @property
    def logs(self) -> Floats:
        """Their logarithms, in the order of the attributes, shape (5,)."""
        return np.log([self.linear, self.quadratic, self.joint, self.length, self.noise])


@dataclass(frozen=True)
class PriorLosses:
    """Guesses of what candidates lose: each is the mean of weight x (1 - f)^power over what they keep of dimensions.

    Attributes:
        weights: how much each dimension might matter, a row for every guess, (k, D).
        powers: how its loss grows with what is removed, (k, D).
        rest: what is expected of the variances that the guesses leave.
    """

    weights: Floats
    powers: Floats
    rest: Hyperparameters = Hyperparameters()

    @classmethod
    def squares(cls, weights: Floats) -> Self:
        """Losses that grow with the square of what is removed, by weights (k, D) of mean 1 each."""
        return cls(weights, np.full(weights.shape, 2.0))

    def joined(self, other: "PriorLosses") -> Self:
        """The guesses of both, and what the other one's leave."""
        weights, powers = np.concatenate([self.weights, other.weights]), np.concatenate([self.powers, other.powers])
        return type(self)(weights, powers, other.rest)

    def of(self, kept: Floats) -> Floats:
        """What candidates that keep (n, D) are guessed to lose, (n, k)."""
        lost = 1 - kept
        rows = [lost**powers @ weights for weights, powers in zip(self.weights, self.powers, strict=True)]
        return np.asarray(np.stack(rows, axis=1) / kept.shape[1])


_PRIOR_DEVIATION = np.array([1.5, 1.5, 1.5, 0.7, 1.5])
_BOUNDS = [(-9.0, 4.0), (-9.0, 4.0), (-9.0, 4.0), (-2.0, 2.0), (-8.0, 1.0)]


@dataclass(frozen=True)
class _Grams:
    """Kernel matrices (n, m) between n and m candidates, before they are multiplied by their variances."""

    trend: Floats
    linear: Floats
    quadratic: Floats
    distance: Floats

    @classmethod
    def of(cls, first: Floats, second: Floats, prior: PriorLosses) -> Self:
        """Of fractions kept, (n, D) and (m, D)."""
        lost, others, mean = 1 - first, 1 - second, 1 / first.shape[1]
        distance = (lost**2).sum(1)[:, None] + (others**2).sum(1) - 2 * lost @ others.T
        return cls(
            _trend(first, prior) @ _trend(second, prior).T,
            4 * mean * lost @ others.T,
            4 * mean * lost**2 @ (others**2).T,
            12 * mean * np.maximum(distance, 0),
        )

    def covariance(self, of: Hyperparameters, joint: Floats | None = None) -> Floats:
        """Prior covariance of their scores, without noise; `joint` is the Matern correlation, where it is known."""
        if joint is None:
            joint = _matern(self.distance / of.length**2)[0]
        return np.asarray(self.trend + of.linear * self.linear + of.quadratic * self.quadratic + of.joint * joint)


class Surrogate:
    """Gaussian process of scores over kept fractions, with a prior that suits compression.

    The mean falls with what one or several guesses say that candidates lose, and data decide how much of each is true;
    every dimension has a slope and a curvature of its own besides; a Matern 5/2 process adds what dimensions do
    together (Rasmussen & Williams 2006, chapters 2 and 5). Variances maximize the posterior density. So it knows after
    a few scores what a general process must learn in every dimension.

    Args:
        kept: fractions that candidates keep, (n, D).
        scores: what they scored, higher is better, (n,).
        prior: guesses of what candidates lose.
    """

    def __init__(self, kept: Floats, scores: Floats, prior: PriorLosses) -> None:
        self._kept, self._prior = kept, prior
        fence = np.quantile(scores, 0.25) - _OUTLIERS * np.subtract(*np.quantile(scores, [0.75, 0.25]))
        clipped = np.maximum(scores, fence)
        self._level, self._unit = float(clipped.mean()), float(clipped.std()) or 1.0
        self._targets = (clipped - self._level) / self._unit
        spread = np.argsort(clipped, kind="stable")[np.linspace(0, len(kept) - 1, min(len(kept), _FITTED)).astype(int)]
        grams, targets = _Grams.of(kept[spread], kept[spread], prior), self._targets[spread]
        fitted = minimize(
            lambda logs: _negative_log_posterior(logs, grams, targets, prior.rest),
            prior.rest.logs,
            jac=True,
            method="L-BFGS-B",
            bounds=_BOUNDS,
            options={"maxiter": _ITERATIONS},
        )
        self._parts = Hyperparameters.of_logs(fitted.x)

    @cached_property
    def _solved(self) -> tuple[tuple[Floats, bool], Floats]:
        grams = _Grams.of(self._kept, self._kept, self._prior)
        factor = _factor(grams.covariance(self._parts), self._parts.noise)
        return factor, cho_solve(factor, self._targets)

    def mean(self, kept: Floats) -> Floats:
        """Expected scores of candidates (m, D), shape (m,)."""
        return self.predict(kept)[0]

    def predict(self, kept: Floats) -> tuple[Floats, Floats]:
        """Expected scores of candidates (m, D), and their standard deviations without noise, (m,) each."""
        (factor, _), weights = self._solved
        covariance = _Grams.of(kept, self._kept, self._prior).covariance(self._parts)
        explained = solve_triangular(factor, covariance.T, lower=True, check_finite=False)
        variance = np.maximum(self._prior_variance(kept) - (explained**2).sum(0), 1e-12)
        return covariance @ weights * self._unit + self._level, np.sqrt(variance) * self._unit

    def joint(self, kept: Floats) -> tuple[Floats, Floats, float]:
        """Expected scores of candidates (m, D), (m,), their covariance without noise, (m, m), and variance of noise."""
        (factor, _), weights = self._solved
        covariance = _Grams.of(kept, self._kept, self._prior).covariance(self._parts)
        explained = solve_triangular(factor, covariance.T, lower=True, check_finite=False)
        prior = _Grams.of(kept, kept, self._prior).covariance(self._parts)
        noise = (self._parts.noise + _JITTER) * self._unit**2
        mean = covariance @ weights * self._unit + self._level
        return mean, (prior - explained.T @ explained) * self._unit**2, noise

    def _prior_variance(self, kept: Floats) -> Floats:
        squares = (1 - kept) ** 2
        own = self._parts.linear * squares + self._parts.quadratic * squares**2
        trend = (_trend(kept, self._prior) ** 2).sum(1)
        return np.asarray(trend + 4 * own.mean(1) + self._parts.joint)

    def fantasize(self, kept: Floats) -> "Surrogate":
        """This model as if candidates (m, D) had scored what it expects, which lowers its deviation around them."""
        if not len(kept):
            return self
        other = object.__new__(Surrogate)
        other._kept = np.concatenate([self._kept, kept])
        other._prior, other._parts = self._prior, self._parts
        other._level, other._unit = self._level, self._unit
        other._targets = np.concatenate([self._targets, (self.mean(kept) - self._level) / self._unit])
        return other


def _trend(kept: Floats, prior: PriorLosses) -> Floats:
    """The level, and what each guess says is lost, in standard deviations of their prior, (n, 1 + k)."""
    level = np.full((len(kept), 1), np.sqrt(_LEVEL))
    return np.concatenate([level, 3 * np.sqrt(_SLOPE) * prior.of(kept)], axis=1)


def _matern(distance: Floats) -> tuple[Floats, Floats]:
    """Matern 5/2 correlation at squared distances in length scales, and its derivative by the log of the length."""
    r = np.sqrt(5 * distance + 1e-12)
    decay = np.exp(-r)
    return (1 + r + r**2 / 3) * decay, r**2 / 3 * (1 + r) * decay


def _factor(covariance: Floats, noise: float) -> tuple[Floats, bool]:
    """Cholesky factor of the covariance of noisy scores."""
    noisy = covariance.copy()
    noisy[np.diag_indices_from(noisy)] += noise + _JITTER
    factor: tuple[Floats, bool] = cho_factor(noisy, lower=True, check_finite=False)
    return factor


def _negative_log_posterior(
    logs: Floats, grams: _Grams, targets: Floats, expected: Hyperparameters
) -> tuple[float, Floats]:
    """Of the hyperparameters' logarithms, up to a constant, and its gradient (Rasmussen & Williams 2006, eq. 5.9)."""
    parts = Hyperparameters.of_logs(logs)
    joint, by_length = _matern(grams.distance / parts.length**2)
    try:
        factor = _factor(grams.covariance(parts, joint), parts.noise)
    except LinAlgError:  # Too little noise for float64: refused by a large value.
        return 1e9, np.zeros(len(logs))
    weights = cho_solve(factor, targets, check_finite=False)
    slope = (_inverse(factor) - np.outer(weights, weights)) / 2
    changes = (parts.linear * grams.linear, parts.quadratic * grams.quadratic, parts.joint * joint)
    gradient = [float(np.vdot(slope, change)) for change in (*changes, parts.joint * by_length)]
    away = (logs - expected.logs) / _PRIOR_DEVIATION
    value = targets @ weights / 2 + np.log(np.diag(factor[0])).sum() + away @ away / 2
    return float(value), np.array([*gradient, parts.noise * np.trace(slope)]) + away / _PRIOR_DEVIATION


def _inverse(factor: tuple[Floats, bool]) -> Floats:
    """Inverse of the factored matrix, with a third of the work of solving for the identity."""
    lower, _ = dpotri(factor[0], lower=1)
    lower = np.tril(lower)
    return np.asarray(lower + np.tril(lower, -1).T)
