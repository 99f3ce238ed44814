"""A folder of JPEG files of one size, made of photos by random crops."""

from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from functools import partial
from pathlib import Path

import numpy as np
from PIL import Image

_CLASSES = 10
_QUALITY = 90


def write_crops(photos: Path, folder: Path, count: int, size: int, seed: int = 0) -> None:
    """Write so many crops, resized to `size` by `size`, below `folder/<class>/`; the same for the same seed.

    Each shows a half to the whole of a photo's shorter side; classes are numbers without a meaning.
    """
    paths = sorted(path for path in photos.rglob("*") if path.suffix.lower() in (".jpg", ".jpeg", ".png"))
    if not paths:
        raise SystemExit(f"expected photos below {photos}, received none")
    for label in range(_CLASSES):
        (folder / str(label)).mkdir(parents=True)
    with ThreadPoolExecutor() as pool:
        list(pool.map(partial(_write, paths, folder, size, seed), range(count), chunksize=64))


def _write(paths: Sequence[Path], folder: Path, size: int, seed: int, number: int) -> None:
    rng = np.random.default_rng((seed, number))
    with Image.open(paths[rng.integers(len(paths))]) as photo:
        picture = photo.convert("RGB")
    side = min(picture.size)
    side = int(rng.integers(side // 2, side, endpoint=True))
    left, top = (int(rng.integers(0, whole - side, endpoint=True)) for whole in picture.size)
    crop = picture.resize((size, size), Image.Resampling.BICUBIC, (left, top, left + side, top + side))
    crop.save(folder / str(number % _CLASSES) / f"{number}.jpg", quality=_QUALITY)
