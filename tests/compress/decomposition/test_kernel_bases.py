import numpy as np
import pytest

from compress.decomposition.kernel_bases import BasesCache, KernelBases, as_kernel
from compress.errors import ModelError

SHAPES = [(3, 3, 7, 5), (1, 1, 9, 4), (1, 1, 4, 9), (1, 1, 5, 5), (3, 1, 20, 4), (1, 2, 3, 30)]


def kernel_of(shape, seed=0):
    return np.random.default_rng(seed).normal(size=shape)


def unfoldings(kernel):
    return [np.moveaxis(kernel, axis, 0).reshape(kernel.shape[axis], -1) for axis in (2, 3)]


@pytest.mark.parametrize("shape", SHAPES, ids=str)
def test_bases_are_the_left_singular_vectors_of_the_unfoldings(shape):
    bases = KernelBases.of(kernel_of(shape))
    for basis, matrix in zip((bases.u_in, bases.u_out), unfoldings(kernel_of(shape)), strict=True):
        u = np.linalg.svd(matrix, full_matrices=False)[0]
        assert basis.shape == u.shape
        # Signs are free: every column is the oracle's up to its sign.
        np.testing.assert_allclose(np.abs(u.T @ basis), np.eye(u.shape[1]), atol=1e-8)


@pytest.mark.parametrize("shape", SHAPES, ids=str)
def test_bases_of_a_kernel_of_lower_rank_are_orthonormal(shape):
    rank_one = np.multiply.outer(*(kernel_of(shape[i : i + 2], i).ravel() for i in (0, 2))).reshape(shape)
    for kernel in (rank_one, np.zeros(shape)):
        bases = KernelBases.of(kernel.astype(np.float32))
        for basis in (bases.u_in, bases.u_out):
            np.testing.assert_allclose(basis.T @ basis, np.eye(basis.shape[1]), atol=1e-5)


def test_the_cache_finds_a_kernel_by_its_values():
    cache, kernel = BasesCache(), kernel_of((3, 3, 4, 5))
    result = cache.of(kernel)
    assert cache.of(kernel.copy()) is result
    assert cache.of(kernel.reshape(3, 3, 5, 4)) is not result
    assert cache.of(2 * kernel) is not result
    np.testing.assert_array_equal(result.u_in, KernelBases.of(kernel).u_in)


def test_the_cache_forgets_what_was_used_longest_ago():
    kernels = [kernel_of((1, 1, 4, 4), seed) for seed in range(3)]
    size = 2 * 16 * 8  # two 4 x 4 bases of float64
    cache = BasesCache(limit=2 * size)
    first, second = cache.of(kernels[0]), cache.of(kernels[1])
    assert cache.of(kernels[0]) is first
    cache.of(kernels[2])
    assert cache.of(kernels[0]) is first
    assert cache.of(kernels[1]) is not second


def test_a_cache_too_small_for_a_kernel_still_answers():
    kernel = kernel_of((1, 1, 4, 4))
    np.testing.assert_array_equal(BasesCache(limit=0).of(kernel).u_out, KernelBases.of(kernel).u_out)


def test_kernels_keep_single_and_double_precision():
    assert as_kernel(np.zeros((1, 1, 2, 2))).dtype == np.float64
    assert as_kernel(np.zeros((1, 1, 2, 2), np.float16)).dtype == np.float32


def test_a_kernel_that_is_not_finite_is_refused():
    with pytest.raises(ModelError, match="^kernel of layer 'conv': expected finite numbers, received 1 of 4 that are"):
        as_kernel(np.array([[[[1.0, np.nan], [2.0, 3.0]]]]), "conv")
