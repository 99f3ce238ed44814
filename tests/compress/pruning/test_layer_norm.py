from typing import get_args

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from compress.pruning.settings import LayerNorm, normalized

NORMS = get_args(LayerNorm)
SCORES = st.lists(st.integers(0, 100), min_size=1, max_size=12).map(lambda values: np.array(values) / 10)


@pytest.mark.parametrize(
    ("norm", "expected"),
    [
        ("none", [1.0, 3.0, 2.0, 2.0]),
        # Mean 2, variance (1 + 1 + 0 + 0) / 4.
        ("standard_score", [-np.sqrt(2), np.sqrt(2), 0.0, 0.0]),
        ("tss_norm", [1 / 8, 3 / 8, 2 / 8, 2 / 8]),
        ("linear_scaling", [0.0, 1.0, 0.5, 0.5]),
        ("softmax_norm", np.exp([1, 3, 2, 2]) / (np.e + np.e**3 + 2 * np.e**2)),
    ],
)
def test_by_hand(norm, expected):
    np.testing.assert_allclose(normalized(np.array([1.0, 3.0, 2.0, 2.0]), norm), expected, rtol=1e-12)


@pytest.mark.parametrize("norm", NORMS)
@given(SCORES)
def test_the_order_of_a_layers_channels_stays(norm, scores):
    result = normalized(scores, norm)
    np.testing.assert_array_equal(np.argsort(result, kind="stable"), np.argsort(scores, kind="stable"))


@given(SCORES)
def test_scales(scores):
    if np.ptp(scores) > 0:
        standard = normalized(scores, "standard_score")
        assert (standard.mean(), standard.std()) == pytest.approx((0, 1), abs=1e-9)
        assert (normalized(scores, "linear_scaling").min(), normalized(scores, "linear_scaling").max()) == (0, 1)
    assert normalized(scores, "softmax_norm").sum() == pytest.approx(1)
    assert normalized(scores, "tss_norm").sum() == pytest.approx(1 if scores.any() else 0)


@pytest.mark.parametrize("value", [0.0, 0.1, 3.0])
def test_equal_scores_have_no_scale(value):
    equal = np.full(3, value)
    for norm in ("standard_score", "linear_scaling"):
        np.testing.assert_array_equal(normalized(equal, norm), np.zeros(3))
    np.testing.assert_allclose(normalized(equal, "softmax_norm"), np.full(3, 1 / 3))


def test_large_scores_do_not_overflow():
    np.testing.assert_allclose(normalized(np.array([1e4, 1e4 - 1]), "softmax_norm"), [0.7310585786, 0.2689414214])
