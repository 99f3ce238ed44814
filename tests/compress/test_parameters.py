import math
import pickle
from fractions import Fraction

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from compress.errors import ParameterError, excerpt
from compress.parameters import ChannelStep, CompressionParameters, kept_channels


def test_copies_into_plain_python_values():
    source = {"conv1": np.float64(0.5)}
    parameters = CompressionParameters(source, {"conv1": [np.int64(3), 4]})
    source["conv2"] = np.float64(0.1)
    assert parameters.ratios == {"conv1": 0.5} and type(parameters.ratios["conv1"]) is float
    assert parameters.ranks == {"conv1": (3, 4)} and type(parameters.ranks["conv1"][0]) is int


def test_pickles_and_compares_by_value():
    parameters = CompressionParameters({"a": 0.3, "b": 0.0}, {"a": (1, 2)})
    assert pickle.loads(pickle.dumps(parameters)) == parameters
    assert CompressionParameters({"b": 0.0, "a": 0.3}, {"a": (1, 2)}) == parameters
    assert CompressionParameters({"a": 0.3, "b": 0.1}, {"a": (1, 2)}) != parameters


def test_merged_joins_both():
    left = CompressionParameters({"a": 0.1}, {"c": (1, 2)})
    right = CompressionParameters({"a": 0.1, "b": 0.2}, {"d": (3, 4)})
    assert left.merged(right) == CompressionParameters({"a": 0.1, "b": 0.2}, {"c": (1, 2), "d": (3, 4)})
    assert left.ratios == {"a": 0.1}


@pytest.mark.parametrize(
    ("left", "right", "message"),
    [
        ({"ratios": {"a": 0.1}}, {"ratios": {"a": 0.2}}, "'a': expected one ratio, received 0.1 and 0.2"),
        ({"ranks": {"a": (1, 2)}}, {"ranks": {"a": (1, 3)}}, "received (1, 2) and (1, 3)"),
    ],
)
def test_merged_rejects_contradictions(left, right, message):
    empty = {"ratios": {}, "ranks": {}}
    with pytest.raises(ParameterError) as caught:
        CompressionParameters(**(empty | left)).merged(CompressionParameters(**(empty | right)))
    assert message in str(caught.value)


@pytest.mark.parametrize(
    "ratio", [1, 1.0, -0.1, math.nan, math.inf, -math.inf, True, False, "0.5", None, 10**400, [0.5]]
)
def test_rejects_ratio(ratio):
    with pytest.raises(ParameterError) as caught:
        CompressionParameters({"layer1": ratio}, {})
    message = str(caught.value)
    assert "'layer1': expected a pruning ratio in [0, 1)" in message and excerpt(ratio) in message
    assert "\n" not in message


RANKS = [(0, 1), (1, -1), (1.0, 2), (True, 2), (1,), (1, 2, 3), "12", 3, None, {"in": 1, "out": 2}, np.ones((30, 30))]


@pytest.mark.parametrize("ranks", RANKS)
def test_rejects_ranks(ranks):
    with pytest.raises(ParameterError) as caught:
        CompressionParameters({}, {"layer1": ranks})
    message = str(caught.value)
    assert "'layer1': expected [in rank, out rank], two whole numbers >= 1" in message and excerpt(ranks) in message
    assert "\n" not in message


@pytest.mark.parametrize("name", ["", 3, None, b"conv", "\ud800"])
def test_rejects_name(name):
    with pytest.raises(ParameterError) as caught:
        CompressionParameters({name: 0.5}, {})
    assert "ratios: expected a layer name" in str(caught.value) and repr(name) in str(caught.value)


def test_rejects_what_is_no_mapping():
    with pytest.raises(ParameterError, match=r"expected ranks to map layer names to values, received \[\('a', 1\)\]"):
        CompressionParameters({}, [("a", 1)])


@pytest.mark.parametrize(
    ("channels", "ratio", "kept"),
    [
        (64, 0.7, 20),
        (10, 0.9, 1),
        (10, 0.7, 3),
        (64, 0.9, 7),
        (64, 0.0, 64),
        (1, 0.9, 1),
        (3, 0.99, 1),
        (3, 1 / 3, 2),
        (3, math.nextafter(1, 0), 1),
    ],
)
def test_kept_channels_by_hand(channels, ratio, kept):
    assert kept_channels(channels, ratio) == kept


@given(st.integers(1, 100_000), st.integers(0, 9))
def test_kept_channels_on_the_grid(channels, tenths):
    exact = max(1, math.ceil(channels * (1 - Fraction(tenths, 10))))
    assert kept_channels(channels, tenths / 10) == exact
    assert kept_channels(channels, tenths * 0.1) == exact  # 3 * 0.1 is 0.30000000000000004
    assert kept_channels(channels, 1 - (10 - tenths) * 0.1 if tenths else 0.0) == exact


@given(st.integers(1, 100_000), st.data())
def test_kept_channels_inverts_a_removed_fraction(channels, data):
    kept = data.draw(st.integers(1, channels))
    assert kept_channels(channels, 1 - kept / channels) == kept
    assert kept_channels(channels, (channels - kept) / channels) == kept


def test_kept_channels_in_steps():
    assert kept_channels(64, 0.7) == 20
    assert [kept_channels(64, 0.7, ChannelStep(8, rounding)) for rounding in ("up", "down")] == [24, 16]


@pytest.mark.parametrize(("channels", "ratio"), [(0, 0.5), (8, 1.0), (8.0, 0.5)])
def test_kept_channels_rejects(channels, ratio):
    with pytest.raises(ParameterError) as caught:
        kept_channels(channels, ratio)
    assert "expected" in str(caught.value) and "\n" not in str(caught.value)
