"""Expected improvement against its integral, and the proposal against the whole grid."""

import itertools

import numpy as np
import pytest
from scipy.integrate import quad
from scipy.stats import norm

from search.samplers.acquisition import log_expected_improvement, one_after_another, propose
from search.samplers.surrogate import PriorLosses, Surrogate
from search.space.projection import filled, scaled_to_fit


@pytest.mark.parametrize(("mean", "deviation", "target"), [(0, 1, 0), (1, 0.5, 0), (0, 2, 3), (-1, 1, 3), (0, 1, -4)])
def test_expected_improvement_is_the_integral(mean, deviation, target):
    integral, _ = quad(lambda y: (y - target) * norm.pdf(y, mean, deviation), target, target + 60)
    result = log_expected_improvement(np.array([mean]), np.array([deviation]), target)
    np.testing.assert_allclose(np.exp(result), integral, rtol=1e-5)


def test_far_below_the_target_it_is_still_a_number_and_grows_with_the_mean():
    means = np.array([-100.0, -40.0, -20.0, -10.0, -1.01, -0.99, 0.0, 5.0])
    result = log_expected_improvement(means, np.ones(8), 0.0)
    assert np.isfinite(result).all() and np.all(np.diff(result) > 0)
    # Mills' ratio: log of phi(z) / z^2 for z far below.
    assert result[0] == pytest.approx(norm.logpdf(100) - 2 * np.log(100), abs=1e-3)


def snapped(rows):
    return np.clip(np.floor(rows / 0.25 + 1e-9), 1, 4) * 0.25


def fits(rows):
    return snapped(rows).sum(axis=1) <= 2


def project(rows, fill):
    scaled = scaled_to_fit(fits, rows)
    return snapped(filled(fits, scaled, np.full(rows.shape[1], 0.25)) if fill else scaled)


def test_the_proposal_is_the_best_of_the_whole_grid():
    """Four dimensions on a grid of four points, sums of at most 2: all candidates can be looked at."""
    rng = np.random.default_rng(3)
    weights = np.array([1.0, 4.0, 0.5, 2.0])
    seen = project(rng.uniform(0.1, 1, (8, 4)), True)
    surrogate = Surrogate(seen, 50 - 10 * (1 - seen) ** 2 @ weights, PriorLosses.squares(np.ones((1, 4))))
    target = float(surrogate.mean(seen).max())
    wanted = propose(surrogate, project, seen, target, 0.1, np.random.default_rng(0))
    assert wanted.shape == (1, 4) and 0.1 <= wanted.min() and wanted.max() <= 1
    grid = np.array([row for row in itertools.product((0.25, 0.5, 0.75, 1.0), repeat=4)])
    full = grid[(grid.sum(axis=1) == 2) & ~(grid[:, None] == seen[None]).all(axis=2).any(axis=1)]
    worth = log_expected_improvement(*surrogate.predict(full), target)
    kept = project(wanted, True)
    np.testing.assert_array_equal(kept[0], full[np.argmax(worth)])


def test_what_was_seen_is_not_proposed_again():
    rng = np.random.default_rng(0)
    seen = project(rng.uniform(0.1, 1, (6, 3)), True)
    surrogate = Surrogate(seen, seen @ np.array([1.0, 2.0, 3.0]), PriorLosses.squares(np.ones((1, 3))))
    kept = project(propose(surrogate, project, seen, 5.0, 0.1, rng), True)
    assert not (np.abs(seen - kept) < 1e-9).all(axis=1).any()


def test_several_are_chosen_as_if_those_before_had_scored_what_is_expected():
    """By the model itself, conditioned anew after each choice."""
    rng = np.random.default_rng(1)
    seen, kept = (project(rng.uniform(0.1, 1, (count, 4)), True) for count in (9, 30))
    kept = np.unique(kept, axis=0)
    kept = np.concatenate([kept, kept - 0.01])  # Each has one that is almost the same, which then tells little.
    surrogate = Surrogate(seen, rng.normal(size=9), PriorLosses.squares(np.ones((1, 4))))
    target = float(surrogate.mean(seen).max())
    expected, model = [], surrogate
    for _ in range(5):
        worth = log_expected_improvement(*model.predict(kept), target)
        worth[expected] = -np.inf
        expected.append(int(np.argmax(worth)))
        model = model.fantasize(kept[expected[-1:]])
    assert one_after_another(surrogate, kept, target, 5).tolist() == expected
    assert expected != np.argsort(-log_expected_improvement(*surrogate.predict(kept), target))[:5].tolist()


def test_several_proposals_are_different_and_new():
    rng = np.random.default_rng(2)
    seen = project(rng.uniform(0.1, 1, (6, 5)), True)
    surrogate = Surrogate(seen, seen @ np.arange(5.0), PriorLosses.squares(np.ones((1, 5))))
    wanted = propose(surrogate, project, seen, 5.0, 0.1, rng, 7)
    kept = project(wanted, True)
    assert wanted.shape == (7, 5) and len(np.unique(kept, axis=0)) == 7
    assert not (np.abs(seen[:, None] - kept) < 1e-9).all(axis=2).any()
