from fractions import Fraction

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from compress.errors import ModelError, ParameterError
from compress.parameters import kept_channels
from compress.recommend.slamp import slamp_ratios, slamp_scores

energies = st.lists(st.integers(0, 50), min_size=1, max_size=12)
groups = st.dictionaries(st.text("abc", min_size=1, max_size=3), energies, min_size=1, max_size=5)


def test_scores_by_hand():
    # Ascending 1, 2, 3, 4: 1/10, 2/9, 3/7, 4/4.
    np.testing.assert_allclose(slamp_scores(np.array([3.0, 1.0, 4.0, 2.0])), [3 / 7, 1 / 10, 1, 2 / 9], rtol=1e-15)


def test_scores_of_equal_energies():
    np.testing.assert_allclose(slamp_scores(np.full(4, 0.3)), [1 / 4, 1 / 3, 1 / 2, 1], rtol=1e-15)


@pytest.mark.parametrize(("energy", "scores"), [([0, 0, 0], [0, 0, 1]), ([0, 5, 0], [0, 1, 0]), ([7], [1]), ([0], [1])])
def test_scores_without_energy(energy, scores):
    assert slamp_scores(np.array(energy)).tolist() == scores


def test_scores_neither_overflow_nor_underflow():
    np.testing.assert_allclose(slamp_scores(np.array([1e308, 1e308])), [0.5, 1])
    np.testing.assert_allclose(slamp_scores(np.array([5e-324, 5e-324])), [0.5, 1])


@given(energies)
def test_scores_against_exact_fractions(energy):
    ascending = sorted(energy)
    tails = [sum(ascending[start:]) for start in range(len(ascending))]
    exact = [float(Fraction(value, tail)) if tail else 0.0 for value, tail in zip(ascending, tails, strict=True)]
    exact[-1] = 1.0
    scores = slamp_scores(np.array(energy))
    np.testing.assert_allclose(scores[np.argsort(energy, kind="stable")], exact, rtol=1e-12)


def test_ratios_by_hand():
    # Scores: wide 1/10, 2/9, 3/7, 1 and thin 1/5, 1. Keeping 3 of 6 channels keeps 1, 1 and 3/7.
    measured = {"wide": np.array([1.0, 2.0, 3.0, 4.0]), "thin": np.array([4.0, 1.0])}
    assert slamp_ratios(measured, 0.5) == {"wide": 0.5, "thin": 0.5}
    assert slamp_ratios(measured, 1 / 3) == {"wide": 0.25, "thin": 0.5}
    assert slamp_ratios(measured, 0.0) == {"wide": 0.0, "thin": 0.0}
    assert slamp_ratios(measured, 0.99) == {"wide": 0.75, "thin": 0.5}


def test_ratios_do_not_depend_on_a_groups_scale():
    generator = np.random.default_rng(0)
    measured = {"a": generator.random(16), "b": generator.random(32)}
    scaled = {"a": measured["a"] * 1e6, "b": measured["b"] * 1e-6}
    assert slamp_ratios(measured, 0.6) == slamp_ratios(scaled, 0.6)


@given(groups, st.floats(0, 1, exclude_max=True))
def test_ratios_keep_the_requested_number_of_channels(measured, ratio):
    arrays = {name: np.array(energy) for name, energy in measured.items()}
    ratios = slamp_ratios(arrays, ratio)
    kept = {name: kept_channels(len(energy), ratios[name]) for name, energy in measured.items()}
    total = sum(map(len, measured.values()))
    assert list(ratios) == list(measured)
    assert sum(kept.values()) == max(len(measured), kept_channels(total, ratio))
    for name, energy in measured.items():
        assert kept[name] / len(energy) == pytest.approx(1 - ratios[name], abs=1e-15)


@given(groups, st.floats(0, 1, exclude_max=True))
def test_ratios_keep_the_highest_scores(measured, ratio):
    arrays = {name: np.array(energy) for name, energy in measured.items()}
    ratios = slamp_ratios(arrays, ratio)
    kept, removed = [], []
    for name, energy in arrays.items():
        ascending = np.sort(slamp_scores(energy))
        cut = len(energy) - kept_channels(len(energy), ratios[name])
        removed.extend(ascending[:cut])
        kept.extend(ascending[cut:])
    assert max(removed, default=0.0) <= min(kept)


@given(groups, st.floats(0, 1, exclude_max=True))
def test_ratios_do_not_depend_on_the_order_of_groups(measured, ratio):
    arrays = {name: np.array(energy) for name, energy in measured.items()}
    assert slamp_ratios(dict(reversed(arrays.items())), ratio) == slamp_ratios(arrays, ratio)


def test_equal_scores_go_by_group_name():
    # Both groups score 1/2 and 1; keeping 3 of 4 channels takes the tied one from 'a'.
    assert slamp_ratios({"b": np.ones(2), "a": np.ones(2)}, 0.25) == {"b": 0.5, "a": 0.0}


def test_no_groups():
    assert slamp_ratios({}, 0.5) == {}


@pytest.mark.parametrize("energy", [np.array([]), np.array([-1.0]), np.array([np.nan] * 99), np.ones((2, 2))])
def test_rejects_energy(energy):
    with pytest.raises(ModelError) as caught:
        slamp_scores(energy)
    assert f"received shape {energy.shape}" in str(caught.value) and "\n" not in str(caught.value)


@pytest.mark.parametrize("ratio", [1.0, -0.1, float("nan")])
def test_rejects_ratio(ratio):
    with pytest.raises(ParameterError, match=r"expected a pruning ratio in \[0, 1\), received"):
        slamp_ratios({"a": np.ones(4)}, ratio)
