"""How a run stands, at every moment of its life."""

import io
import json
import os
import subprocess
import sys
from dataclasses import asdict, replace
from datetime import datetime, timedelta
from pathlib import Path

import optuna
import pytest
from filelock import FileLock

from compress.parameter_files.json_format import dumps
from compress.parameters import CompressionParameters
from search.cli.commands.runs.status import _lines
from search.driver.driver import Driver
from search.driver.driver_settings import DriverSettings
from search.driver.listeners.listener import Listener
from search.driver.listeners.status_writer import StatusWriter
from search.runs.run_folder import LOCK_FILE, RunFolder
from search.runs.status import status_from, status_of
from search.study.finalist import Finalist, store
from search.study.judgement import Judgement
from search.study.standing import standing_of
from search.study.storage import find_study, open_study, requeue_running
from tests.search.fixtures.fake_pool import FakePool
from tests.search.fixtures.nets import cost, flops_budget, space
from tests.search.fixtures.runs import config, environment, refused
from zoo.tasks.metric import ACCURACY, Score, stored

WHOLE = CompressionParameters.none()
ORIGINAL = cost("tiny").cost(WHOLE)
BUDGET = flops_budget(0.5 * ORIGINAL.flops, "0.5")


def judge(parameters):
    """The third candidate fails, the second had a worker that was lost."""
    judge.count += 1
    if judge.count == 3:
        return Judgement.failed(1.0, "broken")
    return Judgement(
        Score({"accuracy": judge.count / 10, "loss": 1.0}),
        2.0,
        worker=f"node:{judge.count % 2}",
        lost=("died",) if judge.count == 2 else (),
    )


def status_at(loaded, *studies):
    """As it is told of studies that no file tells of."""
    return status_from(loaded, [standing_of(study) for study in studies], False)


@pytest.fixture
def run(tmp_path):
    """Interrupted after five of eight trials, with one running and one made ahead; the folder is that of a real run."""
    judge.count = 0
    loaded = config(tmp_path, search={"trials": 8})
    folder = RunFolder.of(loaded)
    with folder.opened(loaded):
        study = open_study(folder.path, "run", "journal")
        with pytest.raises(KeyboardInterrupt):
            Driver(study, space("tiny"), BUDGET, DriverSettings(0, "random", 8, True)).run(
                FakePool(1, judge, stop_after=5), Listener()
            )
    return folder


def test_a_run_that_was_interrupted(run):
    status = status_of(run.path)
    assert (status.name, status.driver, status.planned, status.settled) == ("run", False, 8, 5)
    assert dict(status.states) == {"complete": 4, "failed": 1}
    assert (status.running, status.waiting, status.finalists, status.lost) == ({}, 2, 0, 1)
    assert status.best.number == 4
    assert dict(status.workers) == {"node:1": 2, "node:0": 2}


def test_a_driver_at_work_is_seen_and_not_disturbed(run):
    with FileLock(run.path / LOCK_FILE):
        assert status_of(run.path).driver
    assert not status_of(run.path).driver


def test_a_folder_that_can_only_be_read(tuckprune, run, monkeypatch):
    """Not even its lock is opened to write; root may write anywhere, so that opening is what is refused here."""

    def reading(opened, writes):
        def guarded(path, how="r", *arguments, **options):
            if str(run.path) in str(path) and writes(how):
                raise PermissionError(13, "Permission denied", str(path))
            return opened(path, how, *arguments, **options)

        return guarded

    monkeypatch.setattr("os.open", reading(os.open, lambda flags: flags & (os.O_WRONLY | os.O_RDWR | os.O_CREAT)))
    monkeypatch.setattr("io.open", reading(io.open, lambda mode: set(mode) & set("wax+")))
    monkeypatch.setattr("builtins.open", io.open)
    for _ in range(2):
        code, out, err = tuckprune("status", run.path)
        assert (code, err) == (0, "") and "5 of 8 trials settled" in out and "no driver is at work" in out
        (run.path / LOCK_FILE).unlink(missing_ok=True)  # As a copy of a run may lack it.


