"""Tucker-2 factors of a kernel by higher-order orthogonal iteration (HOOI).

L. De Lathauwer, B. De Moor, J. Vandewalle, "On the best rank-1 and rank-(R1, R2, ..., RN) approximation of
higher-order tensors", SIAM J. Matrix Anal. Appl. 21 (2000), started from the truncated higher-order SVD of their "A
multilinear singular value decomposition" (ibid.). TensorLy's ``partial_tucker`` is the same iteration on singular value
decompositions of the unfoldings; here each step is an eigendecomposition of the unfolding's small Gram matrix.
"""

import numpy as np
from numpy.typing import NDArray
from scipy.linalg import eigh

from compress.kernel_bases import Array, BasesCache, KernelBases, as_kernel

MAX_SWEEPS = 100
TOLERANCE = 1e-4
"""The iteration stops when the relative error changes by less, as ``partial_tucker`` does by default."""

_FLOOR = 1e-2  # Changes of smaller errors drown in float32's rounding of the captured energy.


def tucker2(kernel: Array, rank_in: int, rank_out: int, cache: BasesCache | None = None) -> tuple[Array, Array, Array]:
    """Factors of a convolution kernel: kernel ~ core x_3 U_in x_4 U_out, both U of orthonormal columns.

    Different output channels of the core are orthogonal to each other (all-orthogonality, De Lathauwer et al.).

    Args:
        kernel: shape (kh, kw, in, out).
        rank_in: r_in, at most in.
        rank_out: r_out, at most out.
        cache: where the kernel's bases are looked up and kept.

    Returns:
        U_in (in, r_in), core (kh, kw, r_in, r_out), U_out (out, r_out).

    Raises:
        ModelError: values that are not finite.
    """
    values = as_kernel(kernel)
    bases = KernelBases.of(values) if cache is None else cache.of(values)
    u_in, u_out = _columns(bases.u_in, rank_in), _columns(bases.u_out, rank_out)
    # The best approximation of a matrix is its truncated SVD (Eckart & Young 1936): nothing is left to iterate.
    if values.shape[:2] != (1, 1):
        u_in, u_out = _iterate(values, u_in, u_out)
    return u_in, np.matmul(u_in.T, values) @ u_out, u_out


def _columns(basis: Array, rank: int) -> Array:
    """The first columns of an orthonormal basis; where it has fewer, orthonormal ones are added."""
    if rank <= basis.shape[1]:
        return basis[:, :rank]
    return np.concatenate([basis, np.linalg.qr(basis, mode="complete")[0][:, basis.shape[1] : rank]], axis=1)


def _iterate(kernel: Array, u_in: Array, u_out: Array) -> tuple[Array, Array]:
    """HOOI from starting factors; output channels last, which is what makes the core's orthogonal."""
    channels_in, channels_out = kernel.shape[2:]
    by_input = np.ascontiguousarray(np.moveaxis(kernel, 2, 0)).reshape(channels_in, -1)
    total = float(np.sum(np.square(kernel), dtype=np.float64))
    before = 0.0
    for _ in range(MAX_SWEEPS if total else 0):
        projected = (by_input.reshape(-1, channels_out) @ u_out).reshape(channels_in, -1)
        u_in = _leading(projected @ projected.T, u_in.shape[1])[1]
        projected = (u_in.T @ by_input).reshape(-1, channels_out)
        energies, u_out = _leading(projected.T @ projected, u_out.shape[1])
        captured = float(np.sum(energies, dtype=np.float64)) / total
        # d(error) = d(captured) / (2 error), with error^2 = 1 - captured.
        if captured - before < 2 * TOLERANCE * max(np.sqrt(max(1 - captured, 0.0)), _FLOOR):
            break
        before = captured
    return u_in, u_out


def _leading(gram: Array, rank: int) -> tuple[NDArray[np.floating], Array]:
    """The largest eigenvalues, falling, and their eigenvectors, shape (n, rank)."""
    size = gram.shape[0]
    energies, vectors = eigh(gram, subset_by_index=[size - rank, size - 1], overwrite_a=True, check_finite=False)
    return energies[::-1], np.ascontiguousarray(vectors[:, ::-1])
