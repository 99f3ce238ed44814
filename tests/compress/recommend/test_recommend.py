import keras
import numpy as np
import pytest
from keras import layers

from compress.errors import ParameterError
from compress.parameters import ChannelStep
from compress.pruning.settings import PruningSettings
from compress.recommend.recommend import RankRecommender, recommend_ranks, recommend_ratios
from tests.compress.fixtures import models
from tests.compress.fixtures.models import randomized


def planted():
    """Convolutions of 32 channels: 3x3 of ranks (4, 6), 3x3 of noise alone, and 1x1 of rank 14."""
    rng = np.random.default_rng(0)
    x = inputs = keras.Input((8, 8, 3))
    x = layers.Conv2D(32, 3, padding="same", name="stem")(x)
    for name, size in (("low", 3), ("noise", 3), ("high", 1)):
        x = layers.Conv2D(32, size, padding="same", name=name)(x)
    model = keras.Model(inputs, models.head(x))
    factors = [rng.normal(size=shape) for shape in ((3, 3, 4, 6), (32, 4), (32, 6))]
    noise = rng.normal(size=(3, 3, 32, 32))
    model.get_layer("low").kernel.assign(np.einsum("hwab,ia,ob->hwio", *factors) + 0.1 * noise)
    model.get_layer("noise").kernel.assign(noise)
    matrix = rng.normal(size=(32, 14)) @ rng.normal(size=(14, 32))
    model.get_layer("high").kernel.assign((matrix + 0.01 * noise[0, 0])[None, None])
    return model


def test_ranks_by_vbmf():
    assert RankRecommender.of(planted()).vbmf == {"low": (4, 6), "noise": (0, 0), "high": (14, 14)}


def test_recommended_ranks_say_what_is_left_whole():
    result = recommend_ranks(planted())
    assert result.ranks == {"low": (4, 6)}
    assert {item.name: item.reason for item in result.left_whole} == {
        "stem": "it reads the model's input, of only 3 channels",
        "noise": "VBMF finds no signal in it (rank 0)",
        "high": "ranks [14, 14] would not make it cheaper",  # 2 * 32 * 14 + 14 * 14 = 1092 of 1024 weights
    }


@pytest.mark.parametrize(("calibration", "pair"), [(0.25, (11, 12)), (-0.1, (2, 4)), (-1.0, (1, 1))])
def test_calibration_moves_ranks(calibration, pair):
    # rank + trunc((32 - rank) * c): 4 + 7 and 6 + trunc(6.5); 4 - 2.8 and 6 - 2.6; clipped at 1.
    assert recommend_ranks(planted(), calibration).ranks["low"] == pair


def test_calibrations_share_one_factorization():
    recommender = RankRecommender.of(planted())
    for calibration in (-0.1, 0.0, 0.25):
        assert recommender.at(calibration) == recommend_ranks(planted(), calibration)


def test_narrow_inputs_get_no_recommendation():
    inputs = keras.Input((8, 8, 3))
    x = layers.Conv2D(3, 3, name="conv1")(inputs)
    model = keras.Model(inputs, models.head(layers.Conv2D(64, 3, name="conv2")(x)))
    result = recommend_ranks(model)
    assert not result.ranks
    assert [(item.name, item.reason) for item in result.left_whole] == [
        ("conv1", "it reads the model's input, of only 3 channels"),
        ("conv2", "it has only 3 input channels"),
    ]


def test_ratios_by_slamp():
    # conv1: squared norms 8, 4, 2, 2 score 8/8, 4/12, 2/14, 2/16 (sorted from the strongest; ties from the last).
    # conv2: 1, 1 score 1 and 1/2. Half of the six channels go: 2/16, 2/14, 4/12.
    inputs = keras.Input((4, 4, 1))
    x = layers.Conv2D(4, 1, name="conv1", use_bias=False)(inputs)
    model = keras.Model(inputs, models.head(layers.Conv2D(2, 1, name="conv2", use_bias=False)(x)))
    model.get_layer("conv1").kernel.assign(np.sqrt(np.reshape([2.0, 8, 4, 2], (1, 1, 1, 4))))
    model.get_layer("conv2").kernel.assign(np.reshape([1.0, 0, 0, 1, 0, 0, 0, 0], (1, 1, 4, 2)))
    half = recommend_ratios(model, 0.5)
    assert half.ratios == {"conv1": 0.75}
    assert {item.name: item.reason for item in half.left_whole} == {
        "linear": "it is an output of the model",
        "conv2": "SLAMP removes none of its channels at this ratio",
    }
    assert recommend_ratios(model, 0.0).ratios == {}
    coarse = recommend_ratios(model, 0.2, PruningSettings(step=ChannelStep(4)))
    assert coarse.ratios == {}
    assert coarse.left_whole[1].reason == "all its 4 channels stay in steps of 4"


def test_ratio_outside_its_range():
    with pytest.raises(ParameterError):
        recommend_ratios(randomized(models.chain()), 1.0)
