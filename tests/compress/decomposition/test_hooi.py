import warnings

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from tensorly.decomposition import partial_tucker

from compress.decomposition.kernel_bases import BasesCache
from compress.decomposition.tucker import tucker2
from compress.errors import ModelError
from tests.compress.fixtures.oracles import tucker_kernel


def error(kernel, factors):
    return np.linalg.norm(tucker_kernel(*factors) - kernel) / np.linalg.norm(kernel)


def tensorly_factors(kernel, ranks):
    with warnings.catch_warnings():
        # A rank above the other's times the window: TensorLy says that it adds random directions.
        warnings.simplefilter("ignore", UserWarning)
        (core, (u_in, u_out)), _ = partial_tucker(kernel.astype(np.float64), rank=list(ranks), modes=[2, 3])
    return u_in, core, u_out


def trained_like(shape, seed):
    """A random kernel whose unfoldings' singular values fall off, as those of trained kernels do."""
    rng = np.random.default_rng(seed)
    kernel = rng.normal(size=shape)
    for axis in (2, 3):
        mix = np.linalg.qr(rng.normal(size=(shape[axis], shape[axis])))[0] / np.arange(1, shape[axis] + 1) ** 0.7
        kernel = np.moveaxis(np.tensordot(kernel, mix, (axis, 1)), -1, axis)
    return kernel


@given(
    st.tuples(st.sampled_from([1, 2, 3]), st.sampled_from([1, 3]), st.integers(1, 12), st.integers(1, 12)),
    st.floats(0, 1),
    st.floats(0, 1),
    st.integers(0, 999),
    st.booleans(),
)
def test_no_worse_than_partial_tucker(shape, in_part, out_part, seed, single):
    kernel = trained_like(shape, seed).astype(np.float32 if single else np.float64)
    ranks = (1 + int(in_part * (shape[2] - 1)), 1 + int(out_part * (shape[3] - 1)))
    factors = tucker2(kernel, *ranks)
    assert [factor.shape for factor in factors] == [(shape[2], ranks[0]), (*shape[:2], *ranks), (shape[3], ranks[1])]
    assert error(kernel, factors) <= error(kernel, tensorly_factors(kernel, ranks)) * (1 + 1e-3) + 1e-5
    for factor in (factors[0], factors[2]):
        np.testing.assert_allclose(factor.T @ factor, np.eye(factor.shape[1]), atol=1e-5)


def test_a_rank_that_the_others_window_does_not_fill_has_orthonormal_columns():
    """Eight of eight inputs, where one output and a window of six leave six: found at random."""
    kernel = trained_like((2, 3, 8, 9), 164).astype(np.float32)
    u_in, _, _ = tucker2(kernel, 8, 1)
    np.testing.assert_allclose(u_in.T @ u_in, np.eye(8), atol=1e-5)


@given(st.integers(0, 99), st.integers(1, 8), st.integers(1, 6))
def test_the_cores_output_channels_are_orthogonal(seed, rank_in, rank_out):
    core = tucker2(trained_like((3, 3, 8, 6), seed), rank_in, rank_out)[1].reshape(-1, rank_out)
    gram = core.T @ core
    np.testing.assert_allclose(gram, np.diag(np.diag(gram)), atol=1e-10 * gram.max())


def test_pointwise_kernels_are_cut_at_their_largest_singular_values():
    kernel = trained_like((1, 1, 9, 7), 0)
    u, s, vt = np.linalg.svd(kernel[0, 0])
    best = (u[:, :3] * s[:3]) @ vt[:3]
    for ranks in ((3, 3), (3, 5), (8, 3)):
        np.testing.assert_allclose(tucker_kernel(*tucker2(kernel, *ranks))[0, 0], best, atol=1e-10)


def test_iterating_improves_on_the_truncated_higher_order_svd():
    kernel = trained_like((3, 3, 16, 12), 1)
    u_in, u_out = (
        np.linalg.svd(np.moveaxis(kernel, axis, 0).reshape(kernel.shape[axis], -1), full_matrices=False)[0][:, :5]
        for axis in (2, 3)
    )
    truncated = (u_in, np.matmul(u_in.T, kernel) @ u_out, u_out)
    assert error(kernel, tucker2(kernel, 5, 5)) < error(kernel, truncated)


def test_cached_bases_change_nothing():
    kernel, cache = trained_like((3, 3, 8, 6), 2), BasesCache()
    for ranks in ((3, 4), (3, 4), (8, 1)):
        for cached, fresh in zip(tucker2(kernel, *ranks, cache), tucker2(kernel, *ranks), strict=True):
            np.testing.assert_array_equal(cached, fresh)


def test_a_kernel_of_zeros():
    u_in, core, u_out = tucker2(np.zeros((3, 3, 4, 5), np.float32), 2, 3)
    assert not core.any()
    np.testing.assert_allclose(u_in.T @ u_in, np.eye(2), atol=1e-6)
    np.testing.assert_allclose(u_out.T @ u_out, np.eye(3), atol=1e-6)


def test_a_kernel_that_is_not_finite_is_refused():
    kernel = np.ones((2, 2, 2, 2))
    kernel[1, 0, 1, 0] = np.inf
    with pytest.raises(ModelError, match="expected finite numbers, received 1 of 16 that are not"):
        tucker2(kernel, 1, 1)
