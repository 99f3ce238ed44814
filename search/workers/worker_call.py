"""Calls of a worker's methods that a pool makes, and the slots of the workers that they run on."""

import time
from dataclasses import dataclass, field
from typing import Any

from compress.parameters import CompressionParameters


@dataclass(frozen=True)
class WorkerCall:
    """A call of a worker's method, waiting for a free worker or running.

    Attributes:
        key: under which the pool reports its result.
        method: name of the method of ``TrialWorker``.
        arguments: of the method, the candidate's parameters first.
        limit: seconds that it may take; None for no limit.
        lost: for every worker that was lost during this call, the reason.
    """

    key: int
    method: str
    arguments: tuple[Any, ...]
    limit: float | None
    lost: tuple[str, ...] = ()


@dataclass
class Slot:
    """A slot of the pool, which holds one worker and gets another one when that is lost or old.

    Attributes:
        actor: the Ray actor.
        served: number of candidates that this worker has begun.
        holds: the candidate that it judged last and can continue; None while it works, or where there is none.
        failed_starts: how many workers in a row have failed to start in this slot.
    """

    actor: Any
    served: int = 0
    holds: CompressionParameters | None = None
    failed_starts: int = 0


@dataclass(frozen=True)
class Running:
    """A call that runs on a worker.

    Attributes:
        call: the call.
        slot: index of the worker's slot.
        started: when it was sent to the worker, in seconds of the monotonic clock.
    """

    call: WorkerCall
    slot: int
    started: float = field(default_factory=time.monotonic)

    @property
    def seconds(self) -> float:
        """Seconds since it was started."""
        return time.monotonic() - self.started

    @property
    def is_late(self) -> bool:
        """Whether it has run longer than its limit."""
        return self.call.limit is not None and self.seconds > self.call.limit
