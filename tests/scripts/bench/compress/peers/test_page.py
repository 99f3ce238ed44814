"""Rows, tables and picture of figures that are written by hand."""

import pytest

from scripts.bench.compress.peers.kept import Case, Chosen, cases, write
from scripts.bench.compress.peers.page import figure, markdown, rows

CASES = (
    Case("resnet", 1.0, "original"),
    Case("resnet", 0.35, "L2 local, streams kept"),
    Case("resnet", 0.1, "L2 local, streams kept"),
    Case("resnet", 0.35, "search"),
)


@pytest.fixture
def work(tmp_path):
    for number, case in enumerate(CASES):
        figures = {
            "flops_fraction": case.budget,
            "params": 1000 * number,
            "method_seconds": 1.25,
            "accuracy": 0.2,
        }
        named = {"model": case.model, "budget": case.budget, "method": case.method}
        write(case.record(tmp_path), {**named, **figures})
        for seed, accuracy in enumerate((0.8, 0.9) if number else ()):
            write(case.tuned(tmp_path, 1000, seed), {"steps": 1000, "test_accuracy": accuracy - 0.1 * case.budget})
    return tmp_path


def test_rows(work):
    made = rows(work)
    assert [(row["budget"], row["steps"], row["seeds"]) for row in made] == [
        *((1.0, 0, 1), (0.35, 0, 1), (0.35, 1000, 2), (0.35, 0, 1), (0.35, 1000, 2), (0.1, 0, 1), (0.1, 1000, 2))
    ]
    assert made[2] == {
        "model": "resnet",
        "budget": 0.35,
        "method": "L2 local, streams kept",
        "flops_fraction": 0.35,
        "params": 1000,
        "steps": 1000,
        "accuracy_mean": 0.815,
        "accuracy_std": 0.0707,
        "seeds": 2,
        "method_seconds": 1.2,
    }


def test_table(work):
    lines = markdown(rows(work)).splitlines()
    assert lines[0] == "| Model | Budget | Method | FLOPs | Params | Seconds | 0 steps | 1,000 steps |"
    assert lines[2] == "| resnet | 100 % | original | 100.0 % | 0.000 M | 1.2 | 20.0 % |  |"
    assert "| resnet | 35 % | search | 35.0 % | 0.003 M | 1.2 | 20.0 % | 81.5 % ± 7.1 |" in lines


def test_picture_has_a_line_for_every_method(work):
    drawn = figure(rows(work))
    assert [(line.name, list(line.x)) for line in drawn.data] == [
        ("L2 local, streams kept", [35.0, 10.0]),
        ("search", [35.0]),
    ]


def test_cases_are_read_back_and_chosen(work):
    assert set(cases(work)) == set(CASES)
    chosen = Chosen(models={"resnet"}, budgets=(0.35,), methods=None)
    assert [case in chosen for case in CASES] == [False, True, False, True]
    assert all(case in Chosen() for case in CASES)


def test_a_method_does_not_take_the_figures_of_one_whose_name_begins_alike(tmp_path):
    for method in ("L2 local", "L2 local, streams kept"):
        case = Case("net", 0.35, method)
        figures = {"flops_fraction": 0.35, "params": 1, "accuracy": 0.1, "method_seconds": 1.0}
        write(case.record(tmp_path), {"model": "net", "budget": 0.35, "method": method, **figures})
    kept = Case("net", 0.35, "L2 local, streams kept")
    write(kept.tuned(tmp_path, 1000, 0), {"steps": 1000, "test_accuracy": 0.8})
    measured = [(row["method"], row["steps"]) for row in rows(tmp_path)]
    assert sorted(measured) == [("L2 local", 0), ("L2 local, streams kept", 0), ("L2 local, streams kept", 1000)]
