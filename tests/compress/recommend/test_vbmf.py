import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from compress.errors import ModelError, ParameterError
from compress.recommend.vbmf import (
    _free_energy,
    _noise_variance,
    _retention_threshold,
    calibrated_rank,
    vbmf_conv_ranks,
    vbmf_rank,
)

SIZES = [(30, 30, 5), (40, 100, 10), (64, 576, 20), (16, 144, 4), (128, 256, 30)]


def low_rank(seed, rows, columns, rank):
    generator = np.random.default_rng(seed)
    return generator.normal(size=(rows, rank)) @ generator.normal(size=(rank, columns))


def noise(seed, *shape):
    return np.random.default_rng(1000 + seed).normal(size=shape)


@pytest.mark.parametrize("seed", range(4))
@pytest.mark.parametrize(("rows", "columns", "rank"), SIZES)
def test_recovers_planted_rank(rows, columns, rank, seed):
    matrix = low_rank(seed, rows, columns, rank) + 0.3 * noise(seed, rows, columns)
    assert vbmf_rank(matrix) == rank
    assert vbmf_rank(matrix.T) == rank
    assert vbmf_rank(1e-3 * matrix) == rank
    assert vbmf_rank(matrix.astype(np.float32)) == rank


@pytest.mark.parametrize("seed", range(4))
@pytest.mark.parametrize(("rows", "columns", "_"), SIZES)
def test_pure_noise_has_rank_0(rows, columns, _, seed):
    assert vbmf_rank(noise(seed, rows, columns)) == 0


@pytest.mark.parametrize("scale", [1.0, 1e200, 1e-200])
@pytest.mark.parametrize(("rows", "columns", "rank"), SIZES)
def test_noise_free_low_rank(rows, columns, rank, scale):
    assert vbmf_rank(scale * low_rank(7, rows, columns, rank)) == rank


@pytest.mark.parametrize(("rows", "columns", "rank"), SIZES)
def test_float32_rounding_is_no_signal(rows, columns, rank):
    assert vbmf_rank(low_rank(7, rows, columns, rank).astype(np.float32)) == rank


def test_degenerate_matrices():
    assert vbmf_rank(np.zeros((3, 4))) == 0
    assert vbmf_rank(np.ones((1, 5))) == 0
    assert vbmf_rank(np.ones((5, 5))) == 1


def test_threshold_of_a_square_matrix():
    # alpha = 1: the root of 2 log(1 + tau) = tau is tau = 2.512862417252339, and x = (1 + tau)^2 / tau.
    tau = 2.512862417252339
    assert 2 * math.log1p(tau) == pytest.approx(tau, rel=1e-14)
    assert _retention_threshold(1.0) == pytest.approx((1 + tau) ** 2 / tau, rel=1e-12)


@pytest.mark.parametrize("alpha", [0.05, 0.3, 1.0])
@pytest.mark.parametrize("x", [0.5, 2.0, 4.0, 6.0, 20.0])
def test_free_energy_is_the_minimum_over_the_posterior(alpha, x):
    # With the prior variances and the scale of the posterior eliminated, one component of the variational free energy
    # (over M, up to constants) is x - log x - log(1 - p) - alpha log(1 - q) - x p q, where p and q in [0, 1) are the
    # shares of signal in the second moments of its two factors.
    share = np.concatenate([np.linspace(0, 0.99, 1500), 1 - np.geomspace(0.01, 1e-4, 500)])
    p, q = share[:, None], share[None, :]
    brute = np.min(x - np.log(x) - np.log(1 - p) - alpha * np.log(1 - q) - x * p * q)
    analytic = _free_energy(0.0, np.array([x]), alpha, _retention_threshold(alpha))
    assert analytic == pytest.approx(brute, abs=1e-4)
    assert analytic <= brute + 1e-12


