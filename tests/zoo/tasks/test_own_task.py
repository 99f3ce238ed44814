"""Classes of users that train and score: what they may return, and what is said of those that do not behave."""

import inspect
import linecache
import pickle
import sys
from pathlib import Path
from types import ModuleType, SimpleNamespace

import keras
import numpy as np
import pytest

from compress.errors import ConfigError, DivergenceError, TaskError
from zoo.tasks.by_value import packed
from zoo.tasks.metric import LOSS, Metric
from zoo.tasks.own_class import TrainingBudget
from zoo.tasks.own_task import OwnTask

MODULE = """
import sys
from beside import factor

class Task:
    def __init__(self, returned=None, metrics=None, images=None):
        self.returned, self.open, self.calls = returned, lambda: None, []
        if metrics is not None:
            self.metrics = metrics
        if images is not None:
            self.calibration_images = lambda n: images

    def fit(self, model, budget):
        self.calls.append(budget)
        if self.returned in (sys.exit, ZeroDivisionError):
            raise SystemExit(3) if self.returned is sys.exit else ZeroDivisionError("1 / 0")
        self.width = factor()

    def evaluate(self, model, split):
        if self.returned is sys.exit:
            sys.exit()
        return {"mAP": 0.5, "loss": 2.0} if self.returned is None else self.returned

class NoFit:
    def evaluate(self, model, split): ...

class OneArgument(NoFit):
    def fit(self, model): ...
"""
MODEL = SimpleNamespace(weights=[], inputs=[SimpleNamespace(shape=(None, 8, 8, 3))], input_shape=(None, 8, 8, 3))
BUDGET = TrainingBudget(steps=1)


@pytest.fixture
def own(tmp_path, monkeypatch):
    """Tasks of the module, which lies with another one in the working directory."""
    (tmp_path / "own_module.py").write_text(MODULE)
    (tmp_path / "beside.py").write_text("WIDTH = 3\ndef factor(): return WIDTH\n")
    monkeypatch.chdir(tmp_path)
    for name in ("own_module", "beside"):
        monkeypatch.delitem(sys.modules, name, raising=False)
    yield lambda name="Task", **options: OwnTask.load(f"own_module:{name}", options)
    for name in ("own_module", "beside"):
        sys.modules.pop(name, None)


@pytest.mark.parametrize(
    ("name", "options", "message"),
    [
        ("Tasks", {}, "expected a class 'Tasks' in module 'own_module', received None"),
        ("NoFit", {}, r"received a class without fit\(model, budget\); add it"),
        ("OneArgument", {}, r"received a class without fit\(model, budget\); add it"),
        ("Task", {"size": 1}, "an object of own_module:Task with options {'size': 1}, received TypeError"),
        ("Task", {"metrics": {"mAP": "up"}}, "a mapping of names to maximize or minimize, received {'mAP': 'up'}"),
    ],
)
def test_a_class_that_cannot_be_used(own, name, options, message):
    with pytest.raises((ConfigError, TaskError), match=message):
        own(name, **options)


def test_a_module_that_cannot_be_imported(own):
    with pytest.raises(ConfigError, match="importable module in 'no_module:Task', received ModuleNotFoundError"):
        OwnTask.load("no_module:Task")


def test_metrics_are_what_the_original_gets(own):
    task = own().fitted(MODEL)
    assert task.metrics == (Metric("mAP"), LOSS) and task.image_size is None
    assert task.metric(None) == Metric("mAP") and task.metric("mAP", "minimize") == Metric("mAP", "minimize")
    with pytest.raises(
        ConfigError, match="expected one of mAP, loss, which evaluate of own_module:Task returns, received"
    ):
        task.metric("F1")
    declared = own(metrics={"loss": "minimize", "mAP": "maximize"}).fitted(MODEL)
    assert declared.metric(None) == LOSS and list(declared.evaluate(MODEL, "test").figures) == ["loss", "mAP"]
    with pytest.raises(ConfigError, match="expected maximize for mAP, as metrics of own_module:Task says"):
        declared.metric("mAP", "minimize")


@pytest.mark.parametrize(
    ("returned", "error", "message"),
    [
        (0.5, TaskError, "a mapping of names to numbers from evaluate of own_module:Task, received 0.5"),
        ({}, TaskError, "a mapping of names to numbers"),
        ({"mAP": "high"}, TaskError, "received 'high' as 'mAP'"),
        ({"mAP": np.zeros(2)}, TaskError, "as 'mAP'"),
        ({"mAP": 0.5}, TaskError, "expected mAP, loss from evaluate of .*, as for the original model, received mAP"),
        ({"mAP": np.nan, "loss": 1}, DivergenceError, "on the validation split, received mAP nan"),
        (sys.exit, TaskError, "expected figures from evaluate of own_module:Task, received SystemExit"),
    ],
)
def test_what_evaluate_must_not_return(own, returned, error, message):
    task = own().fitted(MODEL)
    task.user.returned = returned
    with pytest.raises(error, match=message):
        task.evaluate(MODEL, "validation")


