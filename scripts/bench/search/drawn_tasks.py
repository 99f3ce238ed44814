"""Two small tasks on drawn images: which of three shapes an image holds, and where a disc is and how large."""

from collections.abc import Callable, Mapping
from pathlib import Path
from types import MappingProxyType

import search  # noqa: F401  isort: skip  before TensorFlow, for the environment that it needs
import keras
import numpy as np
import numpy.typing as npt

from compress.model_files.files import save_model
from zoo.data.load import load_dataset
from zoo.tasks.keras_class import KerasClass
from zoo.tasks.registry import make_task
from zoo.training.schedule import Schedule
from zoo.training.training import TrainingSettings, train

SIZE, COUNT, TESTS, VALIDATION = 32, 4000, 1000, 0.2
Arrays = tuple[npt.NDArray[np.uint8], npt.NDArray[np.float32]]
_Drawn = tuple[npt.NDArray[np.bool_], list[float]]

_CONFIG = """
name: {name}
seed: 0
model: {{path: {model}}}
task: {{name: {name}}}
data: {{source: "scripts.bench.search.drawn_tasks:{name}", validation: {validation}}}
finetune: {{epochs: 10, learning_rate: 0.002, batch_size: 32, optimizer: {{name: Adam}}, schedule: {{name: cosine}}}}
budget: {{flops: 35%}}
space: {{ranks: false}}
recipe: [prune]
proxy: {{recalibration_images: 256, steps: 30, batch_size: 32, learning_rate: 0.01}}
search: {{trials: 40, workers: 2}}
finals: {{candidates: 3, epochs: 2}}
"""


def multilabel() -> tuple[Arrays, Arrays]:
    """Images (N, 32, 32, 1) with any of a disc, a square and a cross, (N, 3) zeros and ones."""
    return _divided(np.random.default_rng(0), _shapes)


def regression() -> tuple[Arrays, Arrays]:
    """Images (N, 32, 32, 1) of a disc, with its row, column and radius as shares of the image, (N, 3)."""
    return _divided(np.random.default_rng(1), _disc)


DRAWN: Mapping[str, str] = MappingProxyType({"multilabel": "sigmoid", "regression": "linear"})
"""What the model of each task ends in."""


def drawn_config(name: str, work: Path) -> Path:
    """The configuration of a task, written with its trained original if that is missing."""
    path, model = work / "drawn" / f"{name}.yaml", work / "drawn" / f"{name}.keras"
    if not model.exists():
        path.parent.mkdir(parents=True, exist_ok=True)
        save_model(_trained(name), model)
        path.write_text(_CONFIG.format(name=name, model=model, validation=VALIDATION), encoding="utf-8")
    return path


def _trained(name: str) -> keras.Model:
    keras.utils.set_random_seed(0)
    inputs = x = keras.Input((SIZE, SIZE, 1))
    for width in (16, 32, 64):
        for _ in range(2):
            x = keras.layers.Conv2D(width, 3, padding="same", use_bias=False)(x)
            x = keras.layers.ReLU()(keras.layers.BatchNormalization(momentum=0.9)(x))
        x = keras.layers.MaxPooling2D()(x)
    x = keras.layers.Dense(64, activation="relu")(keras.layers.Flatten()(x))
    model = keras.Model(inputs, keras.layers.Dense(3, activation=DRAWN[name])(x), name=name)
    source = f"scripts.bench.search.drawn_tasks:{name}"
    data = load_dataset(source, validation=VALIDATION, task=make_task(name, {}))
    train(model, data, TrainingSettings(30, 2e-3, 32, KerasClass("Adam", {}), Schedule("cosine", {})))
    return model


def _divided(generator: np.random.Generator, draw: Callable[[np.random.Generator], _Drawn]) -> tuple[Arrays, Arrays]:
    drawn = [draw(generator) for _ in range(COUNT + TESTS)]
    images = np.stack([_noisy(image, generator) for image, _ in drawn])[..., None]
    targets = np.array([numbers for _, numbers in drawn], np.float32)
    return (images[:COUNT], targets[:COUNT]), (images[COUNT:], targets[COUNT:])


def _noisy(shape: npt.NDArray[np.bool_], generator: np.random.Generator) -> npt.NDArray[np.uint8]:
    """A shape (height, width) a little brighter than noise."""
    grey = generator.normal(110, 35, shape.shape) + shape * generator.uniform(30, 90)
    return np.clip(grey, 0, 255).astype(np.uint8)


def _distances(generator: np.random.Generator) -> tuple[npt.NDArray[np.float64], npt.NDArray[np.float64], list[float]]:
    """Rows and columns of all pixels as seen from a place inside, and the place in shares of the image."""
    row, column = generator.uniform(6, SIZE - 6, 2)
    rows, columns = np.mgrid[:SIZE, :SIZE]
    return rows - row, columns - column, [row / SIZE, column / SIZE]


def _disc(generator: np.random.Generator) -> _Drawn:
    rows, columns, place = _distances(generator)
    radius = generator.uniform(2, 6)
    return rows**2 + columns**2 <= radius**2, [*place, radius / SIZE]


def _shapes(generator: np.random.Generator) -> _Drawn:
    image, there = np.zeros((SIZE, SIZE), bool), generator.random(3) < 0.5
    for kind in np.flatnonzero(there):
        rows, columns, _ = _distances(generator)
        across, down, half = np.abs(columns), np.abs(rows), generator.uniform(3, 5)
        disc, square = rows**2 + columns**2 <= half**2, np.maximum(across, down) <= half
        cross = square & (np.minimum(across, down) <= 1)
        image |= (disc, square, cross)[kind]
    return image, there.astype(float).tolist()
