"""Equal ratios within residual blocks: what counts as a sum, and when sums are pruned, too."""

import keras
import pytest
from keras import layers, ops

from compress.errors import ParameterError
from compress.parameters import ChannelStep
from compress.pruning.settings import PruningSettings
from compress.recommend.inner import InnerRatios
from tests.compress.fixtures import models


def gated(x, name):
    """As squeeze and excitation: the gate has the channels of what it is multiplied by, which is no sum."""
    gate = layers.GlobalAveragePooling2D(keepdims=True)(x)
    gate = layers.Conv2D(x.shape[-1], 1, activation="sigmoid", name=f"{name}_excite")(gate)
    return layers.Multiply(name=f"{name}_gated")([x, gate])


def residual(blocks=2, gates=True, add=lambda x, y, name: layers.Add(name=name)([x, y])):
    """Blocks of two convolutions: 20 channels within, 10 that they add to."""
    x = inputs = keras.Input((8, 8, 3))
    x = layers.Conv2D(10, 3, padding="same", name="stem")(x)
    for block in range(blocks):
        y = layers.Conv2D(20, 3, padding="same", activation="relu", name=f"inner{block}")(x)
        y = gated(y, f"inner{block}") if gates else y
        y = layers.Conv2D(10, 3, padding="same", name=f"outer{block}")(y)
        x = add(x, y, f"sum{block}")
    return keras.Model(inputs, models.head(x))


@pytest.mark.parametrize(
    "add",
    [
        lambda x, y, name: layers.Add(name=name)([x, y]),
        lambda x, y, name: layers.Average(name=name)([x, y]),
        lambda x, y, name: layers.Subtract(name=name)([x, y]),
        lambda x, y, name: ops.add(x, y),
        lambda x, y, name: x + y,
    ],
    ids=["Add", "Average", "Subtract", "ops.add", "+"],
)
def test_sums_stay_whole_and_all_else_gets_the_ratio(add):
    made = InnerRatios.of(residual(add=add))
    (sums,) = made.sums
    result = made.at(0.5)
    assert result.ratios == {"inner0_gated": 0.5, "inner1_gated": 0.5}
    left = {exclusion.name: exclusion.reason for exclusion in result.left_whole}
    assert left[sums] == "blocks add to it: whole while the layers within them make up for it"
    assert set(left) == {sums, "linear"}


@pytest.mark.parametrize(("ratio", "within", "sums"), [(0.8, 0.8, None), (0.9, 0.9, 0.5), (0.95, 0.95, 0.7)])
def test_where_blocks_alone_are_not_enough_sums_are_pruned_too(ratio, within, sums):
    # 0.9 * (0.9 - 0.8) / 0.2 = 0.45 and 0.95 * 0.75 = 0.7125 of 10 channels; the last of three groups rounds 4.5 up.
    result = InnerRatios.of(residual()).at(ratio)
    assert result.ratios["inner0_gated"] == pytest.approx(within)
    assert result.ratios.get("sum1") == (None if sums is None else pytest.approx(sums))


def test_the_more_is_removed_the_fewer_channels_stay():
    made = InnerRatios.of(residual())
    ratios = [made.at(step / 100).ratios for step in range(100)]
    for before, after in zip(ratios, ratios[1:], strict=False):
        assert all(after.get(name, 0.0) >= ratio for name, ratio in before.items())
    assert made.at(1 - 1e-9).ratios == pytest.approx({"inner0_gated": 0.95, "inner1_gated": 0.95, "sum1": 0.9})


def test_groups_of_one_width_lose_a_channel_one_after_another():
    """Of 20 channels a ratio of 0.175 takes 3.5: the second of two groups within blocks has lost its fourth."""
    made = InnerRatios.of(residual())
    lost = [[round(20 * r) for r in made.at(ratio).ratios.values()] for ratio in (0.15, 0.175, 0.19, 0.2)]
    assert lost == [[3, 3], [3, 4], [3, 4], [4, 4]]


def test_a_model_without_blocks_gets_one_ratio():
    plain = InnerRatios.of(residual(blocks=0))
    assert not plain.sums
    assert set(plain.at(0.5).ratios.values()) == {0.5}


def test_a_model_of_sums_alone_gets_one_ratio():
    x = inputs = keras.Input((8, 8, 3))
    x, y = (layers.Conv2D(10, 3, name=name)(x) for name in ("a", "b"))
    made = InnerRatios.of(keras.Model(inputs, models.head(layers.Add(name="sum")([x, y]))))
    assert not made.sums and made.at(0.5).ratios == {"sum": 0.5}


def test_channels_are_kept_in_steps():
    result = InnerRatios.of(residual(), PruningSettings(step=ChannelStep(8))).at(0.5)
    assert result.ratios == pytest.approx({"inner0_gated": 0.2, "inner1_gated": 0.2})  # 16 of 20


@pytest.mark.parametrize("ratio", [-0.1, 1.0, float("nan")])
def test_a_ratio_outside_is_refused(ratio):
    with pytest.raises(ParameterError, match=r"expected a ratio in \[0, 1\)"):
        InnerRatios.of(residual()).at(ratio)
