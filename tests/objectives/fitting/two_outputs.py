"""A small model of two outputs, compiled, and data for it: a mask and a size of drawn squares."""

from dataclasses import dataclass
from functools import cache
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import keras
import numpy as np
from keras import layers

COUNT = 40


class Losses(keras.callbacks.Callback):  # type: ignore[misc]
    """Records the running mean of the loss after every step."""

    seen: list[float] = []

    def on_train_batch_end(self, batch: int, logs: Any = None) -> None:
        """Record it."""
        self.seen.append(logs["loss"])


def model(*, as_mapping: bool = True, several_inputs: bool = False) -> Any:
    """Outputs ``mask`` (N, 8, 8, 3), softmax, and ``kind`` (N, 2), logits; a second input ``extra`` (N, 4) or none."""
    keras.utils.set_random_seed(3)
    inputs = {"image": keras.Input((8, 8, 3), name="image")}
    x = layers.Conv2D(8, 3, padding="same", use_bias=False, name="first")(inputs["image"])
    x = layers.ReLU()(layers.BatchNormalization(momentum=0.9, name="norm")(x))
    x = layers.Conv2D(8, 3, padding="same", activation="relu", name="second")(x)
    mask = layers.Conv2D(3, 3, padding="same", activation="softmax", name="mask")(x)
    x = layers.GlobalAveragePooling2D()(x)
    if several_inputs:
        inputs["extra"] = keras.Input((4,), name="extra")
        x = layers.Concatenate()([x, inputs["extra"]])
    kind = layers.Dense(2, kernel_regularizer=keras.regularizers.L2(0.01), name="kind")(x)
    outputs = {"mask": mask, "kind": kind} if as_mapping else [mask, kind]
    return keras.Model(inputs if several_inputs else inputs["image"], outputs)


def compiled(net: Any) -> Any:
    """The model, compiled with losses, weights and metrics by the names of its outputs."""
    net.compile(
        keras.optimizers.SGD(0.3, momentum=0.5),
        loss={
            "mask": "sparse_categorical_crossentropy",
            "kind": keras.losses.SparseCategoricalCrossentropy(from_logits=True),
        },
        loss_weights={"mask": 1.0, "kind": 0.25},
        metrics={"mask": ["accuracy"], "kind": [keras.metrics.SparseCategoricalCrossentropy("ce", from_logits=True)]},
    )
    return net


@cache
def _file(**options: bool) -> bytes:
    """The file of the compiled model: writing it takes longer than its tests."""
    with TemporaryDirectory() as folder:
        path = Path(folder) / "net.keras"
        compiled(model(**options)).save(path)
        return path.read_bytes()


def saved(path: Path, **options: bool) -> Path:
    """A file of the compiled model."""
    path.write_bytes(_file(**options))
    return path


@cache
def arrays(count: int = COUNT, seed: int = 0) -> tuple[Any, dict[str, Any], dict[str, Any]]:
    """Images (N, 8, 8, 3), targets and sample weights by output; nobody may change them."""
    rng = np.random.default_rng(seed)
    images = rng.normal(0, 0.3, (count, 8, 8, 3)).astype("float32")
    masks, kinds = rng.integers(0, 3, (count, 8, 8)), np.arange(count) % 2
    images[..., 0] += masks
    images[kinds == 1, ..., 1] += 1
    shapes = {"mask": (count, 1, 1), "kind": (count,)}
    weights = {name: rng.uniform(0.1, 2, shape).astype("float32") for name, shape in shapes.items()}
    return images, {"mask": masks.astype("int32"), "kind": kinds.astype("int64")}, weights


@dataclass
class Given:
    """Data in the place of a function of the user's."""

    value: Any
    reference: str = "given"

    def __call__(self) -> Any:
        """The data."""
        return self.value


def drawn() -> Any:
    """Training, validation and test data as arrays."""
    return arrays()[:2], arrays(16, 1)[:2], arrays(16, 2)[:2]


def divided() -> Any:
    """Training and test data as arrays."""
    return arrays()[:2], arrays(16, 2)[:2]
