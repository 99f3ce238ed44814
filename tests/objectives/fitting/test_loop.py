"""Training by Keras's fit: by which kernels."""

from contextlib import contextmanager

import keras

from compress.model_files.compiled import CompiledModel
from compress.model_files.files import load_model
from objectives.fitting.compiled import CompiledTraining
from tests.objectives.fitting.two_outputs import Given, drawn
from zoo.kernels.replacement import own_kernels
from zoo.tasks.own_class import TrainingBudget


def test_layers_compute_by_our_kernels(tmp_path, monkeypatch):
    computed = []

    @contextmanager
    def seen(model):
        with own_kernels(model):
            computed.append([layer.name for layer in model.layers if "call" in vars(layer)])
            yield

    monkeypatch.setattr("objectives.fitting.loop.own_kernels", seen)
    normalized = [keras.layers.BatchNormalization(name="norm"), keras.layers.Conv2D(3, 3, padding="same")]
    net = keras.Sequential([keras.Input((8, 8, 3)), *normalized, keras.layers.Softmax()])
    net.compile("adam", "sparse_categorical_crossentropy", metrics=["accuracy"])
    net.save(tmp_path / "net.keras")
    data = Given(tuple((images, targets["mask"]) for images, targets in drawn()))
    own = CompiledTraining(data, CompiledModel.read(tmp_path / "net.keras"), None, 0.1, 0)
    own.fit(load_model(tmp_path / "net.keras"), TrainingBudget(steps=2, batch_size=16, learning_rate=0.01))
    assert computed == [["norm"]]
