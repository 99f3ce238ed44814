"""The most that is kept within a budget, of methods that are told a ratio."""

import pytest

from scripts.bench.compress.peers.budgets import within


@pytest.mark.parametrize("budget", [0.5, 0.35, 0.2, 0.1, 0.03])
def test_the_budget_is_just_met(budget):
    attempt = within(budget, lambda ratio: 1 - ratio, lambda kept: kept)
    # Steps of 0.02 are halved five times.
    assert budget - 0.02 / 2**5 <= attempt.fraction <= budget
    assert attempt.pruned == attempt.fraction == 1 - attempt.ratio


def test_layers_of_few_channels_leave_what_fits():
    # Ten channels, of which 0.37 may stay.
    attempt = within(0.37, lambda ratio: 10 - int(10 * ratio), lambda channels: channels / 10)
    assert attempt.pruned == 3


def test_a_ratio_that_would_remove_a_layer_and_leaves_it_whole_is_passed_by():
    def kept(ratio):
        return 1.0 if ratio > 0.85 else 1 - ratio

    assert within(0.2, kept, lambda fraction: fraction).fraction == pytest.approx(0.2, abs=1e-3)
    assert within(0.1, kept, lambda fraction: fraction) is None


def test_every_ratio_is_asked_for_once_and_the_first_that_fits_ends_the_search():
    ratios = []
    within(0.5, lambda ratio: ratios.append(ratio) or 1 - ratio, lambda kept: kept)
    assert ratios[:3] == [0.02, 0.04, 0.06] and max(ratios) == 0.5
    assert len(ratios) == len(set(ratios)) == 25 + 5
