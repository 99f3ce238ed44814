"""The report holds the study's own numbers, of finished and unfinished runs of every kind."""

import json
from dataclasses import replace

import pytest

from compress.errors import RunError
from compress.model_files.files import load_model
from compress.parameters import CompressionParameters
from search.driver.listeners.run_log import DRIVER_FILE
from search.report.report import write_report
from search.runs.outcome import find_run
from search.runs.results import write_result
from search.runs.run_folder import RunFolder
from tests.search.fixtures.nets import cost
from tests.search.report.report_runs import HOSTILE, LOST, RESULTS, compared, drawn, made_up
from zoo.tasks.metric import Metric


def report(run):
    """Text of the page that is written for a run."""
    return write_report(run).paths[0].read_text(encoding="utf-8")


def test_layers_before_and_after(home):
    run = made_up(home)
    compared(run)
    outcome = find_run(run)
    figures = drawn(report(run))
    models = {"Original": CompressionParameters.none(), "Search": outcome.winner.parameters}
    models["Simple"] = outcome.finalists[-1].parameters
    for label, parameters in models.items():
        costs = {name: figure.flops / 1e6 for name, figure in cost("tiny").layer_costs(parameters).items()}
        bars = figures["layer-flops"][label]
        assert dict(zip(bars["y"], bars["x"], strict=True)) == {name: costs[name] for name in bars["y"]}
        assert sum(bars["x"]) == pytest.approx(cost("tiny").cost(parameters).flops / 1e6)
    for side, index in (("in", 0), ("out", 1)):
        bars = figures[f"ranks-{side}"]["Search"]
        assert bars["hovertext"] == [
            f"{outcome.winner.parameters.ranks[name][index]} of {channels(name)[index]}" for name in bars["y"]
        ]
        assert set(bars["y"]) == set(outcome.winner.parameters.ranks)


def channels(name):
    layer = cost("tiny").graph.convolution(name)
    return layer.in_channels, layer.out_channels


def test_every_trial_is_there_whatever_became_of_it(home):
    run = made_up(home)
    html = report(run)
    trials = find_run(run).trials
    points = drawn(html)["accuracy-flops"]
    states = {"trial": "complete", "trial, stopped early": "stopped", "failed": "failed"} | {
        "over the budget": "infeasible"
    }
    for name, state in states.items():
        own = [trial for trial in trials if trial.state == state]
        assert len(own) == (35 if state == "complete" else 5)
        assert points[name]["x"] == [trial.cost.flops / 1e6 for trial in own]
    assert points["trial"]["y"] == [trial.score.figures["accuracy"] for trial in trials if trial.state == "complete"]
    # What failed is listed with its reason; text of others is text.
    assert "<script>alert(1)</script>" not in html
    escaped = HOSTILE.replace("<", "&lt;").replace(">", "&gt;")
    assert html.count(f"<td>{escaped}</td>") == 5
    assert html.count(f"<td>{LOST}</td>") == 5
    assert html.count("failed: they are over the budget") == 1
    # The first convolution reads the image.
    assert "<td>conv1</td><td>decomposed</td>" in html


def test_a_run_without_trained_models_says_how_to_make_them(home):
    run = made_up(home)
    html = report(run)
    assert "No model of this run is fine-tuned and tested yet" in html
    config, model = run / "config.yaml", home / "tiny.keras"
    assert f"tuckprune export {run}\n" in html
    assert f"tuckprune compress {model} --params {run}/parameters.json --config {config}\n" in html
    assert drawn(html)["accuracy-flops"].keys().isdisjoint({"Original, test", "Search, test"})
    (run / "parameters.json").write_text("{}")
    assert "tuckprune export" not in report(run)


def test_a_run_whose_model_is_elsewhere(home):
    run = made_up(home)
    (home / "tiny.keras").unlink()
    html = report(run)
    assert "Costs of the layers, and what stays whole, are not shown: " in html
    figures = drawn(html)
    assert "layer-flops" not in figures
    winner = find_run(run).winner.parameters
    bars = figures["ratios"]["Search"]
    assert {name: ratio for name, ratio in zip(bars["y"], bars["x"], strict=True) if ratio} == {
        name: ratio for name, ratio in winner.ratios.items() if ratio
    }


