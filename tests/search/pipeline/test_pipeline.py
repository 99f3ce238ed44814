"""What a run comes to when no trial can be used, and what workers get of the model."""

import numpy as np
import pytest

from compress.errors import ConfigError, DataError, RunError
from compress.model_files.files import load_model
from compress.parameters import CompressionParameters
from objectives.cost.cost import Cost
from search.pipeline.search import run_search
from search.runs.outcome import find_run
from search.runs.run_folder import RunFolder
from search.study.judgement import Judgement
from search.study.storage import find_study, open_study
from search.study.trial_record import describe, finish, records, reject
from search.workers.worker import model_bytes
from tests.search.fixtures.nets import model
from tests.search.fixtures.runs import config


@pytest.mark.parametrize(
    ("error", "expected"),
    [
        ("loss is nan", "none of the 2 trials in '{folder}' can be used: the last error was: loss is nan"),
        (None, "none of the 2 trials in '{folder}' can be used: none met the budget; set search.projection: true"),
    ],
)
def test_a_run_without_a_usable_trial_says_why(tmp_path, error, expected):
    given = config(tmp_path)
    folder = RunFolder.of(given)
    with folder.opened(given):
        study = open_study(folder.path, given.name, "journal")
        for _ in range(2):
            trial = study.ask()
            describe(trial, CompressionParameters.none(), Cost(1, 1, 4), 0.1)
            if error:
                finish(study, trial, Judgement.failed(1.0, error))
            else:
                reject(study, trial)
    with pytest.raises(RunError) as raised:
        find_run(folder.path)
    assert str(raised.value) == expected.format(folder=folder.path)


@pytest.mark.parametrize(
    ("failed", "goes_on", "front", "export"),
    [
        (
            0,
            "no driver is at work; resume with the same 'tuckprune search' command",
            "is judged yet; go on with 'tuckprune search'",
            "has no settled trial yet: run 'tuckprune search' again",
        ),
        (
            2,
            "no driver is at work; no trial was judged, their errors are in {folder}/logs",
            "is judged yet, the last error was: loss of trial 1 is nan; go on with 'tuckprune search'",
            "none of the 2 trials in '{folder}' can be used: the last error was: loss of trial 1 is nan",
        ),
    ],
)
def test_commands_tell_a_run_that_has_not_begun_from_one_that_failed(
    tmp_path, tuckprune, failed, goes_on, front, export
):
    given = config(tmp_path, search={"trials": 2, "strategy": "joint"})
    folder = RunFolder.of(given)
    with folder.opened(given):
        study = open_study(folder.path, given.name, "journal")
        for number in range(failed):
            trial = study.ask()
            describe(trial, CompressionParameters.none(), Cost(1, 1, 4), None)
            finish(study, trial, Judgement.failed(1.0, f"loss of trial {number} is nan"))
    code, out, _ = tuckprune("status", folder.path)
    assert (code, out.splitlines()[-1]) == (0, goes_on.format(folder=folder.path))
    for command, expected in (("front", front), ("export", export)):
        code, _, err = tuckprune(command, folder.path)
        assert code == 1 and err.rstrip().endswith(expected.format(folder=folder.path))


def test_workers_get_the_model_as_it_is(tmp_path):
    images = np.random.default_rng(0).normal(size=(3, 8, 8, 1)).astype(np.float32)
    (tmp_path / "packed.keras").write_bytes(model_bytes(model("tiny")))
    unpacked = load_model(tmp_path / "packed.keras")
    np.testing.assert_array_equal(unpacked(images), model("tiny")(images))


def test_a_learning_rate_that_diverges_fails_every_trial_but_ends_no_run(home, local_pool):
    """All planned trials are tried and recorded, then the last reason is given."""
    proxy = {"recalibration_images": 64, "steps": 2, "batch_size": 32, "learning_rate": 1e30}
    given = config(home, proxy=proxy, search={"trials": 3, "workers": 2, "sensitivity": False})
    with pytest.raises(RunError) as raised:
        run_search(given)
    folder = RunFolder.of(given).path
    trials = records(find_study(folder, given.name))
    assert [record.state for record in trials] == ["failed"] * 3
    reason = "learning rate 1e+30; lower the learning rate"
    assert all("expected finite" in record.error and record.error.endswith(reason) for record in trials)
    assert str(raised.value) == (
        f"none of the 3 trials in '{folder}' can be used: the last error was: {trials[-1].error}"
    )


@pytest.mark.parametrize(("trials", "strategy"), [(40, "staged"), (39, "joint")])
def test_a_run_goes_on_with_the_strategy_that_it_was_begun_with(home, monkeypatch, trials, strategy):
    """Which follows from how many trials were planned at first."""
    begun = []

    def stopped(kind):
        def stop(*given):
            begun.append(kind)
            raise KeyboardInterrupt

        return stop

    monkeypatch.setattr("search.pipeline.search.run_staged", stopped("staged"))
    monkeypatch.setattr("search.pipeline.search.run_joint", stopped("joint"))
    for planned in (trials, 79 - trials):
        given = config(home, finetune={"epochs": 1}, search={"trials": planned, "workers": 2})
        with pytest.raises(KeyboardInterrupt):
            run_search(given)
        kept = RunFolder.of(given).config().search
        assert (kept.strategy, kept.trials) == (strategy, planned)
    assert begun == [strategy] * 2


_SOURCES = """
import numpy as np

def fails():
    raise OSError("disk is gone")

def nonsense():
    return 7

def without_a_class():
    images, labels = np.random.default_rng(0).random((300, 8, 8, 1)), np.arange(300) % 9
    return (images, labels), (images, labels + (labels == 8))

def of_another_shape():
    images, labels = np.random.default_rng(0).random((300, 9, 8, 1)), np.arange(300) % 10
    return (images, labels), (images, labels)

def of_fewer_classes():
    images, labels = np.random.default_rng(0).random((300, 8, 8, 1)), np.arange(300) % 9
    return (images, labels), (images, labels)
"""


@pytest.mark.parametrize(
    ("changes", "error", "message"),
    [
        ({"data": {"source": "my_source:fails"}}, DataError, "received OSError: disk is gone"),
        ({"data": {"source": "my_source:nonsense"}}, DataError, "or an ImageDataset from .* received int"),
        ({"data": {"source": "my_source:without_a_class"}}, DataError, "in the training split .* of class '9'"),
        ({"data": {"source": "my_source:of_another_shape"}}, DataError, "input shape .8, 8, 1., received .9, 8, 1."),
        ({"data": {"source": "my_source:of_fewer_classes"}}, DataError, "output .10,., received 9"),
        ({"data": {"source": "digits", "scale": 1.0, "mean": [0.3], "std": [0.001]}}, DataError, "correct these keys"),
        (
            {"data": {"source": "digits", "scale": 1.0, "mean": [9.0], "std": [1.0]}},
            DataError,
            "model scores .* the commonest class has .* correct these keys",
        ),
        ({"search": {"metric": "F1Score"}}, ConfigError, "such as average: macro"),
    ],
    ids=lambda value: str(value)[:50],
)
def test_data_and_metrics_that_do_not_fit_are_refused_before_anything_runs(home, monkeypatch, changes, error, message):
    (home / "my_source.py").write_text(_SOURCES)
    monkeypatch.chdir(home)
    with pytest.raises(error, match=message) as raised:
        run_search(config(home, **changes))
    assert "\n" not in str(raised.value)
    assert not (home / "runs").exists()
