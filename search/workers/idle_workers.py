"""Workers between two pools of a run: processes that have loaded TensorFlow, which the next pool need not start."""

from dataclasses import replace

import ray

from search.workers.cluster import PoolSettings
from search.workers.job import Slot


class IdleWorkers:
    """Holds the free workers of pools that are closed, until another pool takes them.

    They keep what they reserve of their nodes meanwhile.
    """

    def __init__(self) -> None:
        self._kept: list[tuple[PoolSettings, Slot]] = []

    def keep(self, settings: PoolSettings, slot: Slot) -> None:
        """Hold a worker of a pool with these settings."""
        self._kept.append((settings, replace(slot, holds=None)))

    def take(self, settings: PoolSettings) -> Slot | None:
        """A worker for a pool with these settings, or None; those of another share or environment are ended."""
        while self._kept:
            held, slot = self._kept.pop()
            if (held.share, held.environment) == (settings.share, settings.environment):
                return slot
            ray.kill(slot.actor)
        return None

    def close(self) -> None:
        """End all workers; where their cluster has ended before, they have with it."""
        kept, self._kept = self._kept, []
        if ray.is_initialized():
            for _, slot in kept:
                ray.kill(slot.actor)
