"""Recommended Tucker ranks by variational Bayesian matrix factorization (VBMF).

The global analytic solution of empirical VBMF for a fully observed matrix with unknown noise variance: S. Nakajima,
M. Sugiyama, S. D. Babacan, R. Tomioka, "Global Analytic Solution of Fully-observed Variational Bayesian Matrix
Factorization", JMLR 14 (2013); in the closed form, and with the noise variance bounds, of S. Nakajima, R. Tomioka,
M. Sugiyama, S. D. Babacan, "Condition for Perfect Dimensionality Recovery by Variational Bayesian PCA", JMLR 16
(2015). Notation as there: V is L x M with L <= M, alpha = L / M, gamma_h the singular values, sigma^2 the noise
variance, x_h = gamma_h^2 / (M sigma^2).
"""

import math

import numpy as np
import numpy.typing as npt
from scipy.optimize import brentq, minimize_scalar

from compress.errors import ModelError, ParameterError

Array = npt.NDArray[np.float64]

# The free energy has several local minima: the best of this many points, evenly spaced in log sigma^2, brackets the
# global one. Their spacing is below 0.01 for trained kernels and 0.15 for noise-free float64 matrices.
_GRID = 512
_ROUNDING = 1e-12


def vbmf_rank(matrix: npt.ArrayLike) -> int:
    """Rank of the signal in a matrix of shape (L, M) or (M, L): the components that empirical VBMF does not prune.

    0 where nothing stands out from noise. Singular values below the resolution of the matrix's dtype count as noise,
    and at most ceil(L / (1 + alpha)) - 1 components can count as signal.
    Raises ModelError unless the matrix has two dimensions, is not empty and is finite.
    """
    values, resolution = _checked_matrix(matrix), _resolution(matrix)
    rows, columns = sorted(values.shape)
    gamma = _singular_values(values, resolution)
    if gamma[0] == 0:
        return 0
    # Scaled against overflow; the floor keeps the free energy finite where the matrix has no noise at all, and hides
    # the rounding errors of a low-rank matrix, which are no homogeneous noise.
    gamma = np.maximum(gamma / gamma[0], resolution * math.sqrt(columns))
    energy = gamma**2 / columns
    threshold = _retention_threshold(rows / columns)
    return int(np.sum(energy > threshold * _noise_variance(energy, rows / columns, threshold)))


def vbmf_conv_ranks(kernel: npt.ArrayLike) -> tuple[int, int]:
    """(in rank, out rank) of a convolution kernel of shape (kh, kw, in, out); either is 0 if VBMF finds only noise.

    The in rank is that of the in-unfolding (in, kh * kw * out), the out rank that of (out, kh * kw * in).
    Raises ModelError unless the kernel has four dimensions, is not empty and is finite.
    """
    values = np.asarray(kernel)
    if values.ndim != 4:
        raise ModelError(f"expected a kernel of shape (kh, kw, in, out), received shape {values.shape}; use a Conv2D's")
    channels_in, channels_out = values.shape[2:]
    unfolded_in = np.moveaxis(values, 2, 0).reshape(channels_in, -1)
    unfolded_out = np.moveaxis(values, 3, 0).reshape(channels_out, -1)
    return vbmf_rank(unfolded_in), vbmf_rank(unfolded_out)


def calibrated_rank(rank: int, full: int, calibration: float) -> int:
    """NetsPresso's calibration of a recommended rank: rank + trunc((full - rank) * calibration), within [1, full].

    full: the layer's channels; calibration: in [-1, 1], above 0 gives back removed ranks, below 0 removes more.
    Raises ParameterError for values outside these bounds or a rank outside [0, full].
    """
    if full < 1 or not 0 <= rank <= full or not -1 <= calibration <= 1:
        raise ParameterError(
            f"expected 0 <= rank <= channels >= 1 and a calibration ratio in [-1, 1], "
            f"received rank {rank}, channels {full}, calibration ratio {calibration}; correct them"
        )
    change = (full - rank) * calibration
    guard = math.copysign((full - rank) * _ROUNDING, change)  # 100 * 0.29 is 28.999999999999996
    return min(full, max(1, rank + math.trunc(change + guard)))


