"""Durations as a person would say them."""

import pytest

from search.pipeline.durations import left_text, makespan, time_text


@pytest.mark.parametrize(
    ("seconds", "text"),
    [(0, "0 s"), (100.4, "100 s"), (119, "119 s"), (150, "2 min"), (823, "14 min"), (7100, "118 min"), (9000, "2.5 h")],
)
def test_seconds_are_told_as_a_person_would(seconds, text):
    assert time_text(seconds) == text


def test_less_than_a_minute_is_not_worth_telling():
    assert (left_text(59.9), left_text(60.0), left_text(600.0)) == ("", "; about 60 s left", "; about 10 min left")


@pytest.mark.parametrize(
    ("seconds", "workers", "end"), [([], 2, 0), ([5, 2, 2, 2], 1, 11), ([5, 2, 2, 2], 2, 6), ([5, 2, 2, 2], 9, 5)]
)
def test_each_task_begins_as_soon_as_a_worker_is_free(seconds, workers, end):
    assert makespan(seconds, workers) == end
