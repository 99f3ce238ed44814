"""Rows of preferences scaled to a budget, by hand."""

import numpy as np

from search.space.projection import filled, filled_one, scaled_to_fit


def snapped(fractions):
    return np.floor(fractions * 10 + 1e-9) / 10


def test_the_largest_multiple_that_fits():
    """Sums of at most 1: (0.2, 0.6) becomes (0.25, 0.75), (3, 1) too in the other order, at a cap of 0.7 (0.7, 0.3)."""
    wanted = np.array([[0.2, 0.6], [3.0, 1.0]])
    scaled = scaled_to_fit(lambda rows: rows.sum(1) <= 1, wanted)
    np.testing.assert_allclose(scaled, [[0.25, 0.75], [0.75, 0.25]], rtol=1e-5)
    capped = scaled_to_fit(lambda rows: rows.sum(1) <= 1, wanted, np.array([0.7, 1.0]))
    np.testing.assert_allclose(capped, [[0.25, 0.75], [0.7, 0.3]], rtol=1e-5)


def test_nothing_is_scaled_above_one():
    np.testing.assert_allclose(scaled_to_fit(lambda rows: rows.sum(1) < 10, np.array([[0.1, 0.4]])), [[1.0, 1.0]])


def test_the_nearest_grid_point_is_filled_first():
    """Snapped sums of at most 1: 0.44 + 0.46 has 0.8 and room for two steps; with room for one the nearer gets it."""
    rows = np.array([[0.44, 0.46]])
    steps = np.array([0.1, 0.1])
    both = filled(lambda rows: snapped(rows).sum(1) <= 1.0 + 1e-9, rows, steps)
    np.testing.assert_allclose(snapped(both), [[0.5, 0.5]])
    one = filled(lambda rows: snapped(rows).sum(1) <= 0.9 + 1e-9, rows, steps)
    np.testing.assert_allclose(snapped(one), [[0.4, 0.5]])


def test_rows_are_filled_each_by_itself():
    rows = np.array([[0.44, 0.46], [0.05, 0.95], [1.0, 0.0]])
    alone = [filled(lambda rows: snapped(rows).sum(1) <= 1, row[None], np.array([0.1, 0.1])) for row in rows]
    together = filled(lambda rows: snapped(rows).sum(1) <= 1, rows, np.array([0.1, 0.1]))
    np.testing.assert_array_equal(together, np.concatenate(alone))


def test_one_proposal_is_filled_as_many_are():
    rng = np.random.default_rng(1)
    for size in rng.integers(1, 12, 200):
        steps, prices = rng.choice([0.05, 0.1, 0.25], size), rng.uniform(-0.2, 1, size)
        row = np.minimum(rng.uniform(0.05, 1.3, size), 1.0)

        def fits(rows, prices=prices, limit=row @ prices + 0.3):
            return rows @ prices <= limit

        np.testing.assert_array_equal(filled_one(fits, row, steps), filled(fits, row[None], steps)[0])
