"""The report of a run of real workers holds its study, its finalists and its models."""

import re

import pytest

from compress.errors import RunError
from objectives.cost.quantities.standard import FLOPS
from search.report.report import draw_pictures, write_report
from search.runs.outcome import find_run
from search.runs.points import front
from search.runs.results import markdown_table
from tests.search.driver.interrupted_run import TRIALS
from tests.search.report.report_runs import RESULTS, compared, drawn


def test_the_report_of_a_real_run(run):
    compared(run.folder)
    written = write_report(run.folder)
    assert [path.name for path in written.paths] == ["report.html", "table.md"]
    with pytest.raises(RunError, match=r"expected kaleido and a browser, received: .*tuckprune\[report\]"):
        draw_pictures(written)
    html = written.paths[0].read_text(encoding="utf-8")
    assert written.paths[1].read_text(encoding="utf-8") == markdown_table(RESULTS)
    for cell in ("Original", "90.00 %", "88.00 % (-2.00)", "1.00 M (4.00x)"):
        assert f"<td>{cell}</td>" in html
    outcome = find_run(run.folder)
    assert f"{TRIALS} trials: {TRIALS} feasible, 0 infeasible, 0 failed. Winner: {outcome.winner.source}, " in html

    assert len(outcome.finalists) == 2
    for finalist in outcome.finalists:
        assert f"<td>{finalist.source}</td>" in html
        assert f"<td>{finalist.score.text}</td>" in html

    figures = drawn(html)
    points = figures["accuracy-flops"]
    assert (points["Original, test"]["x"], points["Original, test"]["y"]) == ([4.0], [0.9])
    for name, candidates in (("trials", outcome.trials), ("finalists", outcome.finalists)):
        assert points[f"Pareto front of the {name}"]["text"] == [point.source for point in front(candidates, FLOPS)]
        assert points[f"Pareto front of the {name}"]["y"] == [
            point.score.figures["accuracy"] for point in front(candidates, FLOPS)
        ]
    assert figures["history-0-0"]["trial"]["x"] == [trial.number for trial in outcome.trials]
    assert figures["history-0-0"]["trial"]["y"] == [trial.score.figures["accuracy"] for trial in outcome.trials]
    ratios = figures["ratios"]["Search"]
    assert {name: ratio for name, ratio in zip(ratios["y"], ratios["x"], strict=True) if ratio} == {
        name: ratio for name, ratio in outcome.winner.parameters.ratios.items() if ratio
    }
    bars = figures["timeline"]["trial"]
    assert sorted(bars["x"]) == pytest.approx(sorted(1e3 * trial.seconds for trial in outcome.trials), abs=1)
    assert set(bars["y"]) == {trial.worker for trial in outcome.trials}
    # The library itself is in the page: it opens without a network.
    assert not re.search(r"<script[^>]* src=|<link [^>]*href=\"http", html)
    assert len(html) > 1_000_000
