"""Smaller data sets for quick runs: a stratified part of the training and test splits."""

from dataclasses import replace

from zoo.data.dataset import ImageDataset, Split
from zoo.data.split import stratified_split


def limited(dataset: ImageDataset, *, train: int | None, test: int | None, seed: int) -> ImageDataset:
    """The data set with at most so many training and test images; validation is left as it is.

    Raises:
        DataError: too few images for every class to be among them.
    """
    return replace(
        dataset,
        train=_at_most(dataset.train, train, seed, "train_limit"),
        test=_at_most(dataset.test, test, seed, "test_limit"),
    )


def _at_most(split: Split, count: int | None, seed: int, key: str) -> Split:
    if count is None or count >= len(split):
        return split
    return stratified_split(split, count / len(split), seed, held_out=key)[1]
