"""What became of work that had a limit of time: whether any of it ended, or all of it was given up."""

from collections import defaultdict
from dataclasses import dataclass, field, replace

from compress.errors import RunError
from search.study.judgement import Judgement
from search.workers.job import Running

_MOST = 3
"""Jobs of a kind that may be given up, one after the other, while none has ended in time; with more workers, as many
as there are workers."""


@dataclass
class TimeLimit:
    """Keeps count of the jobs that were given up, by the method of the worker: later rungs take longer than first ones.

    Attributes:
        warm_up: seconds that the last worker took to trace, compile and take a step, once it was loaded; None before.
        ended_in_time: methods that have judged a candidate in time.
        late: seconds after which the jobs of each other method were given up.
    """

    warm_up: float | None = None
    ended_in_time: set[str] = field(default_factory=set)
    late: defaultdict[str, list[float]] = field(default_factory=lambda: defaultdict(list))

    def warmed_up(self, seconds: float | None) -> None:
        """Keep what a worker took; None where it did not warm up."""
        self.warm_up = self.warm_up if seconds is None else seconds

    def ended(self, method: str, judgement: Judgement) -> None:
        """Count a job that ended in time; one that failed says nothing about how long they take."""
        if judgement.error is None:
            self.ended_in_time.add(method)

    def given_up(self, running: Running, workers: int) -> Judgement:
        """The failed judgement of a job that ran longer than it may, while there are so many workers.

        Raises:
            RunError: no job of its kind has ended in time, and that many were given up.
        """
        job, seconds = running.job, running.seconds
        if job.method not in self.ended_in_time:
            self.late[job.method].append(seconds)
            if len(self.late[job.method]) >= max(_MOST, workers):
                raise RunError(self._all_late(running))
        reason = f"it ran longer than search.trial_timeout = {job.limit:g} s"
        return replace(Judgement.failed(seconds, reason), lost=job.lost)

    def _all_late(self, running: Running) -> str:
        late = self.late[running.job.method]
        warm = "" if self.warm_up is None else f", after a warm-up of one step, which took {self.warm_up:.1f} s"
        return (
            f"search.trial_timeout: expected trials that end within {running.job.limit:g} s, received {len(late)} in a "
            f"row that did not and none that did: they were given up after {min(late):.1f} to {max(late):.1f} s"
            f"{warm}; raise search.trial_timeout, or lower proxy.steps or proxy.recalibration_images, and run the same "
            "command again"
        )
