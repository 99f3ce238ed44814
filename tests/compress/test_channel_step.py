import math

import pytest
from hypothesis import given
from hypothesis import strategies as st

from compress.errors import ParameterError
from compress.parameters import SINGLE_CHANNELS, ChannelStep

SIZES = st.integers(1, 64)
CHANNELS = st.integers(1, 5000)


@pytest.mark.parametrize(
    ("rounding", "kept"),
    # Of 30 channels, in steps of 8: 30 is what there is, and no multiple.
    [
        ("up", {1: 8, 8: 8, 9: 16, 12: 16, 20: 24, 25: 30, 29: 30, 30: 30}),
        ("down", {1: 8, 8: 8, 9: 8, 12: 8, 20: 16, 25: 24, 29: 24, 30: 30}),
        ("nearest", {1: 8, 8: 8, 9: 8, 11: 8, 12: 16, 20: 24, 25: 24, 28: 30, 29: 30, 30: 30}),
        ("none", {1: 1, 9: 9, 29: 29, 30: 30}),
    ],
)
def test_by_hand(rounding, kept):
    step = ChannelStep(8, rounding)
    assert {count: step.rounded(count, 30) for count in kept} == kept


@given(CHANNELS, st.data(), SIZES)
def test_what_is_kept_is_the_multiple_asked_for(channels, data, size):
    kept = data.draw(st.integers(1, channels))
    result = {rounding: ChannelStep(size, rounding).rounded(kept, channels) for rounding in ("up", "down", "nearest")}
    if kept == channels:
        assert set(result.values()) == {channels}
        return
    up, down = math.ceil(kept / size) * size, max(size, math.floor(kept / size) * size)
    assert result["up"] == min(channels, up)
    assert result["down"] == min(channels, down)
    assert result["nearest"] == min(channels, down if kept - down < up - kept else up)


@given(CHANNELS, st.data())
def test_without_rounding_everything_is_kept_as_it_is(channels, data):
    kept = data.draw(st.integers(1, channels))
    assert SINGLE_CHANNELS.rounded(kept, channels) == kept
    assert ChannelStep(data.draw(SIZES), "none").rounded(kept, channels) == kept


@given(CHANNELS, st.data(), SIZES, st.sampled_from(["up", "down", "nearest"]))
def test_keeping_more_never_keeps_less(channels, data, size, rounding):
    step = ChannelStep(size, rounding)
    fewer = data.draw(st.integers(1, channels))
    more = data.draw(st.integers(fewer, channels))
    assert step.rounded(fewer, channels) <= step.rounded(more, channels)


@pytest.mark.parametrize(
    ("size", "rounding"), [(0, "up"), (-8, "up"), (1.0, "up"), (True, "up"), ("8", "up"), (8, "round"), (8, "")]
)
def test_refused(size, rounding):
    with pytest.raises(ParameterError, match="^channel step: expected .*, received .*; correct it$"):
        ChannelStep(size, rounding)
