"""Which training images the trials of a run read: the same ones in every trial."""

from itertools import islice

import numpy as np
from numpy.typing import NDArray

from objectives.score.proxy import ProxySettings
from objectives.score.repair import batches_from, recalibration_batches
from zoo.data.dataset import Split
from zoo.data.split import drawn_numbers


def training_images_read(settings: ProxySettings, train: Split, steps: int) -> NDArray[np.int64]:
    """Numbers of the images that trials of so many steps read, each once, in the order of their use.

    First those of the steps, then those of the statistics, and last those that weights are fitted by when a worker
    starts.
    """
    count, size, seed = len(train), settings.batch_size, settings.seed
    steps_batches = islice(batches_from(count, size, seed, 0), steps)
    read = [*steps_batches, *recalibration_batches(count, size, settings.recalibration_images, seed)]
    if settings.reconstruction_images:
        read.append(drawn_numbers(train, settings.reconstruction_images, seed))
    numbers = np.concatenate(read)
    return numbers[np.sort(np.unique(numbers, return_index=True)[1])]
