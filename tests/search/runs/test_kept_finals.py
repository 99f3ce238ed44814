"""Compression takes the model that the finals have fine-tuned, where they have done what it would do now."""

import shutil
from types import SimpleNamespace

import numpy as np
import pytest

from compress.model_files.files import load_model
from compress.parameters import CompressionParameters
from search.pipeline.compression import compress_own, compress_recommended
from search.pipeline.resumable_training import ResumableTraining
from search.pipeline.search import run_search
from search.settings import dataset, metric
from search.study.finalist import RECOMMENDED
from tests.search.fixtures.local_pool import use_local_pool
from tests.search.fixtures.runs import config
from zoo.tasks.metric import ACCURACY
from zoo.training.evaluation import score_on

SECTIONS = {
    "search": {"trials": 2, "workers": 1, "sensitivity": False, "strategy": "joint"},
    "finals": {"candidates": 1, "epochs": 2},
    "finetune": {"epochs": 1, "batch_size": 64},
}


@pytest.fixture(scope="module")
def searched(tmp_path_factory, tiny_file):
    """A home with a finished run, and the outcome of its search."""
    home = tmp_path_factory.mktemp("finals")
    shutil.copy(tiny_file, home / "tiny.keras")
    with pytest.MonkeyPatch.context() as patch:
        use_local_pool(patch)
        outcome = run_search(config(home, **SECTIONS))
    return SimpleNamespace(home=home, outcome=outcome)


@pytest.fixture(autouse=True)
def _untrained(searched, monkeypatch):
    """Trainings of compression, which say that they begin, take no step."""
    monkeypatch.setattr(ResumableTraining, "__call__", lambda *given: None)


@pytest.fixture
def home(tmp_path, searched):
    """Its folder, which is put back afterwards: a run is tied to its paths."""
    shutil.copytree(searched.home, tmp_path / "before")
    yield searched.home
    shutil.rmtree(searched.home)
    shutil.copytree(tmp_path / "before", searched.home)


def compressed(home, parameters, retrain=False, **changes):
    """The model as it was written, the result, and whether a training was begun."""
    lines = []
    given = config(home, **{**SECTIONS, **changes})
    made = compress_own(home / "tiny.keras", parameters, given, lines.append, retrain=retrain)
    return load_model(made.path), made, any("fine-tuning for" in line for line in lines)


def path_of(home, finalist):
    return home / "runs" / "run" / "finalists" / f"{finalist.source.replace(' ', '-')}.keras"


def trial_of(searched):
    return next(one for one in searched.outcome.finalists if one.source != RECOMMENDED)


def test_every_finalist_has_the_model_that_was_judged(home, searched):
    data = dataset(config(home, **SECTIONS))
    assert len(searched.outcome.finalists) == 2
    for finalist in searched.outcome.finalists:
        model = load_model(path_of(home, finalist))
        judged = score_on("validation", model, data, metric(None, data.task, model), 32)
        assert judged.figures["accuracy"] == finalist.score.figures["accuracy"]
        assert judged.loss == pytest.approx(finalist.score.loss, rel=1e-5)


def test_the_model_of_a_finalist_is_taken(home, searched):
    finalist = trial_of(searched)
    without_zeros = {name: ratio for name, ratio in finalist.parameters.ratios.items() if ratio}
    given = CompressionParameters(without_zeros, finalist.parameters.ranks)
    model, made, trained = compressed(home, given)
    assert not trained
    kept = load_model(path_of(home, finalist))
    for ours, theirs in zip(model.get_weights(), kept.get_weights(), strict=True):
        np.testing.assert_array_equal(ours, theirs)
    figures = score_on("test", kept, dataset(config(home, **SECTIONS)), ACCURACY).figures
    assert made.result.figures == pytest.approx(dict(figures))
    assert made.result.flops == finalist.cost.flops


def test_the_model_of_recommended_values_is_taken(home, searched):
    lines = []
    made = compress_recommended(home / "tiny.keras", config(home, **SECTIONS), lines.append)
    recommended = next(one for one in searched.outcome.finalists if one.source == RECOMMENDED)
    assert made.parameters == recommended.parameters
    assert any("in the finals of this run already (recommended values)" in line for line in lines)
    other = compress_recommended(home / "tiny.keras", config(home, **SECTIONS, simple={"ratio": 0.3}))
    assert other.parameters != recommended.parameters


def test_what_the_finals_would_have_done_otherwise_is_trained(home, searched):
    given = trial_of(searched).parameters
    assert compressed(home, given, retrain=True)[2]
    assert compressed(home, given, finetune={"epochs": 2, "batch_size": 64})[2]
    assert compressed(home, given, finetune={**SECTIONS["finetune"], "learning_rate": 0.001})[2]
    assert compressed(home, CompressionParameters({"add": 0.25}, {}))[2]
    assert compressed(home, given, name="other")[2]
    path_of(home, trial_of(searched)).write_bytes(b"")
    assert compressed(home, given)[2]


def test_another_original_is_trained(home, searched):
    model = load_model(home / "tiny.keras")
    model.layers[-1].bias.assign_add(np.ones(model.layers[-1].bias.shape))
    model.save(home / "tiny.keras")
    assert compressed(home, trial_of(searched).parameters)[2]
