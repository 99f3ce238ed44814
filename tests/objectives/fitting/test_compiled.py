"""Training and scores as a model was compiled, against plain Keras."""

from pathlib import Path

import keras
import numpy as np
import pytest

from compress.decomposition.tucker import decompose
from compress.errors import ConfigError, DataError, ModelError
from compress.model_files.compiled import CompiledModel
from compress.model_files.files import load_model
from compress.parameters import CompressionParameters
from objectives.fitting.compiled import CompiledTraining, at_rate
from objectives.fitting.keras_losses import OutputLoss
from objectives.fitting.tasks import FittedTask
from objectives.network.distillation import Distillation, Lesson, lesson_of
from objectives.score.own_trials import OwnTrials
from objectives.score.proxy import ProxySettings
from tests.objectives.fitting.two_outputs import Given, Losses, arrays, compiled, drawn, model, saved
from zoo.tasks.own_class import TrainingBudget
from zoo.tasks.own_task import OwnTask
from zoo.training.training import SGD, TrainingSettings

SEED, BATCH, RATE = 5, 16, 0.05


def task(path, function, training=None, custom_objects=None):
    return FittedTask(path, custom_objects, f"{__name__}:{function}", SEED, 0.2, training).make("compiled", {}, SGD)


def weighted():
    """Two inputs, two outputs, and weights for each of these."""
    return part(40, 0), part(16, 1), part(16, 2)


def part(count, seed):
    images, targets, weights = arrays(count, seed)
    extra = np.linspace(-1, 1, 4 * count, dtype="float32").reshape(count, 4)
    return {"image": images, "extra": extra}, targets, weights


def plain():
    """Arrays without weights, targets in the order of the outputs; no validation of their own."""
    return tuple((images, (targets["mask"], targets["kind"])) for images, targets, _ in (arrays(), arrays(16, 2)))


@pytest.mark.parametrize("case", ["weighted", "plain"])
def test_steps_and_figures_are_those_of_keras(case, tmp_path, losses):
    is_weighted = case == "weighted"
    path = saved(tmp_path / "net.keras", as_mapping=is_weighted, several_inputs=is_weighted)
    own = task(path, case)
    net, other = load_model(path), compiled(load_model(path))
    own.fit(net, TrainingBudget(steps=5, learning_rate=RATE, batch_size=BATCH, seed=SEED))
    parts = own.user._data
    other.optimizer.learning_rate = RATE
    keras.utils.set_random_seed(SEED)
    x, y, w = parts.train.inputs, parts.train.targets, parts.train.weights
    recorded = Losses()
    recorded.seen = []
    other.fit(x, y, sample_weight=w, batch_size=BATCH, epochs=3, verbose=0, callbacks=[recorded])
    assert len(losses) == 5
    np.testing.assert_allclose(losses, recorded.seen[:5], rtol=1e-5)
    net.set_weights(other.get_weights())
    test = parts.test
    expected = other.evaluate(
        test.inputs, test.targets, sample_weight=test.weights, batch_size=128, verbose=0, return_dict=True
    )
    figures = own.fitted(net).evaluate(net, "test").figures
    assert list(figures)[:3] == ["kind_ce", "mask_accuracy", "loss"] if is_weighted else ["mask_accuracy", "kind_ce"]
    assert dict(figures) == pytest.approx(expected, rel=1e-5)


def test_validation_is_drawn_by_the_seed(tmp_path):
    path = saved(tmp_path / "net.keras", as_mapping=False)
    first, again = (task(path, "plain").user._data for _ in range(2))
    assert len(first.train) == 32 and len(first.validation) == 8 and len(first.test) == 16
    np.testing.assert_array_equal(first.validation.inputs, again.validation.inputs)
    whole = {image.tobytes() for image in arrays()[0]}
    assert {image.tobytes() for part in (first.train, first.validation) for image in part.inputs} == whole


def test_a_student_learns_of_every_output(tmp_path, losses):
    path = saved(tmp_path / "net.keras")
    own, net, teacher = task(path, "weighted_outputs"), load_model(path), model()
    keras.utils.set_random_seed(11)
    teacher.set_weights([np.random.normal(0, 0.3, weight.shape) ** 2 for weight in teacher.get_weights()])
    images, targets, weights = arrays()
    student = {name: np.asarray(output, np.float64) for name, output in net(images, training=True).items()}
    taught = {name: np.asarray(output, np.float64) for name, output in teacher(images).items()}
    own.fit(net, TrainingBudget(steps=1, batch_size=40), Lesson(teacher, Distillation(0.3, 3.0)))

    def logs(values, name):
        return np.log(values[name] + 1e-7) if name == "mask" else values[name]

    def cross_entropy(of, logits):
        return -np.sum(of * (logits - np.log(np.exp(logits).sum(-1, keepdims=True))), -1)

    hard = soft = 0.0
    for name, share in (("mask", 1.0), ("kind", 0.25)):
        each = cross_entropy(np.eye(3 if name == "mask" else 2)[targets[name]], logs(student, name))
        hard += share * (each * weights[name]).mean()
        wanted = np.exp(logs(taught, name) / 3)
        wanted /= wanted.sum(-1, keepdims=True)
        soft += share * 9 * cross_entropy(wanted, logs(student, name) / 3).mean()
    regularization = 0.01 * np.sum(model().get_layer("kind").kernel.numpy() ** 2)
    assert losses == pytest.approx([0.7 * hard + 0.3 * soft + regularization], rel=1e-4)


