"""Data sets by source: a name, a path, or the user's own function."""

from collections.abc import Callable
from dataclasses import fields, replace
from difflib import get_close_matches

import numpy as np

from compress.errors import DataError
from zoo.data.checks import check_dataset, check_disjoint
from zoo.data.dataset import ImageDataset, Normalization, Split
from zoo.data.files.paths import is_address, without_data
from zoo.data.source import SourceData, Wanted, data_sources, print_warning, source_words
from zoo.data.split import decoded, limited, stratified_split
from zoo.tasks.kinds.classification import Classification
from zoo.tasks.task import Task

# Of the CIFAR training images, as in NPTK's ModelZoo recipe; close to any natural colour images'.
CIFAR_NORMALIZATION = Normalization(255.0, (0.4914, 0.4822, 0.4465), (0.2023, 0.1994, 0.2010))

# Held out of a source that has no test images of its own.
TEST_FRACTION = 0.2


def load_dataset(
    source: str,
    *,
    validation: float = 0.1,
    seed: int = 0,
    image_size: tuple[int, int] | None = None,
    normalization: Normalization | None = None,
    exif_orientation: bool = False,
    series: bool = False,
    task: Task | None = None,
    in_memory: float = 2e9,
    train_limit: int | None = None,
    test_limit: int | None = None,
    colours: bool = False,
    warn: Callable[[str], None] = print_warning,
) -> ImageDataset:
    """Load images and divide them into train, validation and test, disjoint and, by class numbers, stratified.

    source: what one of `zoo.data.source.data_sources()` takes: `digits`, `cifar10`, `cifar100`, a folder of images, an
        .npz file in Keras's convention, or `module:function` (arrays in that convention, pipelines in their place, or
        an ImageDataset, whose own splits are then taken as they are).
    validation: share of the images outside the test split that is held out of training; `seed` draws it, and the test
        split where the source has none (20 %; digits 30 %). A validation split of the source's own is taken as it is.
    image_size: (height, width) to resize to; image folders only.
    normalization: by default CIFAR's constants for uint8 colour images, else the training split's mean and SD.
    exif_orientation: whether to turn images as their EXIF orientation says; image folders only.
    series: whether arrays of three axes are series, (N, steps, channels), for a model that takes these, and not grey
        images, (N, height, width); .npz files and functions only.
    task: what the images are given for; None for classification, or what an ImageDataset of a function says.
    in_memory: bytes of images and target images, beyond which those of a folder stay in their files until they are
        needed, and those of a pipeline are refused.
    train_limit, test_limit: how many images are used at most, drawn by the seed; a pipeline is read no further.
    colours: whether grey images of a folder have three channels as well, for a model that takes these.
    warn: takes a line about what of a source is not read.
    Raises DataError for a source that is unknown, missing or malformed, for a class without images in a split, and for
    pixels that do not fit the normalization.
    """
    resizing, limits = (image_size, exif_orientation), (train_limit, test_limit)
    wanted = Wanted(source, task or Classification(), seed, *resizing, series, warn, in_memory, *limits, colours)
    made = _checked(_read(wanted), task, source, validation, seed, normalization)
    return decoded(limited(made, train=train_limit, test=test_limit, seed=seed), in_memory)


def _checked(
    data: SourceData | ImageDataset,
    task: Task | None,
    source: str,
    validation: float,
    seed: int,
    normalization: Normalization | None,
) -> ImageDataset:
    if isinstance(data, ImageDataset):
        _check_same_task(data, task, source)
        own = data if normalization is None else replace(data, normalization=normalization)
        check_dataset(own)
        check_disjoint(own)
        return own
    made = _divided(data, _fitted(task or Classification(), data), validation, seed, normalization)
    check_dataset(made, data.class_names)
    if data.validation is not None:
        check_disjoint(made)
    return made


def _check_same_task(data: ImageDataset, task: Task | None, source: str) -> None:
    if task is None:
        return
    if task.name != data.task.name:
        raise DataError(
            f"expected an ImageDataset for {task.name} from {source!r}, as task says, received one for {data.task.name}"
        )
    for option in fields(task):
        given, own = getattr(task, option.name), getattr(data.task, option.name)
        if given not in (option.default, own):
            raise DataError(
                f"expected an ImageDataset of {option.name} {given} from {source!r}, as task.options says, received "
                f"{own}; leave the option out, or make the data set with it"
            )


def _fitted(task: Task, data: SourceData) -> Task:
    """The task that knows the targets: folders name classes, of which the largest number may say less."""
    if data.class_names is not None and isinstance(task, Classification) and task.classes is None:
        return replace(task, classes=len(data.class_names))
    others = [split.targets for split in (data.test, data.validation) if split is not None]
    return task.fitted(data.train.targets, *others)


def _divided(
    data: SourceData, task: Task, validation: float, seed: int, normalization: Normalization | None
) -> ImageDataset:
    names = data.class_names
    rest, test = data.train, data.test
    if rest.targets.ndim == 1:  # A number that is no class's would be taken for a class of too few images.
        task.check_values(rest.targets, "training", data.name)
    if test is None:
        rest, test = stratified_split(rest, TEST_FRACTION, seed, held_out="test", class_names=names)
    train, held_out = rest, data.validation
    if held_out is None:
        train, held_out = stratified_split(rest, validation, seed, held_out="validation", class_names=names)
    return ImageDataset(data.name, train, held_out, test, task, normalization or _default(data, train))


def _read(wanted: Wanted) -> SourceData | ImageDataset:
    size, source = wanted.image_size, wanted.source
    if size is not None and min(size) < 1:
        raise DataError(f"expected a positive image_size (height, width), received {size}")
    taking = next((one for one in data_sources() if one.takes(source)), None)
    if taking is None or not taking.resizes:
        for key, given in (("image_size", size), ("exif_orientation", wanted.exif_orientation)):
            if given:
                raise DataError(f"expected an {key} for an image folder only, received {given} for {source!r}")
    if taking is not None:
        return taking.read(wanted)
    if is_address(source):
        raise without_data(source)
    near = get_close_matches(source, [one.words for one in data_sources() if one.named], n=1)
    raise DataError(
        f"expected {source_words()} as data source, received {source!r}{f'; did you mean {near[0]}?' if near else ''}"
    )


def _default(data: SourceData, train: Split) -> Normalization:
    """From the training split alone: validation and test images must not leak into what the model sees."""
    eight_bit = train.images.dtype == np.uint8
    if data.scale is None and eight_bit and train.images.shape[-1] == 3:
        return CIFAR_NORMALIZATION
    return Normalization.fit(train.images, data.scale or (255.0 if eight_bit else 1.0))
