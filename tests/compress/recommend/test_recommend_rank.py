import keras
import numpy as np
import pytest
from keras import layers

from compress.recommend.single_rank import recommend_cp_ranks, recommend_svd_ranks
from tests.compress.fixtures.models import randomized


def planted_model():
    """Kernels of known rank under little noise: a dense layer of 3, a pointwise convolution of 2, a 3x3 one of 2."""
    inputs = keras.Input((6, 6, 8))
    x = layers.Conv2D(24, 3, padding="same", name="conv")(inputs)
    x = layers.Conv2D(20, 1, name="pointwise")(x)
    x = layers.Dense(30, name="dense")(layers.GlobalAveragePooling2D()(x))
    model = randomized(keras.Model(inputs, layers.Dense(2, name="linear")(x)))
    rng = np.random.default_rng(0)
    for name, rank in (("conv", 2), ("pointwise", 2), ("dense", 3)):
        kernel = model.get_layer(name).kernel
        factors = [rng.normal(size=(size, rank)) for size in (int(np.prod(kernel.shape[:-1])), kernel.shape[-1])]
        signal = factors[0] @ factors[1].T
        if name == "conv":
            window, inner = rng.normal(size=(9, rank)), rng.normal(size=(8, rank))
            signal = np.einsum("wr,ir,or->wio", window, inner, factors[1])
        kernel.assign(signal.reshape(kernel.shape) + rng.normal(0, 0.05, kernel.shape))
    return model


def test_planted_ranks_are_found_and_the_rest_is_named():
    result = recommend_svd_ranks(planted_model())
    assert result.ranks == {"pointwise": 2, "dense": 3}
    assert [exclusion.name for exclusion in result.left_whole] == ["linear"]


def test_convolutions_with_a_window():
    result = recommend_cp_ranks(planted_model())
    assert result.ranks == {"conv": 2}
    assert [(left.name, left.reason) for left in result.left_whole] == [("pointwise", "its window is 1x1; use SVD")]


@pytest.mark.parametrize("recommend", [recommend_svd_ranks, recommend_cp_ranks])
def test_full_ranks_are_left_out_where_they_do_not_pay(recommend):
    reasons = {left.name: left.reason for left in recommend(planted_model(), calibration=1.0).left_whole}
    assert reasons.get("pointwise") in ("rank 20 would not make it cheaper", "its window is 1x1; use SVD")


def test_calibration_gives_back_a_part():
    assert recommend_svd_ranks(planted_model(), calibration=0.25).ranks == {"pointwise": 6, "dense": 7}
    assert recommend_cp_ranks(planted_model(), calibration=0.5).ranks == {"conv": 13}
