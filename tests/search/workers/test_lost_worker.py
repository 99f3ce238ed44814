"""What is told of a worker that is gone."""

from ray.exceptions import ActorUnavailableError, OutOfMemoryError

from search.workers.cluster import reason_of


def test_one_line_without_colours():
    assert (
        reason_of(OutOfMemoryError("\x1b[36mray::Worker\x1b[39m ran\n  out"))
        == "ray::Worker ran out (OutOfMemoryError)"
    )


def test_of_a_long_story_the_beginning_and_the_end():
    told = reason_of(ActorUnavailableError("began " + "x" * 1000 + " ended", None))
    assert told.startswith("The actor ") and "began xxx" in told and " ... " in told
    assert len(told) < 350 and told.endswith("(ActorUnavailableError)")