def _retention_threshold(alpha: float) -> float:
    """The x above which a component survives, x = (1 + tau)(1 + alpha / tau) at the positive root tau of psi_1."""
    tau = brentq(lambda tau: float(_psi_1(np.asarray(tau), alpha)), math.sqrt(alpha), 10.0)
    return float((1 + tau) * (1 + alpha / tau))


def _psi_1(tau: Array, alpha: float) -> Array:
    """Free energy that keeping a component adds, over M: log(tau + 1) + alpha log(tau / alpha + 1) - tau."""
    return np.log1p(tau) + alpha * np.log1p(tau / alpha) - tau


def _free_energy(log_variance: npt.ArrayLike, energy: Array, alpha: float, threshold: float) -> Array:
    """Free energy over M at noise variances sigma^2, minimised over all else: sum_h x_h - log x_h + [kept] psi_1."""
    x = energy * np.exp(-np.asarray(log_variance))[..., None]
    excess = np.maximum(x, threshold) - (1 + alpha)
    tau = (excess + np.sqrt(excess**2 - 4 * alpha)) / 2
    free: Array = np.sum(x - np.log(x) + np.where(x > threshold, _psi_1(tau, alpha), 0.0), axis=-1)
    return free


def _noise_variance(energy: Array, alpha: float, threshold: float) -> float:
    """sigma^2 at the least free energy; energy: gamma_h^2 / M in descending order."""
    lower, upper = (math.log(bound) for bound in _noise_variance_bounds(energy, alpha, threshold))
    if upper - lower < _ROUNDING:
        return math.exp(upper)
    objective = (energy, alpha, threshold)
    grid = np.linspace(lower, upper, _GRID)
    best = int(np.argmin(_free_energy(grid, *objective)))
    interval = (grid[max(0, best - 1)], grid[min(_GRID - 1, best + 1)])
    minimum = minimize_scalar(_free_energy, bounds=interval, args=objective, method="bounded", options={"xatol": 1e-9})
    return math.exp(minimum.x)


def _noise_variance_bounds(energy: Array, alpha: float, threshold: float) -> tuple[float, float]:
    """Bounds of sigma^2: from at most ceil(L / (1 + alpha)) - 1 components being signal, to none."""
    signal = math.ceil(len(energy) / (1 + alpha)) - 1
    lower = max(float(energy[signal]) / threshold, float(np.mean(energy[signal:])))
    return lower, float(np.mean(energy))


def _singular_values(values: Array, resolution: float) -> Array:
    """Singular values in descending order; below the square root of float64's precision only if the resolution is."""
    if resolution < math.sqrt(np.finfo(np.float64).eps):
        exact: Array = np.linalg.svd(values, compute_uv=False).astype(np.float64)
        return exact
    # The eigenvalues of the small Gram matrix take a fifth of the time, and err by less than float32 resolves.
    gram = values @ values.T if values.shape[0] <= values.shape[1] else values.T @ values
    gamma: Array = np.sqrt(np.maximum(np.linalg.eigvalsh(gram)[::-1], 0.0))
    return gamma


def _resolution(matrix: npt.ArrayLike) -> float:
    precise = np.asarray(matrix).dtype in (np.float64, np.int64)
    return float(np.finfo(np.float64 if precise else np.float32).eps)


def _checked_matrix(matrix: npt.ArrayLike) -> Array:
    values = np.asarray(matrix, dtype=np.float64)
    if values.ndim != 2 or not values.size or not np.all(np.isfinite(values)):
        raise ModelError(
            f"expected a non-empty matrix of finite numbers, received shape {values.shape} with "
            f"{int(np.sum(~np.isfinite(values)))} values that are not finite; check the model's weights"
        )
    return values
