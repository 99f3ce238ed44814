"""What a worker answers, where one candidate alone is asked about."""

from collections.abc import Callable

from search.pool import WorkerPool
from search.trial_record import Judgement


def answered(pool: WorkerPool, submit: Callable[[], int]) -> Judgement:
    """What a worker says of the candidate that is submitted once there is room for it.

    Raises:
        RunError: workers die before they are ready.
        KeyboardInterrupt: a shutdown is requested.
    """
    while not pool.has_room:
        pool.wait(1.0)
    key = submit()
    found: dict[int, Judgement] = {}
    while key not in found:
        found |= pool.wait(1.0)
    return found[key]
