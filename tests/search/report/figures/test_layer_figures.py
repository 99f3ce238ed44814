"""Figures of the layers hold the winner's values beside the recommended ones."""

import pytest

from compress.parameters import CompressionParameters
from objectives.cost.cost import Cost
from search.report.figures import layers
from tests.search.report.report_runs import PARAMETERS, by_name

SIMPLE = CompressionParameters({"conv1": 0.5}, {"conv3": (4, 8), "conv2": (2, 2)})
MODELS = {"search": PARAMETERS, "simple": SIMPLE}


def test_ratios_are_of_every_group_of_the_model():
    figure = layers.ratios(MODELS, {"add": 10, "conv1": 16, "whole": 8})
    search, simple = by_name(figure)["Search"], by_name(figure)["Simple"]
    assert (list(search.y), list(search.x)) == (["add", "conv1", "whole"], [0.9, 0.3, 0.0])
    assert (list(simple.y), list(simple.x)) == (["add", "conv1", "whole"], [0.0, 0.5, 0.0])
    assert list(search.hovertext) == [f"{kept} channels kept" for kept in ("1 of 10", "12 of 16", "8 of 8")]


def test_ratios_without_the_model():
    (bars,) = layers.ratios({"search": PARAMETERS}, {}).data
    assert (list(bars.y), list(bars.x)) == (["conv1", "add"], [0.3, 0.9])


@pytest.mark.parametrize(
    ("side", "search", "simple"), [("In", [3 / 6], [2 / 6, 4 / 8]), ("Out", [7 / 14], [2 / 14, 1])]
)
def test_ranks_are_fractions_of_the_original_channels(side, search, simple):
    channels = {"conv1": (1, 2), "conv2": (6, 14), "conv3": (8, 8)}
    figure = layers.ranks(MODELS, channels, side)
    traces = by_name(figure)
    assert (list(traces["Search"].y), list(traces["Search"].x)) == (["conv2"], search)
    drawn = dict(zip(traces["Simple"].y, traces["Simple"].x, strict=True))
    assert drawn == dict(zip(["conv2", "conv3"], simple, strict=True))
    assert list(figure.layout.yaxis.categoryarray) == ["conv2", "conv3"]


def test_ranks_without_the_model_are_ranks():
    search, _ = layers.ranks(MODELS, {}, "Out").data
    assert (list(search.y), list(search.x), list(search.hovertext)) == (["conv2"], [7], ["7"])


def test_flops_are_of_every_layer_that_had_some():
    before = {"conv1": Cost(2_000_000, 1, 4), "relu": Cost(0, 0, 0), "conv2": Cost(1_000_000, 1, 4)}
    after = {"conv1": Cost(500_000, 1, 4), "relu": Cost(0, 0, 0), "conv2": Cost(250_000, 1, 4)}
    original, search = layers.flops({"original": before, "search": after}).data
    assert (list(original.y), list(original.x)) == (["conv1", "conv2"], [2.0, 1.0])
    assert list(search.x) == [0.5, 0.25]
    assert list(search.hovertext) == ["500,000 FLOPs, 25% of the original", "250,000 FLOPs, 25% of the original"]


def test_figures_grow_with_their_rows():
    few, many = (
        layers.ratios({"search": CompressionParameters({}, {})}, {f"layer{n}": 8 for n in range(count)})
        for count in (10, 140)
    )
    assert many.layout.height - few.layout.height >= 130 * 16