@pytest.mark.parametrize(("returned", "message"), [(sys.exit, "SystemExit: 3"), (ZeroDivisionError, "Zero.*: 1 / 0")])
def test_what_fit_raises_is_one_line(own, returned, message):
    task = own()
    task.user.returned = returned
    with pytest.raises(TaskError, match=f"expected fit of own_module:Task to train the model, received {message}"):
        task.fit(MODEL, BUDGET)


def test_weights_that_are_not_finite(own):
    broken = keras.Variable([1.0, np.inf], name="kernel")
    with pytest.raises(DivergenceError, match=r"infinity in 'kernel' \(1 of 1\) with learning rate 0.01; lower it"):
        own().fit(SimpleNamespace(weights=[broken]), BUDGET)


@pytest.mark.parametrize(
    ("images", "message"),
    [(np.zeros((4, 8, 9, 3)), "input shape .*received .8, 9, 3."), (np.zeros((0, 8, 8, 3)), "received shape .0, 8")],
)
def test_images_that_do_not_fit(own, images, message):
    with pytest.raises(TaskError, match=message):
        own(images=images).fitted(MODEL)


def test_a_model_of_any_size_needs_images(own):
    model = SimpleNamespace(weights=[], inputs=[SimpleNamespace(shape=(None, None, None, 3))], name="net")
    assert own(images=np.zeros((4, 8, 8, 3))).fitted(model).image_size == (8, 8)
    with pytest.raises(TaskError, match="'net' takes images of any size and costs are counted at one"):
        own().fitted(model)


def test_images_are_optional(own):
    assert own(images=np.zeros((4, 8, 8, 3))).fitted(MODEL).images(2).shape == (2, 8, 8, 3)
    with pytest.raises(ConfigError, match=r"a method calibration_images\(n\) of own_module:Task"):
        own().images(2)


def test_it_is_sent_with_its_code_and_without_its_object(own, tmp_path, monkeypatch):
    task = own().fitted(MODEL)
    task.fit(MODEL, BUDGET)  # Its object holds a function that cannot be sent.
    content = pickle.dumps(task)
    for name in ("own_module", "beside"):
        monkeypatch.delitem(sys.modules, name)
    for path in tmp_path.glob("*.py"):
        path.unlink()
    linecache.clearcache()
    sent = pickle.loads(content)
    assert sent.metrics == task.metrics and sent.user.calls == []
    assert sent.evaluate(MODEL, "test").figures == {"mAP": 0.5, "loss": 2.0}
    sent.fit(MODEL, BUDGET)
    assert sent.user.width == 3 and "self.calls.append(budget)" in inspect.getsource(type(sent.user).fit)


def module(name, path):
    """A module whose code lies in a file."""
    made = ModuleType(name)
    made.__file__ = str(path)
    return made


def test_only_modules_beside_it_are_sent_and_not_the_program_nor_the_interpreter(own, tmp_path, monkeypatch):
    registered = []
    task, prefix = own(), tmp_path / ".venv"
    monkeypatch.setattr("zoo.tasks.by_value._INTERPRETER", (prefix, Path("/")))
    program = module("__main__", prefix / "bin" / "tuckprune")
    for name, one in (("__main__", program), ("__mp_main__", program), ("vital", module("vital", prefix / "vital.py"))):
        monkeypatch.setitem(sys.modules, name, one)
    monkeypatch.setitem(sys.modules, "another_name", sys.modules["beside"])
    monkeypatch.setattr("ray.cloudpickle.register_pickle_by_value", registered.append)
    monkeypatch.setattr("ray.cloudpickle.unregister_pickle_by_value", registered.remove)
    monkeypatch.setattr("zoo.tasks.by_value._sources", lambda modules: [one.__name__ for one in modules])
    sent = pickle.loads(packed(type(task.user)))[1]
    assert sent == ["own_module", "beside"] and registered == []


def test_steps_of_a_budget():
    assert TrainingBudget(steps=7, batch_size=32).steps_on(100) == 7
    assert TrainingBudget(epochs=3, batch_size=32).steps_on(100) == 3 * 4
    for wrong in ({}, {"steps": 1, "epochs": 1}):
        with pytest.raises(ConfigError, match="either steps or epochs"):
            TrainingBudget(**wrong)
