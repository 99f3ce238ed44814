"""Data as fit takes them: arrays, datasets of tf.data and of Keras, and what is said of those that cannot be used."""

import keras
import numpy as np
import pytest
import tensorflow as tf

from compress.errors import ConfigError, DataError, TaskError
from compress.model_files.compiled import CompiledModel
from objectives.fitting.compiled import CompiledTraining
from objectives.fitting.fit_data import FitData, batches, counted
from tests.objectives.fitting.two_outputs import Given, arrays, model, saved
from zoo.data.own_function import OwnFunction
from zoo.tasks.own_class import TrainingBudget
from zoo.training.schedule import Schedule
from zoo.training.training import TrainingSettings

X, Y = np.zeros((10, 4, 4, 3), "float32"), np.arange(10)
DATASET = tf.data.Dataset.from_tensor_slices((X, Y)).batch(4)
SIGNATURE = (tf.TensorSpec((None, 4, 4, 3)), tf.TensorSpec((None,)))


class Batches(keras.utils.PyDataset):
    """Batches of 4; without an end unless it has a number of them."""

    def __init__(self, count=3):
        super().__init__()
        self.count = count

    @property
    def num_batches(self):
        return self.count

    def __getitem__(self, index):
        return X[:4], Y[:4]


def endless():
    while True:
        yield X[:4], Y[:4]


def generated(of=endless):
    return tf.data.Dataset.from_generator(of, output_signature=SIGNATURE)


def data(returned):
    return FitData.of(returned, "given", 0.2, 0)


@pytest.mark.parametrize("part", [(X, Y), DATASET, Batches(), ((X, X), {"a": Y, "b": Y}, np.ones(10))])
def test_batches_of_every_kind(part):
    split = data((part, part, part)).validation
    sizes = [len(keras.tree.flatten(x)[0]) for x, _, _ in batches(split, 4)]
    assert sizes == ([4, 4, 4] if isinstance(part, Batches) else [4, 4, 2])
    assert counted(split, 4) == 3


@pytest.mark.parametrize(
    ("returned", "message"),
    [
        (DATASET, r"expected \(train, validation, test\) or \(train, test\) from 'given', received <_Batch"),
        ((X, Y), "expected a tf.data.Dataset, a keras.utils.PyDataset, .* as train of 'given', received array"),
        ((DATASET, DATASET), "as only arrays can be divided here, .* hold validation out in the function"),
        (((X, Y[:9]), (X, Y)), "as inputs in train of 'given', received 10 inputs, 9 targets"),
        (((X, Y, np.ones(8)), (X, Y)), "train of 'given', received 10 inputs, 10 targets, 8 sample weights"),
        (((X, {"a": Y, "b": Y[:5]}), (X, Y)), "received 10 inputs, 5/10 targets"),
        (((X, np.array(["a"] * 10)), (X, Y)), "expected arrays of numbers as train of 'given', received array"),
        (((X[:1], Y[:1]), (X, Y)), "expected at least 2 training examples from 'given', received 1"),
    ],
)
def test_what_cannot_be_read(returned, message):
    with pytest.raises(DataError, match=message):
        data(returned)


@pytest.mark.parametrize(
    ("train", "test", "message"),
    [
        (DATASET, DATASET.repeat(), r"expected test of 'given' to end, .* without an end; add .take\(batches\)"),
        (DATASET, Batches(None), "expected test of 'given' to end"),
        (DATASET.repeat(), DATASET, "expected train of 'given' to end"),
        (DATASET, generated(), "received more than 20 batches, and no number of them; add"),
    ],
)
def test_data_without_an_end(train, test, message, monkeypatch):
    monkeypatch.setattr("objectives.fitting.fit_data.MOST_BATCHES", 20)
    with pytest.raises(DataError, match=message):
        data((train, DATASET, test)).check_ends(trains_epochs=True)
    data((DATASET.repeat(), DATASET, DATASET)).check_ends(trains_epochs=False)


def test_data_without_examples():
    with pytest.raises(DataError, match="expected examples in test of 'given', received none"):
        data((DATASET, DATASET, DATASET.take(0))).first("test")
    weighted = tf.data.Dataset.from_tensors((X, Y, np.ones(8)))
    with pytest.raises(DataError, match="received 10 inputs, 10 targets, 8 sample weights"):
        data((weighted, DATASET, DATASET)).first("train")


def failing():
    raise SystemExit(3)


@pytest.mark.parametrize(
    ("function", "message"),
    [
        ("failing", "expected data from '.*:failing', received SystemExit: 3"),
        ("missing", "expected a function 'missing' in module"),
    ],
)
def test_a_function_that_fails(function, message):
    with pytest.raises(DataError, match=message):
        OwnFunction.load(f"{__name__}:{function}")()


@pytest.fixture(scope="module")
def file(tmp_path_factory):
    return saved(tmp_path_factory.mktemp("net") / "net.keras")


def training(file, train, settings=None):
    part = arrays(16, 1)[:2]
    return CompiledTraining(Given((train, part, part)), CompiledModel.read(file), settings, 0.1, 0)


def of_generator(passes):
    """A dataset that gives two batches in so many passes, and none afterwards; it does not know how many."""
    images, targets, _ = arrays(16, 1)
    left = iter(range(passes))

    def two():
        if next(left, None) is not None:
            yield from [(images[:8], {name: value[:8] for name, value in targets.items()})] * 2

    specs = tf.TensorSpec((None, 8, 8, 3)), {"mask": tf.TensorSpec((None, 8, 8)), "kind": tf.TensorSpec((None,))}
    return tf.data.Dataset.from_generator(two, output_signature=specs)


def test_a_short_dataset_is_repeated_and_one_of_a_single_pass_is_refused(file, losses):
    net = model()
    own = training(file, of_generator(2))
    with pytest.raises(TaskError, match="that can be read again and again, received no batch in pass .; return a dat"):
        own.fit(net, TrainingBudget(steps=5))
    assert len(losses) in (2, 4)  # Keras reads ahead.
    losses.clear()
    own = training(file, of_generator(9))
    own.fit(net, TrainingBudget(steps=3))
    assert len(losses) == 3
    own.fit(net, TrainingBudget(steps=2, done=3))
    assert len(losses) == 5


def test_a_schedule_over_steps_needs_to_know_how_many_there_are(file):
    settings = TrainingSettings(epochs=2, schedule=Schedule("cosine"))
    with pytest.raises(ConfigError, match="finetune.schedule: expected plateau or constant, as .*, received cosine"):
        training(file, of_generator(3), settings).fit(model(), TrainingBudget(epochs=2))


@pytest.mark.parametrize(
    ("inputs", "message"),
    [
        (arrays()[0][:, :4], r"expected inputs of shape \(N, 8, 8, 3\) in train of .*, received \(N, 4, 8, 3\)"),
        ((arrays()[0], arrays()[0]), r"received \(N, 8, 8, 3\) and \(N, 8, 8, 3\)"),
    ],
)
def test_inputs_that_the_model_does_not_take(file, inputs, message):
    with pytest.raises(DataError, match=message):
        training(file, (inputs, arrays()[1])).check(model())
