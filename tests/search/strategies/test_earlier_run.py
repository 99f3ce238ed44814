"""Trials of one run as starts of another, by hand: which, how they are written, and what is refused."""

import optuna
import pytest

from compress.errors import RunError
from compress.parameters import CompressionParameters
from objectives.cost.cost import Cost
from search.driver.driver import Driver
from search.driver.driver_settings import DriverSettings
from search.driver.listeners.listener import Listener
from search.driver.start_queue import queue_starts
from search.pipeline.search import run_search
from search.runs.run_folder import RunFolder
from search.space.projection import Projection
from search.strategies.earlier_run import COUNT, EarlierRun, earlier_run
from search.study.identity import tie_to_model
from search.study.judgement import Judgement
from search.study.storage import find_study, open_study
from search.study.trial_record import TrialRecord, describe, finish, records
from tests.search.fixtures.fake_pool import FakePool
from tests.search.fixtures.nets import (
    DECOMPOSE_FIRST,
    DECOMPOSE_ONLY,
    PRUNE_ONLY,
    cost,
    flops_budget,
    model,
    space,
    tiny,
)
from tests.search.fixtures.runs import config, refused, written
from zoo.tasks.metric import ACCURACY, LOSS, Score

NONE = CompressionParameters.none()
FLOPS = cost("tiny").cost(NONE).flops
GROUPS = [group.name for group in space("tiny").groups]


def record(number, ratio, accuracy, *, level=None, metric=ACCURACY, loss=0.5):
    parameters = CompressionParameters(dict.fromkeys(GROUPS, ratio), {})
    spent = cost("tiny").cost(parameters)
    return TrialRecord(
        number,
        "complete",
        parameters,
        spent,
        None if accuracy is None else Score({"accuracy": accuracy, "loss": loss}),
        1.0,
        None,
        None,
        metric,
        level=level,
    )


def budget(share):
    return flops_budget(share * FLOPS, f"{share}")


def share(ratio):
    return cost("tiny").cost(CompressionParameters(dict.fromkeys(GROUPS, ratio), {})).flops / FLOPS


def test_the_best_trials_are_taken_by_score():
    trials = tuple(
        record(number, 0.05 * number, accuracy) for number, accuracy in enumerate([0.3, 0.8, 0.5, 0.9, 0.7, 0.6])
    )
    names = list(EarlierRun("other", trials).starts(space("tiny"), budget(0.5)))
    assert names == [f"reuse trial {number} of other" for number in (3, 1, 4, 5, 2)]
    assert len(names) == COUNT
    by_loss = tuple(
        record(number, 0.1 * number, 0.5, metric=LOSS, loss=loss) for number, loss in enumerate([3.0, 1.0, 2.0])
    )
    names = list(EarlierRun("other", by_loss).starts(space("tiny"), budget(0.5)))
    assert names == [f"reuse trial {number} of other" for number in (1, 2, 0)]


def test_ratios_of_parts_of_decomposed_layers_start_as_smaller_ranks():
    """Of 16 channels, a rank of 8 whose part loses half is wanted as 4."""
    parameters = CompressionParameters({"conv2_tucker_0": 0.5}, {"conv2": (8, 12)})
    trial = TrialRecord(
        3, "complete", parameters, cost("tiny").cost(NONE), Score({"accuracy": 0.5, "loss": 0.5}), 1.0, None, None
    )
    (wanted,) = EarlierRun("other", (trial,)).starts(space("tiny"), budget(0.5)).values()
    assert (wanted["rank_in:conv2"], wanted["rank_out:conv2"], wanted["rank_in:block.conv1"]) == (0.25, 0.5, 1.0)


def test_of_a_front_the_level_nearest_in_factors_comes_first():
    trials = (
        record(0, 0.8, 0.2, level=0),
        record(1, 0.6, 0.5, level=1),
        record(2, 0.6125, 0.6, level=1),
        record(3, 0.2, 0.9, level=2),
    )
    for near, order in ((0.78, (0, 2, 1, 3)), (0.65, (2, 1, 0, 3)), (0.1, (3, 2, 1, 0))):
        names = list(EarlierRun("other", trials).starts(space("tiny"), budget(share(near))))
        assert names == [f"reuse trial {number} of other" for number in order]


def test_nearness_is_a_factor_not_a_difference():
    trials = (record(0, 0.8, 0.9, level=0), record(1, 0.2, 0.5, level=1))
    low, high = share(0.8), share(0.2)
    # By difference the lower level is nearer to a budget below the mean; by factor only below the geometric one.
    between = ((low * high) ** 0.5 + (low + high) / 2) / 2
    names = list(EarlierRun("other", trials).starts(space("tiny"), budget(between)))
    assert names == ["reuse trial 1 of other", "reuse trial 0 of other"]


def test_equal_parameters_are_taken_once():
    trials = (record(0, 0.3, 0.5), record(1, 0.3, 0.7), record(2, 0.4, 0.6))
    assert list(EarlierRun("other", trials).starts(space("tiny"), budget(0.5))) == [
        "reuse trial 1 of other",
        "reuse trial 2 of other",
    ]


