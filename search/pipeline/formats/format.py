"""What a file format is: how a model is written in it, and how the file is loaded back.

The command line lists the formats before TensorFlow is loaded: their modules load it inside their functions.
"""

from collections.abc import Callable
from dataclasses import dataclass
from importlib.util import find_spec
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from compress.registration import registered

Array = npt.NDArray[np.float32]
Run = Callable[[Array], Array]
"""From images as the model takes them, (N, H, W, C), to outputs, (N, classes); any N."""


@dataclass(frozen=True)
class Format:
    """One file format.

    Attributes:
        name: as ``--format`` takes it.
        ending: of the file's name.
        write: a model with one input and one output into a file; the images are training images, (N, H, W, C), from
            which int8 takes the ranges of values.
        load: the file, as whoever uses it would load it, on one thread where the format lets one choose.
        order: place in lists and tables, the lowest first.
        exact: whether it computes in float32, so that every class must be the Keras model's.
        packages: that must be installed; the extra ``ship`` has them.
    """

    name: str
    ending: str
    write: Callable[[Any, Path, Array], None]
    load: Callable[[Path], Run]
    order: int
    exact: bool = True
    packages: tuple[str, ...] = ()

    def missing(self) -> list[str]:
        """Packages that are not installed."""
        return [package for package in self.packages if find_spec(package) is None]


def formats() -> dict[str, Format]:
    """All formats by name, in their order."""
    ordered = sorted(registered("search.pipeline.formats", Format), key=lambda format: format.order)
    return {format.name: format for format in ordered}
