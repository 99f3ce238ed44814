"""The sweep before a search: parts of the model made smaller alone, judged by recalibration alone."""

from collections.abc import Mapping
from dataclasses import dataclass
from functools import cached_property
from typing import Any

import optuna

from objectives.budget.budget import Budget
from search.driver.driver import Driver
from search.driver.listeners.listener import Listener
from search.samplers.probes import WHOLE, Part, Probe, ProbeKey, parts_of, probes, store_probe
from search.samplers.sensitivity import Sensitivity, sensitivity_of
from search.samplers.starts import least_loss
from search.space.space import SearchSpace
from search.study.judgement import Judgement
from search.workers.pool import WorkerPool
from zoo.tasks.metric import Metric

_PLANNED = "parts judged once more"

_TRIES = 3
"""How often the unchanged model is judged at most, once at every start: without it the other probes tell nothing."""


@dataclass(frozen=True)
class Sweep:
    """Scores the original model, and the model with each part alone made smaller, without a step of training.

    A part that would have to be made still smaller to meet the budget with the least loss is judged once more, as small
    as the space allows: how steeply its loss grows is known only then.

    Attributes:
        study: keeps the results; what it has is not judged again.
        space: whose parts they are.
        budget: what trials may cost.
        metric: what trials are ranked by.
    """

    study: optuna.Study
    space: SearchSpace
    budget: Budget
    metric: Metric

    @property
    def pending(self) -> list[Part]:
        """What is to be judged next: every part, then those that the results so far would have still smaller."""
        made = probes(self.study)
        again = [self._smallest[name] for name in self._planned]
        left = [part for part in (WHOLE, *self._parts, *again) if part.probe not in made]
        return left or [self._smallest[name] for name in self._exceeded(made)]

    def run(self, pool: WorkerPool, listener: Listener) -> None:
        """Judge all that is pending; a part that cannot be judged is reported with its error, and left out.

        The unchanged model is judged again where it could not be judged at an earlier start.
        """
        failed = self._failed
        once_more = [WHOLE] if failed is not None and failed.tries < _TRIES else []
        while waiting := [*once_more, *self.pending]:
            once_more = []
            self._plan(waiting)
            listener.sweep_started(len(waiting), self.metric)
            self._judge(waiting, pool, listener)
        failed = self._failed
        if failed is not None:
            again = "the next start judges it again" if failed.tries < _TRIES else f"it was tried {_TRIES} times"
            listener.warned(
                f"the sweep tells nothing, as the unchanged model could not be judged: {failed.error}; {again}"
            )

    @property
    def _failed(self) -> Probe | None:
        """The last probe of the unchanged model, where it has no score."""
        made = probes(self.study).get(WHOLE.probe)
        return made if made is not None and made.score is None else None

    @cached_property
    def _parts(self) -> list[Part]:
        return parts_of(self.space)

    @cached_property
    def _smallest(self) -> Mapping[str, Part]:
        """Parts made as small as the space allows, by name, where that is smaller than they are judged at first."""
        smallest = {part.name: part.smallest(self.space) for part in self._parts}
        return {name: part for name, part in smallest.items() if part is not None}

    @property
    def _planned(self) -> list[str]:
        """Parts that are to be judged once more, by name.

        They are kept with the study, because an interrupted sweep has to go on with the same ones.
        """
        planned: list[str] = self.study.user_attrs.get(_PLANNED, [])
        return planned

    def _plan(self, waiting: list[Part]) -> None:
        added = [part.name for part in waiting if part in self._smallest.values() and part.name not in self._planned]
        self.study.set_user_attr(_PLANNED, [*self._planned, *added])

    def _exceeded(self, made: Mapping[ProbeKey, Probe]) -> list[str]:
        """Names of the parts of which less would be kept for the least loss than was judged."""
        sensitivity = sensitivity_of(self.study)
        if sensitivity is None:
            return []
        wanted = least_loss(sensitivity, self.space, self.budget)
        again = [part for part in self._parts if part.name in self._smallest and part.name not in self._planned]
        judged = [part for part in again if made[part.probe].score is not None]
        return [part.name for part in judged if min(wanted[name] for name in part.dimensions) < part.kept]

    def _judge(self, waiting: list[Part], pool: WorkerPool, listener: Listener) -> None:
        running: dict[Any, Part] = {}
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
        before = probes(self.study).get(part.probe)
        tries = 1 if before is None else before.tries + 1
        return Probe(part.name, part.dimensions, part.kept, score, judged.seconds, judged.error, tries)


def swept(driver: Driver, pool: WorkerPool, listener: Listener) -> Sensitivity | None:
    """Sweep a search's space, or go on where an earlier sweep stopped; returns the results."""
    Sweep(driver.study, driver.space, driver.budget, driver.settings.metric).run(pool, listener)
    return sensitivity_of(driver.study)
