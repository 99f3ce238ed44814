import json

import numpy as np

from compress.parameters import CompressionParameters
from compress.recipe import apply_parameters
from scripts.bench.compress.decompose import (
    ROOT,
    compare_kernels,
    compare_trials,
    others,
    published_parameters,
    straightforward,
)
from tests.compress.fixtures import models, published
from tests.compress.fixtures.models import randomized
from tests.compress.fixtures.oracles import assert_same_outputs

PARAMETERS = CompressionParameters({"conv1": 0.5, "b0.conv1": 0.4}, {"b0.conv2": (2, 4), "b1.conv1": (5, 3)})
METHODS = ("partial_tucker", "hosvd", "hooi", "hooi, bases kept")


def test_the_published_parameters_are_read():
    assert published_parameters() == CompressionParameters(published.ratios(), published.ranks())


def test_kernels():
    rng = np.random.default_rng(0)
    result = compare_kernels([(rng.normal(size=(3, 3, 8, 6)).astype(np.float32), (3, 2))])
    assert tuple(result) == METHODS
    assert result["partial_tucker"].max_error_over_partial_tucker == 1
    assert result["hooi"].mean_error <= result["hosvd"].mean_error
    assert result["hooi"].mean_error == result["hooi, bases kept"].mean_error


def test_trials():
    model = randomized(models.residual())
    result = compare_trials(model, PARAMETERS, repeats=1)
    assert tuple(result) == ("first", "straightforward", "same", "other", "decompose_first")
    assert all(figures.least <= figures.seconds <= figures.most for figures in result.values())


def test_the_straightforward_trial_makes_the_same_model():
    model = randomized(models.residual())
    assert_same_outputs(straightforward(model, PARAMETERS), apply_parameters(model, PARAMETERS), tolerance=1e-2)


def test_neighbours_keep_at_least_as_many_channels():
    result = others(PARAMETERS, 4)
    assert len({tuple(each.ratios.values()) for each in result}) > 1
    for each in result:
        assert all(each.ratios[name] in (ratio, round(ratio - 0.1, 1)) for name, ratio in PARAMETERS.ratios.items())


def test_the_committed_figures():
    figures = json.loads((ROOT / "docs" / "results" / "decompose.json").read_text(encoding="utf-8"))
    assert set(figures) == {"trials", "speedup", "kernels", "accuracy"}
    assert figures["trials"]["same"]["cpu_seconds"] <= 4 and figures["trials"]["other"]["cpu_seconds"] <= 4
    for methods in figures["kernels"].values():
        assert set(methods) == {"layers", *METHODS}
        assert methods["hooi"]["mean_error"] <= methods["hosvd"]["mean_error"]
        assert methods["hooi"]["max_error_over_partial_tucker"] <= 1.001
    assert figures["accuracy"] and all(len(row["hooi"]) == len(row["hosvd"]) == 2 for row in figures["accuracy"])
