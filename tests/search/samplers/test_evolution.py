"""The evolutionary search: what it finds on a grid that can be looked at whole."""

import itertools

import numpy as np

from search.samplers.evolution import evolved
from search.space.projection import filled, scaled_to_fit

STEP = 0.25


def snapped(rows):
    return np.clip(np.floor(rows / STEP + 1e-9), 1, 4) * STEP


def fits(rows):
    return snapped(rows).sum(axis=1) <= 2.5


def project(rows, fill):
    scaled = scaled_to_fit(fits, rows)
    return snapped(filled(fits, scaled, np.full(rows.shape[1], STEP)) if fill else scaled)


def test_the_best_of_the_whole_grid_comes_first():
    """Five dimensions on a grid of four points, sums of 2.5: all candidates can be looked at."""
    losses = np.array([1.0, 4.0, 0.5, 2.0, 3.0])

    def worth(kept):
        return -((1 - kept) ** 2) @ losses

    grid = np.array([row for row in itertools.product((0.25, 0.5, 0.75, 1.0), repeat=5)])
    full = grid[grid.sum(axis=1) == 2.5]
    result = evolved(worth, project, np.ones((1, 5)), 0.1, np.random.default_rng(0))
    np.testing.assert_array_equal(result.kept[0], full[np.argmax(worth(full))])
    assert len(np.unique(result.kept, axis=0)) == len(result.kept) and np.all(np.diff(result.worth) <= 0)
    np.testing.assert_array_equal(project(result.wanted, True), result.kept)
    np.testing.assert_allclose(worth(result.kept), result.worth)
