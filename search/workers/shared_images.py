"""Images in files for workers: the images that every trial reads are decoded once and sent through Ray."""

import socket
from collections.abc import Iterator
from dataclasses import replace
from itertools import islice

import numpy as np
from numpy.typing import NDArray

from compress.errors import DataError, typed_line
from objectives.score.proxy import ProxySettings
from objectives.score.repair import batches_from, recalibration_batches
from zoo.data.dataset import Data, ImageDataset, Split
from zoo.data.files.file_array import FileArray
from zoo.data.files.image_files import ImageFiles
from zoo.data.files.reading import content
from zoo.data.split import drawn_numbers


def with_shared_images(data: Data, proxy: ProxySettings, steps: int) -> Data:
    """The data with those images decoded that trials read, up to the size of a cache; other images stay in files.

    Sent through Ray's object store, they are in each machine's memory once, shared by its workers.

    Args:
        data: images in files, or data of any other kind, which is returned as it is.
        proxy: says which images a trial reads.
        steps: of training, of the longest trial.

    Raises:
        DataError: a file that cannot be decoded, by its name.
    """
    if not isinstance(data, ImageDataset) or not any(_files(data)):
        return data
    train, validation = data.train, data.validation
    return replace(
        data,
        train=train.sharing(training_images_read(proxy, train, steps)),
        validation=validation.sharing(proxy.scored(validation)),
    )


def check_files(data: Data) -> None:
    """Check that this machine can read the first and the last file of the training and validation images.

    Raises:
        DataError: one cannot be read; names it and the machine.
    """
    if not isinstance(data, ImageDataset):
        return
    for files in _files(data):
        for path in (files.paths[0], files.paths[-1]):
            try:
                content(path, 1)
            except OSError as error:
                raise DataError(
                    "expected images that every node can read (or a larger data.in_memory, with which they are sent), "
                    f"received {typed_line(error)} on node {socket.gethostname()}"
                ) from error


def _files(data: ImageDataset) -> Iterator[ImageFiles]:
    """The parts of the training and validation splits that are in files."""
    for split in (data.train, data.validation):
        yield from (part.files for part in (split.images, split.targets) if isinstance(part, FileArray))


def training_images_read(settings: ProxySettings, train: Split, steps: int) -> NDArray[np.int64]:
    """Indices of the training images that a trial of ``steps`` steps reads, each once, in the order of their use.

    First the images of the steps, then those of recalibration, then those of reconstruction.
    """
    count, size, seed = len(train), settings.batch_size, settings.seed
    steps_batches = islice(batches_from(count, size, seed, 0), steps)
    read = [*steps_batches, *recalibration_batches(count, size, settings.recalibration_images, seed)]
    if settings.reconstruction_images:
        read.append(drawn_numbers(train, settings.reconstruction_images, seed))
    numbers = np.concatenate(read)
    return numbers[np.sort(np.unique(numbers, return_index=True)[1])]
