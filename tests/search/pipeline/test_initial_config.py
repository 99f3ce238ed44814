"""`tuckprune init`: what it finds out of a model and its images, and that what it writes can be searched."""

import keras
import numpy as np
import pytest
from PIL import Image

from compress.parameters import CompressionParameters
from configs.load import load_config
from search.driver.listeners.listener import Listener
from search.strategies.preparation import prepared
from tests.zoo.data.files.layouts import written


@pytest.fixture
def mine(tmp_path, monkeypatch):
    """A model that tells dark from bright images of pixels from -1 to 1, and images so close to its threshold that no
    other normalization puts them on the right side of it.
    """
    monkeypatch.chdir(tmp_path)
    inputs = keras.Input((8, 8, 3))
    convolution, dense = keras.layers.Conv2D(4, 3, padding="same"), keras.layers.Dense(2, activation="softmax")
    outputs = dense(keras.layers.GlobalAveragePooling2D()(convolution(inputs)))
    kernel = np.zeros((3, 3, 3, 4))
    kernel[1, 1] = 1 / 3
    convolution.set_weights([kernel, np.zeros(4)])
    dense.set_weights([np.tile([-9.0, 9.0], (4, 1)), np.zeros(2)])
    keras.Model(inputs, outputs).save("dark or bright.keras")

    def write(brightness=(116, 131), **changes):
        labels = np.arange(80) % 2
        pixels = np.random.default_rng(0).integers(0, 8, (80, 8, 8, 3)) + np.array(brightness)[labels, None, None, None]
        images = pixels.astype(np.uint8)
        np.savez("images.npz", x_train=images, y_train=labels, x_test=images, y_test=labels, **changes)

    write()
    return write


@pytest.fixture
def folder(mine, tmp_path):
    """The drawn images scaled up, as files in a folder for each class."""
    with np.load("images.npz") as file:
        for number, (image, label) in enumerate(zip(file["x_train"], file["y_train"], strict=True)):
            path = tmp_path / "photos" / "train" / "ab"[label] / f"{number}.png"
            path.parent.mkdir(parents=True, exist_ok=True)
            Image.fromarray(image).resize((12, 12)).save(path)


@pytest.mark.parametrize(("source", "size"), [("images.npz", None), ("photos", (8, 8))])
def test_what_is_written_says_what_the_model_was_trained_with(tuckprune, folder, tmp_path, source, size):
    # A folder by its address, a file by its path.
    source = (tmp_path / source).as_uri() if source == "photos" else source
    code, out, err = tuckprune("init", "--model", "dark or bright.keras", "--data", source, "--out", "new/mine.yaml")
    assert (code, err) == (0, "")
    assert "images of 8x8x3, 2 classes" in out and "accuracy 1.0000" in out
    assert out.splitlines()[-1].endswith("tuckprune search new/mine.yaml --dry-run")
    config = load_config("new/mine.yaml")
    assert (config.data.scale, config.data.mean, config.data.std) == (127.5, (1.0,) * 3, (1.0,) * 3)
    assert config.name == "dark_or_bright" and config.data.image_size == size and config.search.metric.name == "loss"
    with open("new/mine.yaml", encoding="utf-8") as file:
        text = file.read()
    assert "# accuracy 1.0000, loss" in text and text.count("#   instead of ") == 4 and "is it trained" not in text
    job = prepared(config, keras.models.load_model("dark or bright.keras"), Listener())
    whole = job.space.cost.cost(CompressionParameters.none())
    assert job.budget.limits[0].most == pytest.approx(whole.flops / 2)