@pytest.mark.parametrize("seed", [0, 29, 67, 72, 111, 223])
def test_noise_variance_is_the_global_minimum(seed):
    # Singular values spread over four decades give the free energy many local minima.
    energy = np.sort(10 ** np.random.default_rng(seed).uniform(-8, 0, size=20))[::-1]
    threshold = _retention_threshold(0.5)
    dense = np.linspace(math.log(energy[-1] / 100), math.log(energy[0] * 100), 20_000)
    least = min(_free_energy(point, energy, 0.5, threshold) for point in dense)
    result = math.log(_noise_variance(energy, 0.5, threshold))
    assert _free_energy(result, energy, 0.5, threshold) <= least + 1e-6


def test_conv_ranks_are_in_then_out():
    # in-unfolding of rank 3: three patterns over (kh, kw, out) mixed into 24 input channels; the out rank is free.
    generator = np.random.default_rng(0)
    patterns, mixing = generator.normal(size=(3, 3, 3, 40)), generator.normal(size=(3, 24))
    kernel = np.einsum("hwro,ri->hwio", patterns, mixing) + 0.05 * noise(0, 3, 3, 24, 40)
    rank_in, _ = vbmf_conv_ranks(kernel)
    assert rank_in == 3
    assert vbmf_conv_ranks(np.swapaxes(kernel, 2, 3))[1] == 3


def test_conv_ranks_are_those_of_a_tucker_2_kernel():
    generator = np.random.default_rng(1)
    core, left, right = (generator.normal(size=shape) for shape in [(3, 3, 6, 9), (48, 6), (64, 9)])
    kernel = np.einsum("hwab,ia,ob->hwio", core, left, right) + 0.3 * noise(1, 3, 3, 48, 64)
    assert vbmf_conv_ranks(kernel.astype(np.float32)) == (6, 9)


@pytest.mark.parametrize(
    ("rank", "full", "calibration", "expected"),
    [
        (10, 64, 0.0, 10),
        (10, 64, 0.2, 20),  # 54 * 0.2 = 10.8
        (10, 64, 1.0, 64),
        (10, 64, -0.1, 5),  # -5.4
        (10, 64, -1.0, 1),  # 10 - 54 is clipped
        (0, 64, 0.0, 1),
        (0, 100, 0.29, 29),  # 100 * 0.29 is 28.999999999999996
        (60, 160, -0.29, 31),
        (64, 64, 1.0, 64),
    ],
)
def test_calibrated_rank(rank, full, calibration, expected):
    assert calibrated_rank(rank, full, calibration) == expected


@given(st.integers(1, 4096), st.data(), st.integers(-100, 100))
def test_calibrated_rank_on_the_percent_grid(full, data, percent):
    rank = data.draw(st.integers(0, full))
    removed = (full - rank) * abs(percent) // 100
    exact = rank + removed if percent > 0 else rank - removed
    assert calibrated_rank(rank, full, percent / 100) == min(full, max(1, exact))


@pytest.mark.parametrize(("rank", "full", "c"), [(5, 4, 0.0), (-1, 4, 0.0), (0, 0, 0.0), (1, 4, 1.1), (1, 4, math.nan)])
def test_calibrated_rank_rejects(rank, full, c):
    with pytest.raises(ParameterError) as caught:
        calibrated_rank(rank, full, c)
    assert f"received rank {rank}, channels {full}, calibration ratio {c}" in str(caught.value)


@pytest.mark.parametrize("matrix", [np.ones(3), np.ones((0, 3)), np.array([[1.0, np.nan]])])
def test_rejects_matrix(matrix):
    with pytest.raises(ModelError) as caught:
        vbmf_rank(matrix)
    assert f"received shape {matrix.shape}" in str(caught.value) and "\n" not in str(caught.value)


def test_rejects_kernel():
    with pytest.raises(ModelError, match=r"expected a kernel of shape \(kh, kw, in, out\), received shape \(3, 4\)"):
        vbmf_conv_ranks(np.ones((3, 4)))
