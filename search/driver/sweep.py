"""The sweep before a search: every part of the model made smaller alone, judged by recalibration alone."""

from dataclasses import dataclass
from typing import Any

import optuna

from search.driver.driver import Driver
from search.driver.listeners.listener import Listener
from search.samplers.sensitivity import WHOLE, Part, Probe, Sensitivity, parts_of, probes, sensitivity_of, store_probe
from search.space.space import SearchSpace
from search.study.judgement import Judgement
from search.workers.pool import WorkerPool
from zoo.tasks.metric import Metric


@dataclass(frozen=True)
class Sweep:
    """Judges the model as it is, and with each part alone made smaller, without a step of training.

    Attributes:
        study: keeps the results; parts that it has are not judged again.
        space: whose parts they are.
        metric: what trials are ranked by.
    """

    study: optuna.Study
    space: SearchSpace
    metric: Metric

    @property
    def pending(self) -> list[Part]:
        """What has not been judged yet."""
        known = probes(self.study)
        return [part for part in (WHOLE, *parts_of(self.space)) if part.name not in known]

    def run(self, pool: WorkerPool, listener: Listener) -> None:
        """Judge all that is pending; a part that cannot be judged is reported with its error, and left out."""
        waiting = self.pending
        running: dict[Any, Part] = {}
        if waiting:
            listener.sweep_started(len(waiting), self.metric)
        while waiting or running:
            while waiting and pool.has_room:
                part = waiting.pop(0)
                running[pool.submit_probe(part.parameters(self.space))] = part
            for key, judgement in pool.wait(1.0).items():
                probe = self._probe(running.pop(key), judgement.checked(self.metric))
                store_probe(self.study, probe)
                listener.probed(probe)

    def _probe(self, part: Part, judged: Judgement) -> Probe:
        score = None if judged.score is None else judged.score.objective(self.metric)
        return Probe(part.name, part.dimensions, part.kept, score, judged.seconds, judged.error)


def swept(driver: Driver, pool: WorkerPool, listener: Listener) -> Sensitivity | None:
    """Sweep a search's space, or go on where an earlier sweep stopped; returns the results."""
    Sweep(driver.study, driver.space, driver.settings.metric).run(pool, listener)
    return sensitivity_of(driver.study)