def test_what_the_other_run_did_not_search_is_wanted_whole():
    pruned = EarlierRun("other", (record(0, 0.3, 0.5),))
    (wanted,) = pruned.starts(space("tiny"), budget(0.5)).values()
    assert {name: value for name, value in wanted.items() if name.startswith("keep:")} == {
        f"keep:{name}": pytest.approx(0.7) for name in GROUPS
    }
    ranks = {name: value for name, value in wanted.items() if not name.startswith("keep:")}
    assert len(ranks) == 2 * len(space("tiny").layers) and set(ranks.values()) == {1.0}

    # conv2 reads 16 channels and makes 24; half of the 16 are pruned, and 12 of the 24.
    both = CompressionParameters({"add": 0.5, "conv2": 0.5}, {"conv2": (4, 6)})
    trials = (TrialRecord(0, "complete", both, Cost(1, 1, 4), Score({"accuracy": 0.5, "loss": 0.5}), 1.0, None, None),)

    def kept(recipe):
        (start,) = EarlierRun("other", trials).starts(space("tiny", recipe), budget(0.5)).values()
        return {name: value for name, value in start.items() if value != 1.0}

    keep = {"keep:add": 0.5, "keep:conv2": 0.5}
    assert kept(("prune", "decompose")) == {**keep, "rank_in:conv2": 0.5, "rank_out:conv2": 0.5}
    assert kept(DECOMPOSE_FIRST) == {**keep, "rank_in:conv2": 0.25, "rank_out:conv2": 0.25}
    assert kept(DECOMPOSE_ONLY) == {"rank_in:conv2": 0.25, "rank_out:conv2": 0.25}
    assert kept(PRUNE_ONLY) == keep


@pytest.mark.parametrize("new", [0.3, 0.5, 0.8])
def test_starts_meet_the_new_budget_and_the_old_one_gives_the_old_trials(new):
    study = optuna.create_study(direction="maximize")
    Driver(study, space("tiny"), budget(0.5), DriverSettings(3, "random", 6, True)).run(FakePool(), Listener())
    earlier = EarlierRun("old", tuple(records(study)))
    again = optuna.create_study(direction="maximize")
    queue_starts(again, lambda own: earlier.starts(space("tiny"), own), budget(new), None)
    driver = Driver(again, space("tiny"), budget(new), DriverSettings(3, "random", 5, True))
    driver.run(FakePool(), Listener())
    best = sorted(records(study), key=lambda one: (-one.objective, one.score.loss))[:COUNT]
    for one, old in zip(records(again), best, strict=True):
        assert one.start == f"reuse {old.source} of old"
        assert one.cost.flops <= new * FLOPS
        assert (
            one.parameters
            == Projection(space("tiny"), budget(new))(
                space("tiny").row(space("tiny").encode(old.parameters))
            ).parameters
        )
        if new == 0.5:
            assert one.parameters == old.parameters


@pytest.fixture
def other(home):
    """A run of the tiny model of which a trial was judged and another one failed."""
    given = config(home, name="other", space={"ranks": False}, recipe=["prune"], budget={"flops": 0.7})
    folder = RunFolder.of(given)
    with folder.opened(given):
        study = open_study(folder.path, given.name, "journal")
        tie_to_model(study, model("tiny"))
        for number in range(2):
            trial = study.ask()
            parameters = CompressionParameters({"add": 0.25 + 0.25 * number}, {})
            describe(trial, parameters, cost("tiny").cost(parameters), -0.1)
            finish(
                study,
                trial,
                Judgement.failed(1.0, "nan") if number else Judgement(Score({"accuracy": 0.5, "loss": 1.0}), 1.0),
            )
    return folder.path


def test_a_search_begins_with_the_trials_of_another(home, other, local_pool):
    given = config(home, search={"trials": 1, "workers": 1, "reuse": str(other), "sensitivity": False})
    run_search(given)
    (trial,) = records(find_study(RunFolder.of(given).path, given.name))
    assert trial.start == "reuse trial 0 of other" and trial.state == "complete"
    wanted = space("tiny").encode(CompressionParameters({"add": 0.25}, {}))
    assert trial.parameters == Projection(space("tiny"), budget(0.5))(space("tiny").row(wanted)).parameters
    # The other folder may be gone by the time of a resumption without it.
    run_search(given.model_copy(update={"search": given.search.model_copy(update={"reuse": None})}))


def test_runs_that_cannot_be_reused(tuckprune, home, other):
    def said(path):
        return refused(tuckprune, home, "search", written(home, search={"trials": 1, "reuse": str(path)}))

    assert f"search.reuse: '{home / 'runs' / 'no'}' is not a run folder" in said(home / "runs" / "no")
    assert "search.reuse: expected the folder of another run, received this one's" in said(home / "runs" / "run")
    tiny().save(home / "tiny.keras")
    assert f"search.reuse: expected a run of the same model, received '{other}' of another (SHA-256 " in said(other)


def test_a_run_without_a_judged_trial(home):
    given = config(home, name="empty")
    with RunFolder.of(given).opened(given):
        with pytest.raises(RunError, match="search.reuse: .* holds no study"):
            EarlierRun.of(RunFolder.of(given).path, model("tiny"))
        open_study(RunFolder.of(given).path, given.name, "journal")
    with pytest.raises(RunError, match="search.reuse: no trial in .* is judged yet"):
        EarlierRun.of(RunFolder.of(given).path, model("tiny"))
    assert earlier_run(config(home), model("tiny")).starts(space("tiny"), budget(0.5)) == {}