def weighted_outputs():
    return arrays(), arrays(16, 1), arrays(16, 2)


def test_a_final_training_keeps_the_best_weights(tmp_path):
    path = saved(tmp_path / "net.keras")
    own = task(path, "weighted_outputs", TrainingSettings(epochs=3, batch_size=BATCH, learning_rate=0.1))
    net = load_model(path)
    before = own.fitted(net).evaluate(net, "validation").figures
    own.fit(net, TrainingBudget(epochs=3, learning_rate=0.1, batch_size=BATCH, seed=SEED))
    after = own.evaluate(net, "validation").figures
    assert after["kind_ce"] < before["kind_ce"]


@pytest.mark.parametrize(
    ("loss", "kind", "from_logits"),
    [
        ("sparse_categorical_crossentropy", "classification", False),
        (keras.losses.CategoricalFocalCrossentropy(from_logits=True), "classification", True),
        (keras.losses.BinaryCrossentropy(from_logits=True), "multilabel", True),
        ("mse", "regression", False),
        (keras.losses.Huber(), "regression", False),
        (lambda y, p: p, "classification", False),
        (None, "classification", False),
    ],
)
def test_what_a_student_is_compared_by(loss, kind, from_logits):
    inputs = keras.Input((4,))
    soft = OutputLoss(loss, 0.5).soft(keras.Model(inputs, keras.layers.Softmax()(inputs)))
    assert (soft.task.name, soft.from_logits, soft.weight) == (kind, from_logits, 0.0 if loss is None else 0.5)


def test_squared_differences_are_learned_where_there_are_no_classes():
    inputs = keras.Input((4,))
    soft = OutputLoss("mae", 2.0).soft(keras.Model(inputs, inputs))
    assert float(soft.loss(np.zeros((2, 4), "float32"), np.full((2, 4), 3, "float32"), 5.0)) == 18


def test_a_model_that_was_not_compiled(tmp_path):
    path = tmp_path / "net.keras"
    model().save(path)
    with pytest.raises(ConfigError, match=r"a model that was compiled with a loss for compiled, received '.*' without"):
        task(path, "weighted")


OWN = """
import keras

def own_loss(y, p):
    return keras.ops.mean(keras.ops.abs(y - p), axis=-1)

class OwnMetric(keras.metrics.MeanAbsoluteError):
    def __init__(self, name="own", **options):
        super().__init__(name=name, **options)
        del self._direction
"""


def own_data():
    images = arrays()[0]
    return (images, images), (images[:16], images[:16]), (images[:8], images[:8])


def test_a_loss_of_the_user_s_own_needs_its_module(tmp_path, monkeypatch):
    (tmp_path / "own_losses.py").write_text(OWN)
    monkeypatch.chdir(tmp_path)
    monkeypatch.syspath_prepend(tmp_path)
    import own_losses

    inputs = keras.Input((8, 8, 3))
    net = keras.Model(inputs, keras.layers.Conv2D(3, 1)(inputs))
    net.compile("adam", own_losses.own_loss, metrics=[own_losses.OwnMetric()])
    path = tmp_path / "net.keras"
    net.save(path)
    with pytest.raises(ModelError, match=r"Keras does not know its \w+ '\w+'; if it is your own, name the module"):
        task(path, "own_data")
    known = dict(keras.saving.get_custom_objects())
    try:
        own = task(path, "own_data", custom_objects="own_losses").fitted(net)
        with pytest.raises(ConfigError, match="search.metric.direction: expected maximize or minimize to rank by own"):
            own.metric(None)
        assert own.metric("own", "minimize").direction == "minimize" and own.metric("loss").direction == "minimize"
        own.fit(net, TrainingBudget(steps=1, batch_size=8, learning_rate=0.01))
    finally:
        keras.saving.get_custom_objects().clear()
        keras.saving.get_custom_objects().update(known)


def test_names_of_outputs(tmp_path):
    for as_mapping, names in ((True, ("kind", "mask")), (False, ("mask", "kind"))):
        assert CompiledModel.read(saved(tmp_path / "net.keras", as_mapping=as_mapping)).output_names == names
    with pytest.raises(ModelError, match="which says how it was compiled, received"):
        CompiledModel.read(Path("tests/data/keras2"))


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"kind": None}, "expected targets of the outputs kind, mask in train of .*, received none of kind"),
        ({"more": np.zeros(40)}, "expected targets of the outputs kind, mask in train of .*, received one more: more"),
        ({"kind": np.zeros((40, 1, 1))}, r"\(N, 2\) or, of class numbers, \(N\) for output 'kind' in .* \(N, 1, 1\)"),
        ({"mask": np.zeros((40, 4, 4))}, r"of class numbers, \(N, 8, 8\) for output 'mask' in .* \(N, 4, 4\)"),
    ],
)
def test_targets_of_another_structure(change, message, tmp_path):
    images, targets, _ = arrays()
    changed = {name: value for name, value in {**targets, **change}.items() if value is not None}
    data = Given(((images, changed), (images, targets), (images, targets)))
    own = CompiledTraining(data, CompiledModel.read(saved(tmp_path / "net.keras")), None, 0.1, 0)
    with pytest.raises(DataError, match=message):
        own.check(model())


