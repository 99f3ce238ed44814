"""Training by Keras's fit: by which kernels, and from which examples statistics are estimated."""

from contextlib import contextmanager

import keras
import numpy as np
import tensorflow as tf

from compress.model_files.compiled import CompiledModel
from compress.model_files.files import load_model
from objectives.fitting.compiled import CompiledTraining
from objectives.fitting.fit_data import FitData
from objectives.fitting.fitted import Fitted
from objectives.fitting.loop import Loop, calibration_batches
from tests.objectives.fitting.two_outputs import Given, drawn
from zoo.kernels.replacement import own_kernels
from zoo.tasks.metric import Metric
from zoo.tasks.own_class import TrainingBudget
from zoo.training.training import TrainingSettings


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


def test_a_model_that_its_constructor_froze_stays_so_where_it_is_fitted():
    inputs = keras.Input((4,))
    model = keras.Model(inputs, keras.layers.Dense(2)(inputs), trainable=False)
    assert model.layers[1].trainable and not Fitted(model, ["classes"]).trainable_weights


def by_class(seed):
    """2,000 examples of 0 and then 2,000 of 4, sorted as files of them often are."""
    part = np.repeat(np.float32([0, 4]), 2000)[:, None], np.repeat([0, 1], 2000)
    return FitData.of((part, part, part), "given", 0.2, seed)


def test_arrays_are_drawn_by_the_seed_and_other_data_taken_as_they_come():
    drawn, others, again = (list(calibration_batches(by_class(seed), 1024, 32)) for seed in (5, 6, 5))
    order = np.random.default_rng(5).permutation(4000)
    for number, batch in enumerate(drawn):
        chosen = np.sort(order[32 * number : 32 * (number + 1)])
        np.testing.assert_array_equal(batch[:, 0], np.where(chosen < 2000, 0, 4))
    assert len(drawn) == 32 and all(len(batch) == 32 for batch in drawn)
    np.testing.assert_array_equal(drawn, again)
    assert not np.array_equal(drawn, others)
    dataset = tf.data.Dataset.from_tensor_slices((np.arange(8), np.arange(8))).batch(3)
    came = calibration_batches(FitData.of((dataset, dataset, dataset), "given", 0.2, 5), 6, 6)
    assert [batch.numpy().tolist() for batch in came] == [[0, 1, 2], [3, 4, 5]]


def test_statistics_of_a_final_training_are_of_all_classes_where_arrays_are_sorted():
    net = keras.Sequential([keras.Input((1,)), keras.layers.BatchNormalization(name="norm"), keras.layers.Dense(2)])
    net.compile(keras.optimizers.SGD(0.0), keras.losses.SparseCategoricalCrossentropy(from_logits=True))
    loop = Loop(net, net, by_class(5), 32, 5)
    loop.epochs(1, TrainingSettings(epochs=1), Metric("loss", "minimize"))
    # Of 1,024 drawn, half are 4, give or take 2 %.
    np.testing.assert_allclose(net.get_layer("norm").moving_mean, [2.0], atol=0.25)
