"""Images that are to become other images: super-resolution, denoising, colouring."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, ClassVar

import numpy as np

from compress.errors import DataError
from zoo.tasks.figures.running import MeanFigures, RunningFigures
from zoo.tasks.keras_class import KerasClass
from zoo.tasks.metric import LOSS, Metric
from zoo.tasks.stored import StoredTargets
from zoo.tasks.task import Answer, Array, Layout, Task, check_alike, check_shape

_PSNR, _SSIM = Metric("PSNR", unit="dB"), Metric("SSIM")
_SMALLEST = 11
"""Pixels of the window that SSIM takes means over; of smaller images there is none."""
_IMAGES = 16
_LEAST_ERROR = 1e-10
"""Mean squared error of 100 dB, a hundredth of a step of 8 bits."""


@dataclass(frozen=True)
class ImageToImage(Task):
    """Image-to-image regression: targets (N, height, width, channels), 0 to 1, outputs of their shape."""

    name: ClassVar[str] = "image_to_image"
    words: ClassVar[str] = "an image for an image, as in super-resolution; PSNR, SSIM"
    folder: ClassVar[Layout] = "pairs"
    moves: ClassVar[bool] = True
    takes_short_floats: ClassVar[bool] = False

    @property
    def metrics(self) -> tuple[Metric, ...]:
        """Peak signal-to-noise ratio and structural similarity, means over images, and mean absolute error."""
        return _PSNR, _SSIM, LOSS

    def targets(self, given: Array, what: str) -> Array:
        """Images (N, height, width, channels), float32 from 0 to 1; of 8 bits, divided by 255."""
        images = given[..., None] if given.ndim == 3 else given
        eight_bit = images.dtype == np.uint8
        if images.ndim != 4 or not (eight_bit or images.dtype.kind == "f"):
            raise DataError(
                f"expected target images (N, height, width, channels), uint8 or float, in {what}, received "
                f"{given.dtype} of shape {given.shape}"
            )
        made = images.astype(np.float32) / np.float32(255 if eight_bit else 1)
        if not np.isfinite(made).all() or made.min() < 0 or made.max() > 1:
            raise DataError(
                f"expected target images from 0 to 1, or uint8, in {what}, received {made.min():g} to {made.max():g}"
            )
        return made

    def check_values(self, targets: Array, part: str, data: str) -> None:
        """Refuse numbers that are not finite; those of files, 8 bits each, are."""
        if not isinstance(targets, StoredTargets):
            super().check_values(targets, part, data)

    def check(self, parts: Mapping[str, Array], data: str, class_names: Sequence[str] | None = None) -> None:
        """Refuse splits of several sizes, and images too small for SSIM."""
        expected = check_alike(parts, "target images", data)
        if min(expected[:2]) < _SMALLEST:
            raise DataError(
                f"expected target images of at least {_SMALLEST} by {_SMALLEST} pixels in data set {data!r}, which "
                f"SSIM needs, received {expected[0]} by {expected[1]}"
            )

    def check_model(self, model: Any, targets: Array, data: str) -> None:
        """Refuse a model that gives images of another size."""
        check_shape(model, targets.shape[1:], data)

    def loss(self, model: Any) -> Any:
        """Mean absolute error."""
        from zoo.tasks.loss import plain_loss

        return plain_loss(KerasClass("MeanAbsoluteError"))

    def keras_metric(self, model: Any, *, mixed: bool = False) -> Any:
        """Peak signal-to-noise ratio of outputs cut to 0 to 1, at most 100 dB, a mean over images."""
        import keras

        return keras.metrics.MeanMetricWrapper(_psnr, name=_PSNR.name)

    def running_figures(self) -> RunningFigures:
        """Means over images, of outputs cut to 0 to 1; SSIM by TensorFlow."""
        return MeanFigures(_likeness)

    def made_up(self, *, right: bool) -> tuple[Array, Array]:
        """Two noisy images."""
        noise = np.random.default_rng(0).random((2, _SMALLEST, _SMALLEST, 1), np.float32)
        return noise, 0.99 * noise if right else 1 - noise

    def shown_outputs(self, outputs: Array) -> list[Answer]:
        """The image, cut to 0 to 1."""
        return [(255 * np.clip(image, 0, 1)).round().astype(np.uint8) for image in outputs]

    def doubt(self, targets: Array, outputs: Array) -> str | None:
        """No better than images of the mean colour."""
        own, mean = np.mean((outputs - targets) ** 2), np.mean((targets.mean(axis=(0, 1, 2)) - targets) ** 2)
        if own < mean:
            return None
        return (
            f"the original model's mean squared error is {own:.4g} on {len(targets)} validation images, where the mean "
            f"colour has {mean:.4g}"
        )


def _likeness(targets: Array, outputs: Array) -> dict[str, Array]:
    """PSNR and SSIM of each image, computed for some images at a time."""
    import tensorflow as tf

    pairs = [
        (targets[start : start + _IMAGES], np.clip(outputs[start : start + _IMAGES], 0, 1))
        for start in range(0, len(targets), _IMAGES)
    ]
    return {
        _PSNR.name: np.concatenate([_psnr(*pair).numpy() for pair in pairs]),
        _SSIM.name: np.concatenate([tf.image.ssim(*pair, 1.0).numpy() for pair in pairs]),
    }


def _psnr(targets: Any, outputs: Any) -> Any:
    """Of each image, in dB: an image without any error has 100 instead of infinity, which no mean can hold."""
    from keras import ops

    errors = ops.square(ops.cast(targets, "float32") - ops.clip(outputs, 0, 1))
    return -10 * ops.log10(ops.maximum(ops.mean(errors, axis=(-3, -2, -1)), _LEAST_ERROR))
