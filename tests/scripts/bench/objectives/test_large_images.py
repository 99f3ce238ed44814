"""What the benchmark of large images says of a kind of trial."""

from objectives.network.precision import Precision
from scripts.bench.objectives.large_images import row
from scripts.bench.objectives.trial import Clock


def test_a_row_has_medians_of_both_ways_and_where_their_time_went():
    clock = Clock()
    clock.seconds = {
        "plain, 10": [30.0, 10.0, 20.0],
        "float32, 10": [8.0, 5.0, 2.0],
        "plain, float32: fit": [9.0],
        "ours, float32: steps": [4.0],
        "ours, mixed_bfloat16: steps": [1.0],
    }
    assert row(clock, Precision(), 10) == {
        "name": "10 steps",
        "plain_seconds": 20.0,
        "ours_seconds": 5.0,
        "ratio": 4.0,
        "precision": "float32",
        "profile": {"plain, float32: fit": 9.0, "ours, float32: steps": 4.0},
    }
