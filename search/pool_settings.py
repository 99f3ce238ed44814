"""Resources of the workers of a pool."""

from collections.abc import Mapping
from dataclasses import dataclass, field

from search.cluster import Share


@dataclass(frozen=True)
class PoolSettings:
    """Resources of the workers.

    Attributes:
        workers: number of actors at first.
        share: what is reserved for each.
        trials_per_worker: trials after which an actor is replaced: TensorFlow keeps memory for every model it has seen.
        retries: times that work is started again after its worker was lost.
        environment: variables that workers get besides the driver's.
        timeout: seconds after which a trial's rung is given up; None for never.
    """

    workers: int
    share: Share = Share()
    trials_per_worker: int = 50
    retries: int = 1
    timeout: float | None = None
    environment: Mapping[str, str] = field(default_factory=dict)
