"""How a file format is registered: how a model is written in it, and how the file is loaded back.

The command line lists the formats before TensorFlow is loaded: modules of formats import it inside their functions.
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
"""A model as a function from normalized images (N, H, W, C) to outputs (N, ...), of any number of images N."""


@dataclass(frozen=True)
class Format:
    """One file format.

    Attributes:
        name: as ``--format`` takes it.
        ending: end of the file's name.
        write: writes a model with one input and one output to a file; int8 takes the ranges of values from the images,
            normalized training images (N, H, W, C).
        load: loads the file as its users would, on one thread where the format lets one choose.
        order: position in lists and tables, the lowest first.
        exact: whether it computes in float32, so that its classes and outputs must be the Keras model's.
        packages: packages that must be installed, by the extra ``ship``.
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
