"""The time limit of calls: which are given up, and when giving up again and again ends the search."""

from collections import defaultdict
from dataclasses import dataclass, field, replace

from compress.errors import RunError
from search.study.judgement import Judgement
from search.workers.worker_call import Running

_MOST = 3
"""Late calls of one method, none of which ended in time, that end the search; with more workers, one for each."""


@dataclass
class TimeLimit:
    """Counts the calls that were given up, by method, because later rungs take longer than the first one.

    Attributes:
        warm_up: seconds that the last worker took to trace, compile and take a step; None before the first did.
        ended_in_time: methods that have judged a candidate within the limit.
        late: seconds after which calls were given up, by the methods that have not.
    """

    warm_up: float | None = None
    ended_in_time: set[str] = field(default_factory=set)
    late: defaultdict[str, list[float]] = field(default_factory=lambda: defaultdict(list))

    def warmed_up(self, seconds: float | None) -> None:
        """Note how long a worker took to warm up; None for one that did not warm up."""
        self.warm_up = self.warm_up if seconds is None else seconds

    def ended(self, method: str, judgement: Judgement) -> None:
        """Note a call that ended in time; one that failed tells nothing of how long the method takes."""
        if judgement.error is None:
            self.ended_in_time.add(method)

    def given_up(self, running: Running, workers: int) -> Judgement:
        """The failed judgement of a call that ran longer than its limit.

        Args:
            running: the call.
            workers: how many workers the pool has.

        Raises:
            RunError: as many calls of this method were given up as there are workers, at least three, and none ended
                in time.
        """
        call, seconds = running.call, running.seconds
        if call.method not in self.ended_in_time:
            self.late[call.method].append(seconds)
            if len(self.late[call.method]) >= max(_MOST, workers):
                raise RunError(self._all_late(running))
        reason = f"it ran longer than search.trial_timeout = {call.limit:g} s"
        return replace(Judgement.failed(seconds, reason), lost=call.lost)

    def _all_late(self, running: Running) -> str:
        limit, late = running.call.limit, self.late[running.call.method]
        warm = "" if self.warm_up is None else f", after a warm-up of one step, which took {self.warm_up:.1f} s"
        return (
            f"search.trial_timeout: expected trials that end within {limit:g} s, received {len(late)} in a "
            f"row that did not and none that did: they were given up after {min(late):.1f} to {max(late):.1f} s"
            f"{warm}; raise search.trial_timeout, or lower proxy.steps or proxy.recalibration_images, and run the same "
            "command again"
        )
