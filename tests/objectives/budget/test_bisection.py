from hypothesis import given
from hypothesis import strategies as st

from objectives.budget.budget import bisect


@given(st.floats(-1, 1, exclude_min=True))
def test_it_finds_the_edge_from_the_fitting_side(edge):
    result = bisect(lambda value: value <= edge, fitting=-1.0, failing=1.0)
    assert result <= edge
    assert edge - result <= 2 / 2**24


def test_it_works_downwards_too():
    result = bisect(lambda value: value >= 0.3, fitting=1.0, failing=0.0, steps=12)
    assert 0.3 <= result <= 0.3 + 1 / 2**12


def test_what_never_fits_leaves_the_fitting_end():
    assert bisect(lambda value: False, fitting=0.9, failing=0.0) == 0.9


def test_steps_are_the_number_of_trials():
    tried = []
    bisect(lambda value: bool(tried.append(value)), fitting=1.0, failing=0.0, steps=3)
    assert tried == [0.5, 0.75, 0.875]


@given(st.sets(st.integers(0, 63)))
def test_what_is_returned_was_tested_where_fitting_is_not_monotone(fitting):
    fits = lambda value: int(value * 64) in fitting  # noqa: E731
    result = bisect(fits, fitting=0.0, failing=1.0)
    assert result == 0.0 or fits(result)
