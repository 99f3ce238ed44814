"""What is timed in turn runs round after round."""

from scripts.bench.timing import timed_in_turn


def test_every_round_times_all():
    called = []
    result = timed_in_turn([lambda name=name: called.append(name) for name in "ab"], rounds=2)
    assert called == 2 * (11 * ["a"] + 11 * ["b"])
    assert len(result) == 2 and all(latency.median >= 0 for latency in result)
