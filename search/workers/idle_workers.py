"""Workers that one pool of a run leaves to the next: their processes have loaded TensorFlow already."""

from dataclasses import replace

import ray

from search.workers.cluster import PoolSettings
from search.workers.worker_call import Slot


class IdleWorkers:
    """Holds the free workers of closed pools until another pool takes them; they keep their share of the cluster."""

    def __init__(self) -> None:
        self._kept: list[tuple[PoolSettings, Slot]] = []

    def keep(self, settings: PoolSettings, slot: Slot) -> None:
        """Hold a worker of a pool with these settings."""
        self._kept.append((settings, replace(slot, holds=None)))

    def take(self, settings: PoolSettings) -> Slot | None:
        """A worker for a pool with these settings, or None; workers of another share or environment are ended."""
        while self._kept:
            held, slot = self._kept.pop()
            if (held.share, held.environment) == (settings.share, settings.environment):
                return slot
            ray.kill(slot.actor)
        return None

    def close(self) -> None:
        """End all workers; without effect where their cluster has ended."""
        kept, self._kept = self._kept, []
        if ray.is_initialized():
            for _, slot in kept:
                ray.kill(slot.actor)
