"""The zoo's models by name."""

from collections.abc import Callable
from dataclasses import dataclass
from difflib import SequenceMatcher
from typing import Final

import keras

from compress.errors import ConfigError
from zoo.models.edsr import edsr
from zoo.models.mobilenet import mobilenetv1
from zoo.models.resnet import ResNet
from zoo.models.unet import unet
from zoo.models.vgg import vgg19

Builder = Callable[[str, tuple[int, int, int], int], keras.Model]


@dataclass(frozen=True)
class _Entry:
    builder: Builder
    input_shape: tuple[int, int, int]
    classes: int
    smallest_image: int = 1
    task: str = "classification"


def _cifar_resnet(blocks: int) -> _Entry:
    return _Entry(ResNet((16, 32, 64), (blocks,) * 3, bottleneck=False, shortcut_normalization=False), (32, 32, 3), 10)


_DIGITS_RESNET = ResNet((16, 32, 64), (2, 2, 2), bottleneck=False, shortcut_normalization=True)
_RESNET50 = ResNet((64, 128, 256, 512), (3, 4, 6, 3), bottleneck=True, shortcut_normalization=True)

_ENTRIES: Final = {
    "digits_resnet": _Entry(_DIGITS_RESNET, (8, 8, 1), 10),
    "resnet20": _cifar_resnet(3),
    "resnet32": _cifar_resnet(5),
    "resnet56": _cifar_resnet(9),
    "resnet50": _Entry(_RESNET50, (32, 32, 3), 100),
    "vgg19": _Entry(vgg19, (32, 32, 3), 100, smallest_image=32),
    "mobilenetv1": _Entry(mobilenetv1, (32, 32, 3), 100),
    "unet": _Entry(unet, (180, 240, 3), 11, smallest_image=12, task="segmentation"),
    "edsr": _Entry(edsr, (48, 48, 3), 2, task="super_resolution"),
}

MODEL_NAMES: Final = tuple(_ENTRIES)
"""All models."""

CLASSIFIERS: Final = tuple(name for name, entry in _ENTRIES.items() if entry.task == "classification")
"""Those that end in a softmax layer `linear`."""


def task_of(name: str) -> str:
    """The task that a model is for.

    Raises:
        ConfigError: an unknown name.
    """
    return _entry(name).task


def build_model(name: str, *, input_shape: tuple[int, ...] | None = None, classes: int | None = None) -> keras.Model:
    """Build an untrained functional model named `name`, with input `input`; classifiers end in a softmax `linear`.

    input_shape: (height, width, channels), by default what the network was published for.
    classes: of an image or, for segmentation, of a pixel; for super-resolution the factor, at least 2; by default the
        published number.
    Weights come from Keras's global seed: call `keras.utils.set_random_seed` first for a reproducible model.
    Raises ConfigError for an unknown name, a shape the network cannot take, or fewer than two classes.
    """
    entry = _entry(name)
    shape: tuple[int, ...] = entry.input_shape if input_shape is None else tuple(input_shape)
    width = entry.classes if classes is None else classes
    if len(shape) != 3 or min(shape) < 1 or min(shape[:2]) < entry.smallest_image:
        raise ConfigError(
            f"expected an input_shape (height, width, channels) of at least {entry.smallest_image} pixels for {name}, "
            f"received {shape}; resize the images or take another model"
        )
    if width < 2:
        words = "a factor of at least 2" if entry.task == "super_resolution" else "at least 2 classes"
        raise ConfigError(f"expected {words} for {name}, received {width}")
    height, breadth, channels = shape
    return entry.builder(name, (height, breadth, channels), width)


def _entry(name: str) -> _Entry:
    if name not in _ENTRIES:
        raise ConfigError(f"expected a zoo model, one of {', '.join(_nearest_first(name))}; received {name!r}")
    return _ENTRIES[name]


def _nearest_first(name: str) -> list[str]:
    return sorted(MODEL_NAMES, key=lambda known: -SequenceMatcher(None, name.lower(), known).ratio())
