"""Images that are to become larger."""

from dataclasses import dataclass
from typing import ClassVar

from compress.errors import ConfigError
from zoo.tasks.kinds.image_to_image import ImageToImage
from zoo.tasks.task import Layout


@dataclass(frozen=True)
class SuperResolution(ImageToImage):
    """Super-resolution: a folder holds the sharp images, which are reduced for the model.

    Attributes:
        factor: by which height and width are reduced.
    """

    name: ClassVar[str] = "super_resolution"
    words: ClassVar[str] = "a larger image for an image; PSNR, SSIM"
    folder: ClassVar[Layout] = "sharp"
    factor: int = 2

    def __post_init__(self) -> None:
        if self.factor < 2:
            raise ConfigError(f"task.options.factor: expected at least 2, received {self.factor!r}")
