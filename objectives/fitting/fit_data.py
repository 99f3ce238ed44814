"""The data of a task that Keras's fit trains: three splits that a function of the user's returns."""

from collections.abc import Iterator
from dataclasses import dataclass
from itertools import islice
from math import ceil
from typing import Any, Self, TypeAlias

import keras
import numpy as np
import tensorflow as tf

from compress.errors import DataError, excerpt
from objectives.fitting.arrays import Arrays, Batch, check_lengths
from zoo.tasks.own_task import SplitName

Part: TypeAlias = Any
"""The examples of a split: `Arrays`, a `tf.data.Dataset`, or a `keras.utils.PyDataset`."""

DEFAULT_BATCH = 32
"""Batch size of evaluations without training settings; Keras's own default."""

MOST_BATCHES = 10_000
"""Batches after which validation and test data of unknown length count as endless."""


@dataclass(frozen=True, eq=False)
class FitData:
    """Three splits as `keras.Model.fit` takes them.

    Attributes:
        reference: of the function that returned them, for messages.
        train, validation, test: the splits.
        seed: draws training arrays where only some are used.
    """

    reference: str
    train: Part
    validation: Part
    test: Part
    seed: int = 0

    @classmethod
    def of(cls, returned: Any, reference: str, validation: float, seed: int) -> Self:
        """The splits from ``(train, validation, test)``, or from arrays ``(train, test)``, of which some are held out.

        Args:
            returned: by the function.
            reference: of the function.
            validation: share of the training examples that is held out for validation, where there are two splits.
            seed: draws them, and training arrays where only some are used.

        Raises:
            DataError: the function returned something else.
        """
        if not isinstance(returned, tuple) or len(returned) not in (2, 3):
            raise DataError(
                f"expected (train, validation, test) or (train, test) from {reference!r}, received {excerpt(returned)}"
            )
        names = ("train", "validation", "test") if len(returned) == 3 else ("train", "test")
        parts = {name: _part(part, f"{name} of {reference!r}") for name, part in zip(names, returned, strict=True)}
        if "validation" not in parts:
            parts["train"], parts["validation"] = _held_out(parts["train"], validation, seed, reference)
        return cls(reference, **parts, seed=seed)

    def split(self, name: SplitName) -> Part:
        """The split of this name."""
        return {"train": self.train, "validation": self.validation, "test": self.test}[name]

    def first(self, name: SplitName, size: int = 2) -> Batch:
        """The first examples of a split: its first batch, or of arrays the first ``size`` examples.

        Raises:
            DataError: there are none, or inputs, targets and weights differ in number.
        """
        batch = next(batches(self.split(name), size), None)
        place = f"{name} of {self.reference!r}"
        if batch is None or not len(keras.tree.flatten(batch[0])[0]):
            raise DataError(f"expected examples in {place}, received none; check the function")
        check_lengths(batch, place)
        return batch

    def check_ends(self, *, trains_epochs: bool) -> None:
        """Refuse splits without an end, which cannot be evaluated or trained on in epochs.

        trains_epochs: whether training passes over all training examples.

        Raises:
            DataError: names the split, and what to do.
        """
        for name in ("validation", "test", *(("train",) if trains_epochs else ())):
            part, place = self.split(name), f"{name} of {self.reference!r}"
            if is_endless(part):
                raise DataError(f"expected {place} to end, received batches without an end; add .take(batches)")
            if name != "train" and counted(part) is None and _count(part, MOST_BATCHES) > MOST_BATCHES:
                raise DataError(
                    f"expected {place} to end, received more than {MOST_BATCHES} batches, and no number of them; add "
                    ".take(batches), or .apply(tf.data.experimental.assert_cardinality(batches))"
                )


def _part(given: Any, place: str) -> Part:
    if isinstance(given, tf.data.Dataset | keras.utils.PyDataset):
        return given
    if isinstance(given, tuple | list) and len(given) in (2, 3):
        return Arrays.of(given, place)
    raise DataError(
        f"expected a tf.data.Dataset, a keras.utils.PyDataset, (x, y) or (x, y, sample_weight) as {place}, received "
        f"{excerpt(given)}"
    )


def _held_out(train: Part, fraction: float, seed: int, reference: str) -> tuple[Arrays, Arrays]:
    if not isinstance(train, Arrays):
        raise DataError(
            f"expected (train, validation, test) from {reference!r}, as only arrays can be divided here, received "
            f"(train, test) with a {type(train).__name__}; hold validation out in the function, as by take and skip"
        )
    count = ceil(fraction * len(train))
    if count >= len(train):
        raise DataError(f"expected at least 2 training examples from {reference!r}, received {len(train)}")
    order = np.random.default_rng(seed).permutation(len(train))
    return train.taken(np.sort(order[count:])), train.taken(np.sort(order[:count]))


def batches(part: Part, size: int) -> Iterator[Batch]:
    """The batches of one pass over a split; of arrays ``size`` examples at a time, in order."""
    if isinstance(part, Arrays):
        yield from part.batches(size)
        return
    source = part if isinstance(part, tf.data.Dataset) else _items(part)
    for batch in source:
        parts = (*batch, None, None) if isinstance(batch, tuple) else (batch, None, None)
        yield parts[0], parts[1], parts[2]


def _items(part: Any) -> Iterator[Any]:
    index = 0
    while part.num_batches is None or index < part.num_batches:
        yield part[index]
        index += 1


def is_endless(part: Part) -> bool:
    """Whether the batches of a split are known to have no end."""
    if isinstance(part, tf.data.Dataset):
        return bool(int(part.cardinality()) == tf.data.INFINITE_CARDINALITY)
    return not isinstance(part, Arrays) and counted(part) is None


def counted(part: Part, batch_size: int = 1) -> int | None:
    """Batches of one pass over a split; None where that is not known, or where there is no end."""
    if isinstance(part, Arrays):
        return ceil(len(part) / batch_size)
    if isinstance(part, tf.data.Dataset):
        known = int(part.cardinality())
        return known if known >= 0 else None
    batches_in_all: int | None = part.num_batches
    return batches_in_all


def _count(part: Part, most: int) -> int:
    """Number of batches of one pass, counted up to ``most`` + 1."""
    return sum(1 for _ in islice(batches(part, 1), most + 1))
