"""The benchmark of strategies: what it runs, what it keeps, and one real case of each."""

import json
from dataclasses import replace
from pathlib import Path

import pytest

from objectives.score.fine_tuning import FineTuning
from scripts.bench.search import staged
from scripts.bench.search.staged import Row, measure, merged, read
from search.runs.outcome import find_run
from tests.search.fixtures.nets import cost, model
from tests.search.fixtures.runs import document, written
from zoo.training.training import TrainingResult

ROW = Row("digits", "staged", ("prune", "decompose"), 1, 60, 10.0, 0.249, 0.05, 0.97)


def test_rows_are_renewed_and_sorted() -> None:
    joint, other_order = replace(ROW, strategy="joint"), replace(ROW, recipe=("decompose", "prune"))
    again = replace(ROW, accuracy=0.98)
    assert merged([other_order, ROW, joint], again) == [joint, again, other_order]


def test_what_is_in_the_file_is_not_run_again(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    model("tiny").save(tmp_path / "tiny.keras")
    config = written(tmp_path, finetune={"epochs": 1})
    out = tmp_path / "staged.json"
    asked = []

    def measured(row: Row, path: Path, overrides: list[str]) -> Row:
        asked.append((row.strategy, row.recipe[0], row.seed, row.trials))
        return replace(row, accuracy=0.5)

    monkeypatch.setattr(staged, "measure", measured)
    for seeds in (["0"], ["0", "1"]):
        command = ["bench", str(config), "--seeds", *seeds, "--out", str(out), "--set", "search.trials=6"]
        monkeypatch.setattr("sys.argv", command)
        staged.main()
    assert asked == [(strategy, "prune", seed, 6) for seed in (0, 1) for strategy in ("joint", "staged")]
    assert [row.accuracy for row in read(out)] == [0.5] * 4
    assert set(json.loads(out.read_text())[0]) == {
        *("model", "strategy", "recipe", "seed", "trials", "seconds", "flops_fraction", "validation_loss", "accuracy")
    }


def test_a_real_case(tmp_path: Path, local_pool: None, monkeypatch: pytest.MonkeyPatch) -> None:
    """Without its trainings, which the benchmark leaves to what is measured."""
    monkeypatch.setattr(FineTuning, "__call__", lambda *given: TrainingResult(1, 0.0, 0.5))
    model("tiny").save(tmp_path / "tiny.keras")
    search = {"trials": 2, "workers": 1, "sensitivity": False}
    path = written(tmp_path, finetune={"epochs": 1}, search=search, finals={"candidates": 1})
    row = measure(Row("run", "staged", ("prune", "decompose"), 3, 2), path, [])
    outcome = find_run(Path(document(tmp_path)["runs"]) / row.name)
    assert [trial.stage for trial in outcome.trials] == ["prune", "decompose"]
    assert outcome.folder.config().seed == 3
    whole = cost("tiny").cost(type(outcome.winner.parameters).none()).flops
    assert row.flops_fraction == round(outcome.winner.cost.flops / whole, 4) <= 0.5
    judged = {finalist.source: finalist.score.loss for finalist in outcome.finalists}
    assert row.validation_loss == pytest.approx(judged[outcome.winner.source], abs=1e-4)
    assert 0 <= row.accuracy <= 1 and row.seconds > 0
