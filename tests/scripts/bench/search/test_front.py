"""The benchmark of fronts: its levels by hand, and figures of every method that repeat."""

import numpy as np
import pytest

from scripts.bench.search.front import FRONTS, levels, measured, search
from scripts.bench.synthetic_problem import SyntheticProblem


def test_levels_are_equal_factors_apart():
    problem = SyntheticProblem.drawn(0)
    result = [level.budget / problem.budget for level in levels(problem, 3)]
    assert result == pytest.approx([1, 2.5**0.5, 2.5])


def test_a_search_returns_what_its_best_observed_trials_are_worth():
    problem = SyntheticProblem.drawn(1, noise=0.0)
    told = []
    result = search(
        levels(problem, 2), 6, 1, lambda observed, at, kept: told.append((at.budget, observed)) or [observed]
    )
    # The first call only asks how many values there are.
    for end, accuracy in zip(levels(problem, 2), result, strict=True):
        assert accuracy == max(observed for budget, observed in told[1:] if budget == end.budget)
    assert len(told) == 7


def test_every_method_is_measured():
    entries = measured(8, 2)
    assert [entry["method"] for entry in entries] == ["separate searches", *FRONTS]
    assert all(np.isfinite(entry["widest_mean"]) and entry["tightest_mean"] < entry["widest_mean"] for entry in entries)
