"""What a model of a run answers to a few test images, kept as a JSON file for each model."""

import base64
import io
import json
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Self

import numpy as np
from PIL import Image

from compress.disk.whole_file import write_whole
from compress.errors import RunError
from zoo.tasks.task import Answer, Array

PNG = "data:image/png;base64,"


@dataclass(frozen=True)
class Answers:
    """A few images, their targets, and the outputs of one model; each a text, or a PNG file as a data URL.

    Attributes:
        label: of the model, as of its result.
        images: that the model was given.
        targets: what it should answer.
        outputs: what it answers.
    """

    label: str
    images: tuple[str, ...]
    targets: tuple[str, ...]
    outputs: tuple[str, ...]

    @classmethod
    def of(cls, label: str, images: Array, targets: Sequence[Answer], outputs: Sequence[Answer]) -> Self:
        """Images (N, H, W, C) as the data set holds them, with targets and outputs as the task shows them."""
        return cls(
            label,
            tuple(_url(_visible(image)) for image in images),
            tuple(_kept(target) for target in targets),
            tuple(_kept(output) for output in outputs),
        )

    def write(self, folder: Path) -> Path:
        """Write ``<label>.json``; raises RunError where that fails."""
        folder.mkdir(parents=True, exist_ok=True)
        path = folder / f"{self.label}.json"
        write_whole(path, json.dumps(asdict(self)) + "\n")
        return path

    @classmethod
    def read(cls, path: Path) -> Self:
        """The answers in a file.

        Raises:
            RunError: it holds none.
        """
        try:
            fields = json.loads(path.read_text(encoding="utf-8"))
            label = str(fields.pop("label"))
            return cls(label, **{name: tuple(map(str, values)) for name, values in fields.items()})
        except (OSError, ValueError, TypeError, LookupError, AttributeError) as error:
            raise RunError(f"answers '{path}' cannot be read: {error}; delete the file and compress again") from error


def _kept(answer: Answer) -> str:
    return answer if isinstance(answer, str) else _url(_in_colours(answer))


def _in_colours(image: Array) -> Array:
    """Three channels as they are, of another number the first one alone."""
    return image if image.shape[-1] == 3 else image[..., :1]


def _visible(image: Array) -> Array:
    """Pixels (H, W, 1) or (H, W, 3), uint8, from the least to the largest value of the image."""
    colours = _in_colours(image)
    low, high = float(colours.min()), float(colours.max())
    scaled = (colours.astype(np.float64) - low) * (255 / (high - low or 1))
    return scaled.round().astype(np.uint8)


def _url(pixels: Array) -> str:
    file = io.BytesIO()
    Image.fromarray(pixels[..., 0] if pixels.shape[-1] == 1 else pixels).save(file, "PNG")
    return PNG + base64.b64encode(file.getvalue()).decode("ascii")
