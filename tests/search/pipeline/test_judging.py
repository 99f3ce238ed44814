"""A trial is judged again to the same figures, and what differs is named."""

import shutil
from dataclasses import replace
from functools import partial

import pytest

from compress.errors import RunError
from compress.parameters import CompressionParameters
from objectives.cost.cost import Cost
from objectives.network.precision import fast_precision
from search.environment import ONEDNN
from search.pipeline.judging import Comparison
from search.runs.outcome import find_run
from search.study.judgement import Conditions, Judgement, recorded_conditions
from search.study.storage import find_study
from search.study.trial_record import TrialRecord
from tests.search.driver.interrupted_run import TRIALS
from tests.search.fixtures import in_turn
from tests.search.fixtures.runs import called, called_in_turn, written
from zoo.tasks.metric import Score

THERE = Conditions(3, "float32", 1, "1", "Old CPU", "2.20", "3.14", "2.0", "0.1.0")
RECORD = TrialRecord(
    7,
    "complete",
    CompressionParameters({"add": 0.5}, {}),
    Cost(1, 1, 4),
    Score({"accuracy": 0.75, "loss": 0.9}),
    12.5,
    None,
    None,
    conditions=THERE,
)
PRUNING_ALONE = {"space": {"ranks": False}, "recipe": ["prune"]}
AGAIN = Judgement(Score({"accuracy": 0.75, "loss": 0.9}), 3.0, conditions=THERE)


def test_equal_figures_pass_wherever_they_come_from():
    Comparison(RECORD, AGAIN).check()
    Comparison(RECORD, replace(AGAIN, conditions=replace(THERE, device="New CPU"))).check()
    assert Comparison(RECORD, AGAIN).lines == [
        "recorded: accuracy 0.7500, loss 0.9000",
        "again:    accuracy 0.7500, loss 0.9000",
    ]


@pytest.mark.parametrize("figure", [{"accuracy": 0.7500000001}, {"loss": 0.9000000001}, {"value": 0.5}])
def test_other_figures_are_refused_with_what_is_different(figure):
    here = replace(AGAIN, score=Score({**AGAIN.score.figures, **figure}))
    with pytest.raises(RunError, match=r"trial 7 gets other figures .*the conditions are the same"):
        Comparison(RECORD, here).check()
    changed = replace(here, conditions=replace(THERE, device="New CPU", threads=2))
    with pytest.raises(RunError, match=r"recorded: threads: 1 -> 2, device: Old CPU -> New CPU$"):
        Comparison(RECORD, changed).check()
    with pytest.raises(RunError, match="recorded without its conditions"):
        Comparison(replace(RECORD, conditions=None), here).check()


def test_every_trial_of_a_run_tells_its_conditions(run, monkeypatch):
    """Of two workers, stopped and started again: they are of one machine, and of one run."""
    conditions = {record.conditions for record in find_run(run.folder).trials}
    assert len(conditions) == 1
    (here,) = conditions
    monkeypatch.setenv(ONEDNN, here.onednn)
    assert (here.seed, here.precision, here.threads) == (0, fast_precision().name, 1)
    assert here.device
    assert recorded_conditions(find_study(run.folder, "run"), 2) == here
    assert recorded_conditions(find_study(run.folder, "run"), TRIALS) is None


@pytest.fixture(scope="module")
def twice(ray_cluster, tiny_file, tmp_path_factory):
    """The trials of two searches by one worker each, the first of them in another process, and the first's folder."""
    home = tmp_path_factory.mktemp("twice")
    shutil.copy(tiny_file, home / "tiny.keras")
    section = {"trials": 3, "workers": 1, "sensitivity": False}
    sections = {"search": section, "rungs": {"steps": [5], "one_in": 2}, **PRUNING_ALONE}
    for name, search in (("one", partial(called, cwd=home)), ("two", in_turn.run)):
        ended = search("search", written(home, name=name, **sections))
        assert ended.returncode == 0, ended.stderr
    folders = [home / "runs" / name for name in ("one", "two")]
    trials = [[replace(record, seconds=None, worker=None) for record in find_run(folder).trials] for folder in folders]
    return trials, folders[0]


def climbed(twice):
    """The first trial that took the steps of a rung."""
    return next(record.number for record in twice[0][0] if record.steps == 5)


@pytest.fixture(scope="module")
def judged_again(run, twice):
    """What `judge` answers of the first trial, of the last one, of one that is not there, and of one with a rung."""
    numbers = (0, TRIALS - 1, TRIALS)
    commands = [("judge", run.folder, "--trial", number) for number in numbers]
    commands.append(("judge", twice[1], "--trial", climbed(twice)))
    return dict(zip((*numbers, "climbed"), called_in_turn(*commands, cwd=run.home), strict=True))


@pytest.mark.parametrize("number", [0, TRIALS - 1])
def test_a_trial_of_two_workers_is_judged_again_to_the_last_digit(run, judged_again, number):
    ended = judged_again[number]
    record = find_run(run.folder).trials[number]
    figures = record.score.text
    assert (ended.returncode, ended.stderr) == (0, "")
    assert ended.stdout.splitlines() == [f"recorded: {figures}", f"again:    {figures}"]


def test_a_trial_that_is_not_there(run, judged_again):
    ended = judged_again[TRIALS]
    assert ended.returncode == 1
    assert f"trial {TRIALS} of '{run.folder}': expected a trial with figures, received no such trial" in ended.stderr


def test_one_worker_and_one_seed_give_the_same_trials(twice):
    """On a real cluster, in two processes, to the last digit."""
    (one, two), _ = twice
    assert one == two
    assert len({record.score.loss for record in one}) == 3


def test_a_trial_that_climbed_a_rung_is_judged_again(judged_again):
    judged = judged_again["climbed"]
    assert judged.returncode == 0, judged.stderr