@pytest.mark.parametrize("size", ["8", "8x8"])
def test_photos_of_several_sizes_are_resized_for_a_model_that_takes_any(tuckprune, folder, tmp_path, size):
    trained, inputs = keras.models.load_model("dark or bright.keras"), keras.Input((None, None, 3))
    x = inputs
    for layer in trained.layers[1:]:
        x = layer(x)
    keras.Model(inputs, x).save("any.keras")
    Image.new("RGB", (9, 10), (131,) * 3).save(tmp_path / "photos" / "train" / "b" / "80.png")
    given = ("init", "--model", "any.keras", "--data", "photos")
    code, _, err = tuckprune(*given)
    assert code == 1 and "give an image_size" in err and not (tmp_path / "tuckprune.yaml").exists()
    code, out, err = tuckprune(*given, "--image-size", size)
    assert (code, err) == (0, "") and "images of 8x8x3" in out
    assert load_config("tuckprune.yaml").data.image_size == (8, 8)
    code, _, err = tuckprune(*given, "--out", "other.yaml", "--image-size", "8y8")
    assert code == 2 and "--image-size: expected 224 or, height by width, 224x160, received '8y8'" in err


def test_a_model_that_is_not_trained_is_told(tuckprune, mine):
    mine(brightness=(0, 0))
    code, out, _ = tuckprune("init", "--model", "dark or bright.keras", "--data", "images.npz")
    assert code == 0 and "where the commonest class has 50.0 %: check that it is trained" in out
    with open("tuckprune.yaml", encoding="utf-8") as file:
        assert "# is it trained" in file.read()


def test_a_model_of_three_inputs_is_told_what_takes_it(tuckprune, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    inputs = [keras.Input((7, 5, 3), name=name) for name in "abc"]
    joined = keras.layers.Concatenate()([keras.layers.Flatten()(tensor) for tensor in inputs])
    keras.Model(inputs, keras.layers.Dense(2, "softmax")(joined)).save("three.keras")
    code, _, err = tuckprune("init", "--model", "three.keras", "--data", str(written(tmp_path / "photos")))
    assert code == 1 and "received the inputs a, b, c" in err


@pytest.mark.parametrize("name", ["2024", "1e5"])
def test_a_name_that_yaml_takes_for_a_number_stays_text(tuckprune, mine, tmp_path, name):
    (tmp_path / "dark or bright.keras").rename(tmp_path / f"{name}.keras")
    code, _, err = tuckprune("init", "--model", f"{name}.keras", "--data", "images.npz")
    assert (code, err) == (0, "")
    assert load_config("tuckprune.yaml").name == name


def test_a_file_that_is_there_is_kept(tuckprune, mine, tmp_path):
    (tmp_path / "tuckprune.yaml").write_text("mine")
    code, _, err = tuckprune("init", "--model", "dark or bright.keras", "--data", "images.npz")
    assert code == 1 and "expected a new file" in err
    assert (tmp_path / "tuckprune.yaml").read_text() == "mine"


def test_another_task_is_scored_by_its_own_figure(tuckprune, tmp_path, monkeypatch):
    """The model gives twice the mean of pixels from 0 to 1."""
    monkeypatch.chdir(tmp_path)
    inputs = keras.Input((8, 8, 1))
    convolution, dense = keras.layers.Conv2D(4, 1), keras.layers.Dense(1)
    model = keras.Model(inputs, dense(keras.layers.GlobalAveragePooling2D()(convolution(inputs))))
    model.set_weights([np.ones((1, 1, 1, 4)), np.zeros(4), np.full((4, 1), 0.5), np.zeros(1)])
    model.save("brightness.keras")
    images = np.random.default_rng(0).integers(0, 256, (60, 1, 1, 1), np.uint8) * np.ones((1, 8, 8, 1), np.uint8)
    targets = 2 * images.mean(axis=(1, 2)) / 255
    np.savez("images.npz", x_train=images, y_train=targets, x_test=images, y_test=targets)
    code, out, err = tuckprune("init", "--model", "brightness.keras", "--data", "images.npz", "--task", "regression")
    assert (code, err) == (0, "") and "regression" in out
    config = load_config("tuckprune.yaml")
    assert (config.task.name, config.data.scale, config.data.mean) == ("regression", 255, (0.0,))
