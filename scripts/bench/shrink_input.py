"""A trained model for smaller images: the same weights, fine-tuned. Makes a benchmark of many searches affordable.

python -m scripts.bench.shrink_input configs/resnet20_cifar10.yaml --size 16 --out models/resnet20_16.keras
"""

import argparse
from pathlib import Path

import search  # noqa: F401  isort: skip  before TensorFlow, for the environment that it needs
import keras

from compress.model_files.files import load_model, save_model
from configs.load import load_config
from search import settings
from search.runs.run_folder import model_path
from zoo.training.evaluation import evaluate
from zoo.training.training import train


def shrunk(model: keras.Model, size: int) -> keras.Model:
    """The same layers and weights for images of (size, size) pixels; the model may not depend on their number."""
    shape = (size, size, model.input_shape[-1])
    smaller = keras.models.clone_model(model, input_tensors=keras.Input(shape))
    smaller.set_weights(model.get_weights())
    return smaller


def main() -> None:
    """Shrink the model of a configuration, and fine-tune it as the configuration says."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("config", type=Path, help="a run's configuration, its model trained")
    parser.add_argument("--size", type=int, required=True, help="pixels of an edge")
    parser.add_argument("--out", type=Path, required=True)
    parser.add_argument("--set", dest="overrides", action="append", default=[], help="as of tuckprune")
    arguments = parser.parse_args()
    size = f"data.image_size=[{arguments.size},{arguments.size}]"
    config = load_config(arguments.config, [*arguments.overrides, size])
    keras.utils.set_random_seed(config.seed)
    data = settings.dataset(config)
    model = shrunk(load_model(model_path(config)), arguments.size)
    result = train(model, data, settings.training(config.finetune, config.seed))
    save_model(model, arguments.out)
    score = evaluate(model, data, data.test)
    print(f"validation {result.validation:.4f}, test {score.text}: {arguments.out}")


if __name__ == "__main__":
    main()
