"""Random batches of one constant size."""

from collections.abc import Iterator

import numpy as np
import numpy.typing as npt

Indices = npt.NDArray[np.int64]


def whole_batches(count: int, batch_size: int, rng: np.random.Generator) -> Iterator[Indices]:
    """Yield random, disjoint index arrays into `count` images, each of min(batch_size, count) indices.

    An incomplete last batch is dropped: batches of one size are traced once, and averages over them weigh every image
    the same.
    """
    order = rng.permutation(count)
    size = min(batch_size, count)
    for start in range(0, count - size + 1, size):
        yield order[start : start + size]


def batches_from(count: int, batch_size: int, seed: int, start: int) -> Iterator[Indices]:
    """Yield whole batches of one epoch after the other without end, from batch number `start` on.

    Every epoch has its own order, so that whoever goes on at a number gets what an undisturbed reader gets.
    """
    epoch, skipped = divmod(start, max(1, count // min(batch_size, count)))
    while True:
        batches = list(whole_batches(count, batch_size, np.random.default_rng((seed, epoch))))
        yield from batches[skipped:]
        epoch, skipped = epoch + 1, 0
