import numpy as np
import pytest

from compress.decomposition.kernel_bases import BasesCache
from compress.decomposition.tucker import decompose
from compress.errors import ParameterError
from compress.parameters import ChannelStep, CompressionParameters
from compress.pruning.pruning import prune
from compress.pruning.settings import PruningSettings
from compress.recipe import apply_parameters, prune_and_decompose
from tests.compress.fixtures import models
from tests.compress.fixtures.models import randomized

RESIDUAL = (
    models.residual,
    {"conv1": 0.5, "b0.conv1": 0.4, "add_1": 0.25, "b1.conv1": 0.3},
    {"b0.conv2": (2, 4), "b1.conv1": (5, 3), "b0.shortcut": (4, 4)},
)
CASES = {
    "residual": RESIDUAL,
    "pruned alone": (RESIDUAL[0], RESIDUAL[1], {}),
    "decomposed alone": (RESIDUAL[0], {}, RESIDUAL[2]),
    "shared": (models.shared, {}, {"twice": (3, 4), "other": (2, 2)}),
    "sequential": (models.sequential, {}, {}),
}


@pytest.mark.parametrize("case", CASES.values(), ids=CASES)
def test_same_model_as_one_stage_after_the_other(case):
    build, ratios, ranks = case
    model = randomized(build())
    at_once = prune_and_decompose(model, ratios, ranks, cache=BasesCache())
    in_stages = decompose(prune(model, ratios), ranks)
    assert [layer.name for layer in at_once.layers] == [layer.name for layer in in_stages.layers]
    assert at_once.get_config()["layers"] == in_stages.get_config()["layers"]
    for mine, theirs in zip(at_once.get_weights(), in_stages.get_weights(), strict=True):
        np.testing.assert_array_equal(mine, theirs)


def test_kept_channels_are_rounded_up():
    model = randomized(models.residual())
    small = prune_and_decompose(
        model, {"conv1": 0.5}, {"b0.conv1": (3, 2)}, pruning=PruningSettings(step=ChannelStep(3))
    )
    assert small.get_layer("conv1").filters == 6


@pytest.mark.parametrize(
    ("ratios", "ranks", "message"),
    [
        ({"add_1": 0.5}, {"b0.conv2": (5, 5)}, "Out Rank of 'b0.conv2': expected at most its 4 output channels"),
        ({"b0.conv1": 0.5}, {"b0.conv2": (4, 2)}, "In Rank of 'b0.conv2': expected at most its 3 input channels"),
        ({}, {"conv1": (1, 1)}, "layer 'conv1' cannot be decomposed: it reads the model's input"),
        ({"nothing": 0.5}, {}, "unknown layer or group 'nothing'"),
    ],
)
def test_refused_as_one_stage_after_the_other_is(ratios, ranks, message):
    model = models.residual()
    with pytest.raises(ParameterError) as at_once:
        apply_parameters(model, CompressionParameters(ratios, ranks))
    with pytest.raises(ParameterError) as in_stages:
        decompose(prune(model, ratios), ranks)
    assert str(at_once.value) == str(in_stages.value)
    assert str(at_once.value).startswith(message)
