"""The summary of the proxies' fidelity, by hand."""

import json

import pytest

from scripts.bench.objectives.proxy import LADDERS, figure, markdown, summary

TRUTH = [0.5, 0.6, 0.7, 0.8]
SCORES = {"30 steps": [0.1, 0.3, 0.2, 0.4], "100 steps": [0.2, 0.3, 0.4, 0.5]}


@pytest.fixture
def result(tmp_path):
    for number, truth in enumerate(TRUTH):
        received = {
            name: {"accuracy": scores[number], "loss": scores[number], "seconds": 1.0 + number}
            for name, scores in SCORES.items()
        }
        (tmp_path / f"proxies-{number:03d}.json").write_text(json.dumps(received))
        (tmp_path / f"long-{number:03d}.json").write_text(
            json.dumps({"steps": 1000, "test_accuracy": truth, "seconds": 100.0})
        )
    return summary(tmp_path, 4)


def test_correlations_are_those_of_the_ranks(result):
    by_name = {proxy["name"]: proxy for proxy in result["proxies"]}
    # One of six pairs is the wrong way round: Kendall (5 - 1) / 6; Spearman 1 - 6 x 2 / (4 x 15).
    assert by_name["30 steps"]["kendall"] == round(4 / 6, 3)
    assert by_name["30 steps"]["spearman"] == 0.8
    assert by_name["100 steps"]["spearman"] == by_name["100 steps"]["kendall"] == 1.0
    # Here the loss rises with the accuracy, and less of it counts as better.
    assert by_name["100 steps, by loss"]["spearman"] == -1.0
    assert by_name["30 steps"]["spearman_better_half"] == 1.0
    assert by_name["30 steps"]["seconds"] == 2.5


def test_table_and_picture_show_the_same_figures(result):
    assert "| 30 steps | 2.5 | 2.5 % | 0.80 (-0.80) | 0.67 | 1.00 |" in markdown(result)
    drawn = figure(result, "30 steps")
    assert list(drawn.data[0].y) == [0.8, 1.0] and list(drawn.data[0].x) == [0.025, 0.025]
    assert list(drawn.data[-1].x) == SCORES["30 steps"] and list(drawn.data[-1].y) == TRUTH


def test_only_the_ladder_that_says_so_distils():
    labels = [ladder.label(30) for ladder in LADDERS if ladder.changes["distillation"]]
    assert labels == ["distillation, 30 steps", "bfloat16, distillation, 30 steps"]
