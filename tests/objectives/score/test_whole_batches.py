"""Random batches of one size."""

from itertools import islice

import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from objectives.score.repair import batches_from
from zoo.data.batches import whole_batches


@given(st.integers(1, 60), st.integers(1, 80), st.integers(0, 5))
def test_batches_are_disjoint_of_one_size_and_as_many_as_fit(count: int, batch_size: int, seed: int) -> None:
    batches = list(whole_batches(count, batch_size, np.random.default_rng(seed)))
    size = min(batch_size, count)
    drawn = np.concatenate(batches)
    assert [len(batch) for batch in batches] == [size] * (count // size)
    assert len(set(drawn.tolist())) == len(drawn)
    assert set(drawn.tolist()) <= set(range(count))


def test_the_order_is_random_and_repeats_with_the_seed() -> None:
    first, again, other = (np.concatenate(list(whole_batches(40, 8, np.random.default_rng(s)))) for s in (0, 0, 1))
    np.testing.assert_array_equal(first, again)
    assert (first != other).any()
    assert (first != np.arange(40)).any()


@given(st.integers(1, 40), st.integers(1, 50), st.integers(0, 30))
def test_going_on_at_a_number_is_reading_on(count: int, batch_size: int, start: int) -> None:
    undisturbed = list(islice(batches_from(count, batch_size, 4, 0), start + 5))[start:]
    resumed = list(islice(batches_from(count, batch_size, 4, start), 5))
    for one, other in zip(resumed, undisturbed, strict=True):
        np.testing.assert_array_equal(one, other)