def test_the_file_of_a_driver_tells_what_the_study_does(run, tuckprune):
    """Until the study goes on without it; while a driver is at work, an older file is told with its age."""
    expected = status_of(run.path)
    StatusWriter(run.path).stored(find_study(run.path, "run"), at_once=True)
    journal = run.path / "study.journal"
    content = journal.read_bytes()
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr("search.runs.status.find_study", None)  # The study is not read.
        assert status_of(run.path) == expected
        journal.write_bytes(content[: content.rstrip().rfind(b"\n") + 1])
        with FileLock(run.path / LOCK_FILE):
            older = status_of(run.path)
            assert 0 < older.age < 60 and replace(older, age=0.0, driver=False) == expected
    assert status_of(run.path).waiting == 1  # Without the last line, which put the second trial back.
    line = _lines(replace(expected, driver=True, age=12.3), "runs/run")[-1]
    assert line == "a driver is at work; this is how it stood 12 s ago"


def test_the_pace_is_the_middle_span(tmp_path):
    """Trials that ended after 0, 2, 4, 100 and 103 seconds: the middle of 2, 2, 96 and 3 is 2.5."""
    study, began = optuna.create_study(), datetime(2026, 1, 1)
    study.add_trials(
        [
            optuna.create_trial(
                value=1.0,
                user_attrs={
                    "parameters": dumps(WHOLE),
                    "cost": asdict(ORIGINAL),
                    "figures": {"accuracy": 0.5, "loss": 1.0},
                },
            )
            for _ in range(5)
        ]
    )
    for trial, seconds in zip(study.get_trials(deepcopy=False), (0, 2, 4, 100, 103), strict=True):
        trial.datetime_complete = began + timedelta(seconds=seconds)
    store(study, Finalist("recommended values", WHOLE, ORIGINAL, Score({"accuracy": 0.5}), 30.0, None, ACCURACY))
    tuned = {"finetune": {"epochs": 1}}
    status = status_at(config(tmp_path, search={"trials": 9}, **tuned), study)
    # All trials have the same parameters, so that one goes to the finals with the recommended values.
    assert (status.finalists, status.finals, status.finals_left) == (1, 2, 30.0)
    assert status.pace == 2.5 and status.seconds_left == 10.0
    assert status_at(config(tmp_path, search={"trials": 9}, finetune={"epochs": 0}), study).finals == 0
    study.enqueue_trial({})
    assert [status_at(config(tmp_path, search={"trials": trials}), study).waiting for trials in (9, 5)] == [1, 0]


def test_a_search_that_has_ended_early(tmp_path, monkeypatch):
    """Seven of nine trials, the first the best; six were proposed after it was settled."""
    monkeypatch.setattr("search.study.improvements.RANDOM_PROPOSALS", 0)
    study, began = optuna.create_study(), datetime(2026, 1, 1)
    attributes = {"parameters": dumps(WHOLE), "cost": asdict(ORIGINAL)}
    for number in range(7):
        figures = {"figures": {"accuracy": 0.5 - number / 100, "loss": 1.0}, "metric": stored(ACCURACY)}
        study.add_trial(optuna.create_trial(value=0.5, user_attrs=attributes | figures))
    for number, trial in enumerate(study.get_trials(deepcopy=False)):
        trial.datetime_start, trial.datetime_complete = (began + timedelta(seconds=number + n) for n in (0, 1))
    study.enqueue_trial({})

    def status(patience):
        search = {"trials": 9, "early_stopping": patience}
        return status_at(config(tmp_path, search=search, finetune={"epochs": 1}), study)

    ended, goes_on = status(6), status(7)
    assert (ended.ended_early, ended.left, ended.waiting, ended.finals_begun) == (True, 0, 0, True)
    assert (goes_on.ended_early, goes_on.left, goes_on.waiting, goes_on.finals_begun) == (False, 2, 1, False)
    assert status(None).left == 2
    line = _lines(ended, "runs/run")[0]
    assert line.endswith(
        ": 7 of 9 trials settled (7 complete); the search has ended early, as the latest trials brought no improvement"
    )
    store(study, Finalist("recommended values", WHOLE, ORIGINAL, Score({"accuracy": 0.5}), 30.0, None, ACCURACY))
    store(study, Finalist("trial 0", WHOLE, ORIGINAL, Score({"accuracy": 0.5}), 30.0, None, ACCURACY))
    assert status(6).finished and not status(7).finished
    trial = study.ask()
    assert not status(6).ended_early  # What runs may turn out better,
    requeue_running(study, {trial.number})
    assert status(6).ended_early
    study.ask()
    requeue_running(study)
    assert not status(6).ended_early  # and so may what a worker had when the search was interrupted.
    assert status(6).waiting == 2


