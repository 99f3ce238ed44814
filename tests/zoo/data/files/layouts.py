"""Small folders of images, as each layout has them."""

from collections.abc import Callable
from functools import partial
from pathlib import Path

import numpy as np
from PIL import Image

from zoo.tasks.kinds.image_to_image import ImageToImage
from zoo.tasks.kinds.segmentation import Segmentation
from zoo.tasks.kinds.super_resolution import SuperResolution
from zoo.tasks.task import Task

RNG = np.random.default_rng(0)


def written(folder: Path, mode: str = "RGB", parts: tuple[str, ...] = ("train",)) -> Path:
    """Two classes of ten images of 5 by 7 pixels in each part."""
    for part in parts:
        for label in "ab":
            place = folder / part / label
            place.mkdir(parents=True)
            for number in range(10):
                shape = (5, 7) if mode == "L" else (5, 7, 3)
                Image.fromarray(RNG.integers(0, 256, shape, np.uint8)).save(place / f"{number}.png")
    return folder


def pairs(folder: Path, kind: str, shape: tuple[int, ...], classes: int = 256) -> Path:
    """Twelve images of 12 by 14 pixels with a file of the same name for each, below train and test."""
    for part in ("train", "test"):
        for name, of, high in (("images", (12, 14, 3), 256), (kind, shape, classes)):
            (folder / part / name).mkdir(parents=True)
            for number in range(12):
                pixels = RNG.integers(0, high, of, np.uint8)
                Image.fromarray(pixels).save(folder / part / name / f"{number}.png")
    return folder


LAYOUTS: dict[str, tuple[Task, Callable[[Path], Path]]] = {
    "masks": (Segmentation(ignored_label=0), partial(pairs, kind="masks", shape=(12, 14), classes=5)),
    "colours": (ImageToImage(), partial(pairs, kind="targets", shape=(12, 14, 3))),
    "grey": (ImageToImage(), partial(pairs, kind="targets", shape=(12, 14))),
    "sharp": (SuperResolution(2), lambda folder: pairs(folder, "targets", (12, 14, 3))),
}
