"""What tells whether data are those that something was made with."""

import hashlib
from collections.abc import Iterable
from typing import Any

from zoo.data.dataset import ImageDataset, Split
from zoo.data.files.file_array import FileArray


def split_digest(split: Split) -> str:
    """SHA-256 of targets and images; of those in files, of the files and of how they are decoded."""
    return arrays_digest((split.targets, split.images))


def arrays_digest(arrays: Iterable[Any]) -> str:
    """SHA-256 of arrays, or of what is in files as `split_digest` takes it."""
    digest = hashlib.sha256()
    for part in arrays:
        if isinstance(part, FileArray):
            digest.update(part.files.digest.encode())
            continue
        # Image by image: what the data function gave may be no contiguous block.
        for row in part:
            digest.update(row.tobytes())
    return digest.hexdigest()


def digest_of_searched(data: ImageDataset) -> str:
    """SHA-256 of what trials see of a data set: its training and validation images, with their targets."""
    return hashlib.sha256("".join(map(split_digest, (data.train, data.validation))).encode()).hexdigest()


def is_in_files(data: ImageDataset) -> bool:
    """Whether images stay in their files, so that a digest is of these."""
    return isinstance(data.train.images, FileArray)