def test_the_best_of_two_stages_is_of_the_last_one():
    """Trials of the first stage cost more than the whole budget allows, and so may be better."""
    first, second = optuna.create_study(), optuna.create_study()
    for study, stage, figures in ((first, "prune", (0.9,)), (second, "decompose", (0.5, 0.6))):
        for figure in figures:
            attributes = {"parameters": dumps(WHOLE), "cost": asdict(ORIGINAL), "stage": stage}
            attributes |= {"figures": {"accuracy": figure, "loss": 1.0}, "metric": stored(ACCURACY)}
            study.add_trial(optuna.create_trial(value=figure, user_attrs=attributes))
    staged = config(Path(), search={"trials": 4, "workers": 1, "strategy": "staged"}, finetune={"epochs": 1})
    assert status_at(staged, first, second).best.source == "decompose trial 1"
    assert status_at(staged, first).best.source == "prune trial 0"
    # What the first stage had proposed when it ended early is not judged any more once there is a second one.
    first.enqueue_trial({})
    empty = optuna.create_study()
    studies = (first,), (first, empty), (first, second)
    assert [status_at(staged, *both).waiting for both in studies] == [1, 1, 0]
    second.enqueue_trial({})
    assert status_at(staged, first, second).waiting == 1


def test_the_command_tells_it(run, tuckprune):
    code, out, err = tuckprune("status", run.path)
    assert (code, err) == (0, "")
    lines = out.splitlines()
    assert lines[0] == "run: 5 of 8 trials settled (4 complete, 1 failed)"
    assert lines[1].startswith("best: trial 4, accuracy 0.5000, loss 1.0000, ")
    assert lines[-1] == "no driver is at work; resume with the same 'tuckprune search' command"
    assert "workers of the last trials: node:0 (2), node:1 (2); 1 lost so far" in lines
    code, out, _ = tuckprune("status", run.path, "--json")
    entry = json.loads(out)
    assert (entry["settled"], entry["waiting"], entry["best"]["trial"], entry["driver"]) == (5, 2, 4, False)


def test_the_command_loads_no_heavy_library(run):
    """Nor does any module of the commands: they load what they need when they are called."""
    heavy = {"tensorflow", "keras", "ray", "plotly", "scipy"}
    code = f"""
import sys
from search.cli.app import main
assert not {heavy | {"optuna", "sqlalchemy"}} & set(sys.modules), sys.modules.keys()
sys.argv = ["tuckprune", "status", {str(run.path)!r}]
try:
    main()
finally:
    assert not {heavy} & set(sys.modules), sys.modules.keys()
"""
    ended = subprocess.run([sys.executable, "-c", code], env=environment(), capture_output=True, text=True, check=False)
    assert (ended.returncode, ended.stderr) == (0, "")
    assert ended.stdout.startswith("run: 5 of 8 trials settled")


def test_a_folder_that_is_no_run(tmp_path, tuckprune):
    code, _, err = tuckprune("status", tmp_path)
    assert code == 1 and "is not a run folder" in err


@pytest.mark.parametrize("command", ["status", "front", "export", "report"])
def test_a_journal_with_lines_missing_in_the_middle_is_refused(tuckprune, run, command):
    """Five lines, as a bad copy leaves them out; what would be shown without them looks like a run."""
    journal = run.path / "study.journal"
    lines = journal.read_bytes().splitlines(keepends=True)
    journal.write_bytes(b"".join([*lines[:20], *lines[25:]]))
    line = refused(tuckprune, run.path, command, run.path)
    assert f"the study '{journal}' is damaged: expected line 21 at byte " in line


def test_finals_are_shown_before_the_first_finalist_is_judged(run):
    status = replace(status_of(run.path), planned=5, finals=4)
    shown = _lines(status, "runs/run")
    assert "finals: 0 of 4 judged" in shown and shown[-1].endswith("resume with the same 'tuckprune search' command")
    shown = _lines(replace(status, finalists=3, finals_left=75.0, driver=True), "runs/run")
    assert "finals: 3 of 4 judged, about 75 s left" in shown and shown[-1] == "a driver is at work"
    for done in (replace(status, finalists=4), replace(status, finals=0)):
        assert _lines(done, "runs/run")[-1].endswith("next: tuckprune export runs/run")
    assert not any(line.startswith("finals") for line in _lines(replace(status, planned=6), "runs/run"))
