"""The way without PyTorch, on digits: uniform and given values, a fine-tune, rows; nothing is measured twice."""

import json
from argparse import Namespace

import pytest

from compress.model_files.files import save_model
from compress.parameter_files.json_format import dumps
from compress.parameters import CompressionParameters
from scripts.bench.compress.peers.exchange import state_of, widths_of
from scripts.bench.compress.peers.kept import Case, cases
from scripts.bench.compress.peers.original import Original
from scripts.bench.compress.peers.own_methods import given_values
from scripts.bench.compress.peers.page import rows
from scripts.bench.compress.peers.pruning import prune, prune_by_given
from scripts.bench.compress.peers.run import ROOT, fine_tune
from tests.scripts.bench.compress.peers.small_resnet import small_resnet

CONFIG = ROOT / "configs" / "digits.yaml"


def listed(folder, ratio, budget):
    (folder / "parameters.json").write_text(dumps(CompressionParameters({"layer1.0.conv1": ratio}, {})))
    entry = {"model": "small", "budget": budget, "method": "search", "parameters": "parameters.json"}
    (folder / "values.json").write_text(json.dumps([{**entry, "method_seconds": 800}]))
    return given_values(folder / "values.json")


@pytest.fixture(scope="module")
def measured(tmp_path_factory):
    work = tmp_path_factory.mktemp("peers")
    model = save_model(small_resnet(channels=1, classes=10), work / "small.keras")
    original = Original.of(CONFIG, model)
    prune(original, work, [Case("small", 0.5, "uniform")])
    prune_by_given(original, work, listed(work, 0.5, 0.9))
    chosen = {"models": [model], "budgets": None, "methods": ["uniform"], "steps": [1], "seeds": "0"}
    fine_tune(Namespace(config=CONFIG, work=work, **chosen))
    return original, work


def test_rows_of_what_is_kept(measured):
    original, work = measured
    whole, search, uniform, tuned = rows(work)
    assert (whole["method"], whole["flops_fraction"], whole["params"]) == ("original", 1.0, original.cost.params)
    assert (search["method"], search["method_seconds"]) == ("search", 800)
    assert 0.4 < uniform["flops_fraction"] <= 0.5 < search["flops_fraction"] <= 0.9
    assert (tuned["method"], tuned["steps"], tuned["seeds"]) == ("uniform", 1, 1)
    assert all(0 <= row["accuracy_mean"] <= 1 for row in rows(work))


def test_a_kept_model_costs_what_its_row_says(measured):
    original, work = measured
    for case, row in zip(cases(work), [row for row in rows(work) if row["steps"] == 0], strict=True):
        assert original.fraction(case.load(work)) == pytest.approx(row["flops_fraction"], abs=1e-4)


def test_flops_are_told_from_widths_as_well(measured):
    original, work = measured
    # Uniform values have ranks here.
    for case in (case for case in cases(work) if case.method != "uniform"):
        model = case.load(work)
        assert original.fraction_of_widths(widths_of(state_of(model))) == original.fraction(model)


def test_what_is_kept_is_not_made_again(measured, capsys):
    original, work = measured
    prune(original, work, list(cases(work)))
    prune_by_given(original, work, listed(work, 0.0, 0.9))
    assert capsys.readouterr().out == ""


def test_values_over_their_budget_are_refused(measured):
    original, work = measured
    with pytest.raises(SystemExit, match="small 20 search: expected at most the budget, received 1.0000"):
        prune_by_given(original, work, listed(work, 0.0, 0.2))
