"""The work of a pool: jobs, the places of the workers that do them, and what runs where."""

import time
from dataclasses import dataclass, field
from typing import Any

from compress.parameters import CompressionParameters


@dataclass(frozen=True)
class Job:
    """Work that a caller waits for: a method of a worker.

    Attributes:
        key: under which it is reported.
        method: name of the method.
        arguments: the candidate, and whatever else the method takes.
        limit: seconds that it may take, None for any number.
        lost: why each worker that had it before is gone.
    """

    key: int
    method: str
    arguments: tuple[Any, ...]
    limit: float | None
    lost: tuple[str, ...] = ()


@dataclass
class Slot:
    """A place for one worker.

    Attributes:
        actor: the worker.
        served: candidates that it began.
        holds: the candidate that it judged last, and can go on with; None while it works or where there is none.
        failed_starts: workers in this place that did not start, one after the other.
    """

    actor: Any
    served: int = 0
    holds: CompressionParameters | None = None
    failed_starts: int = 0


@dataclass(frozen=True)
class Running:
    """A job on a worker.

    Attributes:
        job: what is done.
        slot: index of the worker's place.
        started: when the worker, which was ready, got it.
    """

    job: Job
    slot: int
    started: float = field(default_factory=time.monotonic)

    @property
    def seconds(self) -> float:
        """Since it was started."""
        return time.monotonic() - self.started

    @property
    def is_late(self) -> bool:
        """Whether it ran longer than it may."""
        return self.job.limit is not None and self.seconds > self.job.limit