@pytest.mark.parametrize(
    "optimizer",
    [
        keras.optimizers.Adam(keras.optimizers.schedules.CosineDecay(0.1, 10), beta_1=0.8),
        keras.optimizers.LossScaleOptimizer(keras.optimizers.Adam(0.1, beta_1=0.8)),
    ],
)
def test_an_optimizer_at_another_rate_keeps_its_options(optimizer):
    made = at_rate(optimizer, 0.25)
    inner = made.inner_optimizer if isinstance(made, keras.optimizers.LossScaleOptimizer) else made
    assert type(made) is type(optimizer) and inner.beta_1 == 0.8 and float(inner.learning_rate) == 0.25


def test_names_go_by_the_file_where_models_are_nested_or_decomposed(tmp_path):
    inner = model(as_mapping=False)
    inputs = keras.Input((8, 8, 3))
    mask, kind = inner(inputs)
    net = keras.Model(inputs, [keras.layers.Identity(name="mask")(mask), keras.layers.Identity(name="kind")(kind)])
    compiled(net).save(tmp_path / "net.keras")
    own = CompiledTraining(Given(drawn()), CompiledModel.read(tmp_path / "net.keras"), None, 0.1, 0)
    smaller = decompose(load_model(tmp_path / "net.keras"), {"second": (4, 4)})
    images, targets, _ = arrays(16, 2)
    figures = own.evaluate(smaller, "test")
    assert figures["mask_accuracy"] == pytest.approx((smaller.predict(images)[0].argmax(-1) == targets["mask"]).mean())


def test_a_decomposed_output_keeps_its_name(tmp_path):
    own = CompiledTraining(
        Given(drawn()), CompiledModel.read(saved(tmp_path / "n.keras", as_mapping=False)), None, 0.1, 0
    )
    smaller = decompose(load_model(tmp_path / "n.keras"), {"mask": (4, 2)})
    assert smaller.output_names[0] != "mask"
    assert {"mask_accuracy", "mask_loss", "kind_loss"} < own.evaluate(smaller, "test").keys()


def test_a_sequential_model_with_one_output(tmp_path, losses):
    net = keras.Sequential([keras.Input((8, 8, 3)), keras.layers.Conv2D(3, 3, padding="same", activation="softmax")])
    net.compile("adam", "sparse_categorical_crossentropy", metrics=["accuracy"])
    net.save(tmp_path / "net.keras")
    data = Given(tuple((images, targets["mask"]) for images, targets in drawn()))
    own = CompiledTraining(data, CompiledModel.read(tmp_path / "net.keras"), None, 0.1, 0)
    smaller = load_model(tmp_path / "net.keras")
    own.check(smaller)
    own.fit(smaller, TrainingBudget(steps=2, batch_size=16, learning_rate=0.01))
    assert len(losses) == 2 and list(own.evaluate(smaller, "test")) == ["accuracy", "loss"]


def test_a_trial_of_several_inputs_has_its_statistics_estimated_anew(tmp_path):
    path = saved(tmp_path / "net.keras", several_inputs=True)
    net = load_model(path)
    own = task(path, "weighted").fitted(net)
    settings = ProxySettings(steps=0, batch_size=16, recalibration_images=32, distillation=Distillation())
    trials = OwnTrials(net, own, settings)
    trial = trials.start(CompressionParameters({"second": 0.5}, {}))
    assert trials.rung(trial, 0).recalibration_images == 32 and own.image_size is None
    images = part(40, 0)[0]["image"][np.random.default_rng(SEED).permutation(40)[:32]]
    maps = keras.Model(net.inputs, net.get_layer("first").output)({"image": images, "extra": np.zeros((32, 4))})
    norm = trial.model.get_layer("norm")
    np.testing.assert_allclose(norm.moving_mean, np.mean(maps, (0, 1, 2)), rtol=1e-4, atol=1e-6)
    with pytest.raises(ConfigError, match="expected a model with one input for task compiled, for pruning.criterion"):
        own.images(1)


def test_only_tasks_of_this_product_take_lessons(tmp_path):
    own, teacher = task(saved(tmp_path / "net.keras", as_mapping=False), "plain"), model()
    assert lesson_of(own, Distillation(), teacher).teacher is teacher and lesson_of(own, None, teacher) is None
    assert lesson_of(OwnTask.load(f"{__name__}:Idle"), Distillation(), teacher) is None


class Idle:
    def fit(self, model, budget): ...

    def evaluate(self, model, split): ...
