"""A real staged run: stopped in both stages, resumed on a local Ray cluster, judged, exported, compressed, reported."""

import pytest

from compress.errors import RunError
from compress.graph.analysis import analyse
from compress.model_files.files import load_model
from compress.parameter_files.files import read_parameters
from compress.parameters import CompressionParameters
from objectives.cost.cost_model import CostModel
from search.runs.outcome import find_run, first_trials
from search.runs.results import read_results
from search.workers.worker import TrialWorker
from tests.search.fixtures.local_pool import use_local_pool
from tests.search.fixtures.nets import cost
from tests.search.fixtures.runs import refused, written

RECIPE = ["decompose", "prune"]
SEARCH = {"trials": 4, "workers": 1, "strategy": "staged"}
SECTIONS = {"recipe": RECIPE, "finetune": {"epochs": 1}, "finals": {"candidates": 0}}


def interrupted_behind(tuckprune, config, trials):
    """Search in this process until so many trials are judged, and the next one begins."""
    judged, judge = [], TrialWorker.judge

    def stopping(worker, *given):
        if len(judged) == trials:
            raise KeyboardInterrupt
        judged.append(given)
        return judge(worker, *given)

    with pytest.MonkeyPatch.context() as patch:
        use_local_pool(patch)
        patch.setattr(TrialWorker, "judge", stopping)
        return tuckprune("search", config)


def test_a_staged_run_from_its_first_stop_to_its_report(tuckprune, home, ray_cluster, monkeypatch):
    config = written(home, search=SEARCH, **SECTIONS)
    run, model = home / "runs" / "run", home / "tiny.keras"
    original = cost("tiny").cost(CompressionParameters.none())

    code, out, err = interrupted_behind(tuckprune, config, 1)
    assert (code, err) == (130, "") and "] decompose trial 0" in out and "decompose trial 1" not in out
    with pytest.raises(RunError, match="of its first stage, and none of the second yet: run 'tuckprune search' again"):
        find_run(run)

    # A configuration that leaves the strategy open goes on with that of the run.
    config = written(home, search={key: SEARCH[key] for key in ("trials", "workers")}, **SECTIONS)
    code, out, err = interrupted_behind(tuckprune, config, 2)
    assert (code, err) == (130, "") and "stage 2 of 2: prune, on decompose trial" in out
    assert "] prune trial 0" in out and "prune trial 1" not in out
    middle = (run / "middle.keras").read_bytes()

    code, out, err = tuckprune("search", config)
    assert (code, err) == (0, "")
    assert "stage 1 of 2" not in out and "fine-tuning" not in out.split("finals:")[0]
    assert (run / "middle.keras").read_bytes() == middle
    outcome = find_run(run)
    assert [trial.source for trial in outcome.trials] == [
        f"{stage} trial {number}" for stage in RECIPE for number in range(2)
    ]
    assert {trial.state for trial in outcome.trials} == {"complete"}
    assert [trial.stage for trial in first_trials(outcome.folder, outcome.folder.config())] == RECIPE[:1] * 2
    assert outcome.winner.cost.flops <= 0.5 * original.flops

    assert tuckprune("export", run)[0] == 0
    assert read_parameters([run / "parameters.json"]).parameters == outcome.winner.parameters
    code, out, err = tuckprune("compress", model, "--params", run / "parameters.json", "--config", config)
    assert (code, err) == (0, "")
    compressed = CostModel(analyse(load_model(run / "search.keras"))).cost(CompressionParameters.none())
    assert compressed == outcome.winner.cost
    assert read_results(run / "results")[-1].flops == compressed.flops

    # The last trial is a worker's, whose figures this process would not have: it computes with more threads.
    use_local_pool(monkeypatch)
    for number, stage in ((1, RECIPE[0]), (0, RECIPE[1])):
        assert tuckprune("judge", run, "--trial", number, "--stage", stage)[::2] == (0, "")
    code, _, err = tuckprune("judge", run, "--trial", 9)
    assert code == 1 and "expected a trial with figures, received no such trial" in err

    assert tuckprune("report", run)[0] == 0
    page = (run / "report.html").read_text(encoding="utf-8")
    for stage in RECIPE:
        assert f"2 trials of stage {stage}: 2 feasible, 0 infeasible, 0 failed." in page
        assert f"Validation accuracy of the trials of stage {stage}" in page


@pytest.mark.parametrize(
    ("changes", "expected"),
    [
        ({"budget": {"memory": 0.8}}, "expected a limit besides memory where ranks come first"),
        ({"search": {**SEARCH, "staged": {"budget": 0.9}}, "budget": {"flops": 0.02}}, "stage 'decompose', 1 of 2: "),
    ],
)
def test_a_division_that_cannot_work_is_refused_before_anything_is_written(tuckprune, home, changes, expected):
    config = written(home, **{"search": SEARCH, **SECTIONS, **changes})
    assert expected in refused(tuckprune, home, "search", config)
