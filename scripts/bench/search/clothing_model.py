"""Trains the original of configs/clothing_mobilenet.yaml: MobileNet 0.25 with ImageNet's weights, fine-tuned on photos.

    python -m scripts.bench.search.clothing_model models/clothing_mobilenet.keras --data data/clothing

The weights are those that `keras.applications` downloads, or a file of them: --weights mobilenet_2_5_224_tf_no_top.h5.
"""

import argparse
import os
from pathlib import Path

os.environ.setdefault("TF_ENABLE_ONEDNN_OPTS", "1")  # as in a worker, for a model like this one

import search  # noqa: F401  isort: skip  before TensorFlow, for the environment that it needs
import keras

from compress.model_files.files import save_model
from configs.load import load_config
from search import settings
from zoo.data.dataset import ImageDataset
from zoo.tasks.keras_class import KerasClass
from zoo.training.evaluation import evaluate
from zoo.training.schedule import Schedule
from zoo.training.training import TrainingSettings, train

CONFIG = Path(__file__).parents[3] / "configs" / "clothing_mobilenet.yaml"


def clothing_model(classes: int, size: int, weights: str) -> keras.Model:
    """A classifier of images (N, size, size, 3) of 0 to 255, with rescaling and augmentation inside.

    weights: "imagenet" or a file.
    """
    base = keras.applications.MobileNet((size, size, 3), 0.25, include_top=False, weights=weights, name="base_model")
    inputs = keras.Input((size, size, 3))
    x = keras.layers.RandomFlip("horizontal", seed=1)(inputs)
    x = keras.layers.RandomTranslation(0.1, 0.1, seed=2)(x)
    x = base(keras.layers.Rescaling(1 / 127.5, -1)(x))
    x = keras.layers.Dropout(0.2, seed=3)(keras.layers.GlobalAveragePooling2D()(x))
    return keras.Model(inputs, keras.layers.Dense(classes, activation="softmax")(x), name="clothing_mobilenet")


def trained(data: ImageDataset, weights: str, epochs: int) -> keras.Model:
    """The classifier after so many epochs of Adam from 0.001 down to nothing."""
    keras.utils.set_random_seed(0)
    model = clothing_model(int(data.train.targets.max()) + 1, data.image_shape[0], weights)
    adam, cosine = KerasClass("Adam", {}), Schedule("cosine", {})
    train(model, data, TrainingSettings(epochs, 1e-3, 32, optimizer=adam, schedule=cosine))
    return model


def main() -> None:
    """Train, save and say what it scores on the test split."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("out", type=Path, help="a .keras file")
    parser.add_argument("--data", default="data/clothing", help="the folder of photos")
    parser.add_argument("--weights", default="imagenet")
    parser.add_argument("--epochs", type=int, default=15)
    arguments = parser.parse_args()
    data = settings.dataset(load_config(CONFIG, [f"data.source={arguments.data}"]))
    model = trained(data, arguments.weights, arguments.epochs)
    arguments.out.parent.mkdir(parents=True, exist_ok=True)
    save_model(model, arguments.out)
    print(f"{arguments.out}: {evaluate(model, data, data.test).text} on {len(data.test)} test images")


if __name__ == "__main__":
    main()