def test_a_metric_and_a_budget_of_several_quantities(home):
    metric = Metric("Hinge", "minimize", "one_hot")
    search = {"trials": 12, "metric": {"name": "Hinge"}}
    run = made_up(home, 12, metric, search=search, budget={"flops": 0.5, "memory": "90%"})
    for result in RESULTS:
        hinge = {"original": 0.25, "simple": 0.25, "search": 0.3}[result.label]
        measured = {"figures": {**result.figures, "Hinge": hinge}, "metrics": (*result.metrics, metric)}
        write_result(replace(result, **measured, ranked_by="Hinge", memory=2000), run / "results")
    html = report(run)
    figures = drawn(html)
    trials = [trial for trial in find_run(run).trials if trial.state == "complete"]
    assert figures["history-0-0"]["trial"]["y"] == [trial.score.figure(trial.metric) for trial in trials]
    assert figures["history-0-1"]["trial"]["y"] == [trial.score.figures["accuracy"] for trial in trials]
    assert figures["accuracy-memory"]["trial"]["x"] == [trial.cost.memory / 1e3 for trial in trials]
    assert figures["accuracy-memory"]["Search, test"]["x"] == [2.0]
    assert "<td>0.2500 (+0.0000)</td>" in html and "<td>0.3000 (+0.0500)</td>" in html
    # Less of this metric is better, more of accuracy.
    assert '<span class="less">+0.0500</span>' in html and '<span class="less">-2.00 points</span>' in html
    assert "<span>4.00x less</span>" in html
    assert "expected 25 or more" in html


def test_a_front_and_its_levels(home):
    front_config = {"quantity": "flops", "widest": "60%", "levels": 2}
    run = made_up(home, front=front_config, finals={"candidates": 3})
    html = report(run)
    trials = [trial for trial in find_run(run).trials if trial.state == "complete"]
    figures = drawn(html)
    assert {trial.level for trial in trials} == {0, 1}
    assert figures["history-0-0"]["best so far"]["x"] == [
        trial.number for trial in find_run(run).trials if trial.score is not None and trial.level == 0
    ]
    assert "importance-0" in figures


def test_what_befell_the_run_is_told(home):
    run = made_up(home, 12)
    logs = RunFolder(run).logs
    logs.mkdir()
    lines = [{"time": "2026-01-02T03:04:05+00:00", "warning": "a worker was lost"}, {"time": "x", "trial": 3}]
    (logs / DRIVER_FILE).write_text("\n".join(map(json.dumps, lines)) + '\n{"time": "2026', encoding="utf-8")
    assert "<td>2026-01-02T03:04:05+00:00</td><td>a worker was lost</td>" in report(run)


def test_formats_that_a_model_was_exported_in(home):
    run = made_up(home, 12)
    rows = [{"format": "tflite", "bytes": 12345, "agreement": 1.0, "latency_ms": 0.25, "note": None}]
    (run / "exports.json").write_text(json.dumps(rows))
    html = report(run)
    assert '<th scope="col">Latency ms</th>' in html
    assert "<td>tflite</td><td>12,345</td><td>1</td><td>0.25</td><td></td>" in html
    (run / "exports.json").write_text("{}")
    with pytest.raises(RunError, match="exports file .* cannot be read"):
        write_report(run)


def test_another_model_than_the_searched_one(home):
    run = made_up(home, 12)
    model = load_model(home / "tiny.keras")
    model.layers[1].kernel.assign_add(model.layers[1].kernel)
    model.save(home / "tiny.keras")
    assert "was started with another model" in report(run)


def test_a_folder_without_a_run(tmp_path):
    with pytest.raises(RunError, match="is not a run folder"):
        write_report(tmp_path)
    assert list(tmp_path.iterdir()) == []
