"""Orthonormal bases of convolution kernels: computed once for a kernel, and kept for whatever ranks are asked later."""

import hashlib
from collections import OrderedDict
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from compress.errors import ModelError

Array = NDArray[Any]

CACHE_BYTES = 256 * 2**20
"""Default memory of a cache, enough for all kernels of a ResNet50, pruned in several ways."""


@dataclass(frozen=True)
class KernelBases:
    """Left singular vectors of both channel unfoldings of a kernel (kh, kw, in, out), by falling singular value.

    Attributes:
        u_in: of the unfolding (in, kh * kw * out), shape (in, min of its sides).
        u_out: of the unfolding (out, kh * kw * in), shape (out, min of its sides).
    """

    u_in: Array
    u_out: Array

    @classmethod
    def of(cls, kernel: Array) -> "KernelBases":
        """The bases of one kernel, in its own precision, from eigendecompositions of its small Gram matrices."""
        channels_in, channels_out = kernel.shape[2:]
        if kernel.shape[:2] == (1, 1):
            return cls(*_both_bases(kernel[0, 0]))
        return cls(
            _left_basis(np.moveaxis(kernel, 2, 0).reshape(channels_in, -1)),
            _left_basis(kernel.reshape(-1, channels_out).T),
        )


def _left_basis(matrix: Array) -> Array:
    """Left singular vectors of a matrix (n, m), shape (n, min(n, m))."""
    return _eigenvectors(matrix @ matrix.T) if matrix.shape[0] <= matrix.shape[1] else _both_bases(matrix)[0]


def _both_bases(matrix: Array) -> tuple[Array, Array]:
    """Left and right singular vectors of a matrix (n, m), shapes (n, k) and (m, k) with k = min(n, m)."""
    if matrix.shape[0] > matrix.shape[1]:
        right, left = _both_bases(matrix.T)
        return left, right
    left = _eigenvectors(matrix @ matrix.T)
    # The columns are orthogonal and fall in length: QR only scales them, and completes those of length zero.
    return left, np.linalg.qr(matrix.T @ left)[0]


def _eigenvectors(gram: Array) -> Array:
    return np.ascontiguousarray(np.linalg.eigh(gram)[1][:, ::-1])


class BasesCache:
    """Bases of the kernels seen before. Trials that leave a kernel the same channels, or decompose first, share them.

    A plain object without a lock, for one thread. The kernels used longest ago are forgotten first.

    Args:
        limit: bytes of bases that are kept.
    """

    def __init__(self, limit: int = CACHE_BYTES) -> None:
        self._limit = limit
        self._bytes = 0
        self._bases: OrderedDict[bytes, KernelBases] = OrderedDict()

    def of(self, kernel: Array) -> KernelBases:
        """The bases of a kernel of finite float32 or float64 values, shape (kh, kw, in, out)."""
        key = hashlib.blake2b(kernel.tobytes(), digest_size=16, key=repr(kernel.shape).encode()).digest()
        if key not in self._bases:
            self._bases[key] = KernelBases.of(kernel)
            self._bytes += _size(self._bases[key])
        self._bases.move_to_end(key)
        bases = self._bases[key]
        while self._bytes > self._limit:
            self._bytes -= _size(self._bases.popitem(last=False)[1])
        return bases


def _size(bases: KernelBases) -> int:
    return bases.u_in.nbytes + bases.u_out.nbytes


def as_kernel(values: Any, name: str = "?") -> Array:
    """The kernel of the layer called ``name`` as a contiguous array: float64 if it is, float32 otherwise.

    Raises:
        ModelError: values that are not finite.
    """
    array = np.asarray(values)
    kernel = np.ascontiguousarray(array, dtype=np.float64 if array.dtype == np.float64 else np.float32)
    if not np.isfinite(kernel).all():
        raise ModelError(
            f"kernel of layer '{name}': expected finite numbers, received {int(np.sum(~np.isfinite(kernel)))} of "
            f"{kernel.size} that are not; check the model's weights"
        )
    return kernel
