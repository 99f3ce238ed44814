"""A model's answers to a few test images, stored as a JSON file for each model of a run."""

import base64
import io
import json
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Self

import numpy as np
from PIL import Image

from compress.disk.whole_file import write_whole
from compress.errors import RunError
from zoo.tasks.task import Answer, Array, Shown

PNG = "data:image/png;base64,"


@dataclass(frozen=True)
class Answers:
    """A few images, their targets, and the outputs of one model; each a text, or a PNG picture as a data URL.

    Attributes:
        label: of the model, as in its `Result`.
        images: the inputs.
        targets: by the name of the output; a single output has an empty name.
        outputs: of the model, by the same names.
    """

    label: str
    images: tuple[str, ...]
    targets: Mapping[str, tuple[str, ...]]
    outputs: Mapping[str, tuple[str, ...]]

    @classmethod
    def of(cls, label: str, shown: Shown) -> Self:
        """Answers from examples that a task made presentable."""
        images = tuple(_url(_visible(image)) for image in shown.images)
        return cls(label, images, _all_kept(shown.targets), _all_kept(shown.outputs))

    def write(self, folder: Path) -> Path:
        """Write ``<label>.json`` into a folder, which is created where it is missing.

        Raises:
            RunError: the file cannot be written.
        """
        folder.mkdir(parents=True, exist_ok=True)
        path = folder / f"{self.label}.json"
        write_whole(path, json.dumps(asdict(self)) + "\n")
        return path

    @classmethod
    def read(cls, path: Path) -> Self:
        """The answers in a file.

        Raises:
            RunError: the file cannot be read as answers.
        """
        try:
            fields = json.loads(path.read_text(encoding="utf-8"))
            images = tuple(map(str, fields.pop("images")))
            label = str(fields.pop("label"))
            return cls(label, images, **{name: _texts(values) for name, values in fields.items()})
        except (OSError, ValueError, TypeError, LookupError, AttributeError) as error:
            raise RunError(f"answers '{path}' cannot be read: {error}; delete the file and compress again") from error


def _all_kept(answers: Mapping[str, Sequence[Answer]]) -> dict[str, tuple[str, ...]]:
    return {name: tuple(map(_kept, given)) for name, given in answers.items()}


def _texts(answers: Mapping[str, Sequence[str]]) -> dict[str, tuple[str, ...]]:
    return {name: tuple(map(str, given)) for name, given in answers.items()}


def _kept(answer: Answer) -> str:
    return answer if isinstance(answer, str) else _url(_in_colours(answer))


def _in_colours(image: Array) -> Array:
    """Images of three channels unchanged, of others the first channel alone."""
    return image if image.shape[-1] == 3 else image[..., :1]


def _visible(image: Array) -> Array:
    """Pixels (H, W, 1) or (H, W, 3), uint8, scaled so that the image's values span 0 to 255."""
    colours = _in_colours(image)
    low, high = float(colours.min()), float(colours.max())
    scaled = (colours.astype(np.float64) - low) * (255 / (high - low or 1))
    return scaled.round().astype(np.uint8)


def _url(pixels: Array) -> str:
    file = io.BytesIO()
    Image.fromarray(pixels[..., 0] if pixels.shape[-1] == 1 else pixels).save(file, "PNG")
    return PNG + base64.b64encode(file.getvalue()).decode("ascii")
