"""A real search of several budgets: resumed, and chosen from."""

import json

from optuna.study import StudyDirection

from compress.parameters import CompressionParameters
from objectives.cost.quantities.standard import FLOPS
from search.study.ranking import winner_of
from search.study.storage import find_study
from search.study.trial_record import records
from tests.search.fixtures.nets import cost
from tests.search.fixtures.runs import written


def test_one_search_finds_points_at_several_budgets(tuckprune, home, local_pool):
    file = written(home, front={"widest": "90%", "levels": 2}, search={"trials": 6, "workers": 2, "sensitivity": False})
    code, out, err = tuckprune("search", file, "--set", "search.trials=4")
    assert code == 0, err
    run = home / "runs" / "run"
    assert f"next: tuckprune export {run}, or tuckprune front {run} for its other budgets" in out
    assert tuckprune("search", file)[0] == 0
    study = find_study(run, "run")
    trials = records(study)
    assert study.directions == [StudyDirection.MAXIMIZE, StudyDirection.MINIMIZE]
    assert [record.state for record in trials] == ["complete"] * 6
    assert {record.level for record in trials} == {0, 1}
    whole = FLOPS.of(cost("tiny").cost(CompressionParameters.none()))
    for record in trials:
        assert record.cost.flops <= (0.9 if record.level else 0.5) * whole
        assert record.cost.flops > 0.5 * whole or not record.level
    assert winner_of(trials, []).cost.flops <= 0.5 * whole

    code, out, _ = tuckprune("front", run, "--json")
    listed = json.loads(out)
    assert code == 0 and listed
    flops, accuracy = ([entry[name] for entry in listed] for name in ("flops", "accuracy"))
    assert flops == sorted(flops) and accuracy == sorted(accuracy)
    code, out, _ = tuckprune("export", run, "--budget", "90%")
    assert code == 0 and f"point-{listed[-1]['source'].removeprefix('trial ')}" in out
