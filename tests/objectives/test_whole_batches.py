"""Random batches of one size."""

import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from objectives.whole_batches import whole_batches


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
