"""The finals of a search: its best candidates and the recommended values, each through the whole recipe."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import optuna

from compress.parameters import CompressionParameters
from compress.staged_parameters import without_parts
from objectives.budget.budget import Budget
from objectives.cost.cost import Cost
from search.driver.final_models import FinalModels
from search.driver.listeners.listener import Listener
from search.space.space import SearchSpace
from search.study.finalist import RECOMMENDED, Finalist, finalists, forget, keep_entrants, store
from search.study.identity import Origin
from search.study.judgement import Judgement
from search.study.ranking import select_finalists
from search.study.trial_record import TrialRecord, records
from search.workers.pool import WorkerPool
from zoo.tasks.metric import Metric

Entry = tuple[str, CompressionParameters | None]
"""Source and parameters of a finalist; None for recommended values, which a worker computes stage by stage."""


@dataclass(frozen=True)
class Finals:
    """Judges the best trials and the recommended values again, after the whole recipe with its fine-tuning.

    The recommended values take part so that a search never returns something that validates worse than they do.

    Attributes:
        study: holds the trials, and keeps the finalists.
        space: the search space of the trials.
        budget: that recommended values must meet.
        candidates: number of trials that take part, of a front at least one per level; 0 for no finals.
        metric: what finalists are ranked by.
        tuning: the settings of the fine-tuning as text; finalists of other settings are judged again.
        models: keeps the models of finalists; None where none are kept.
    """

    study: optuna.Study
    space: SearchSpace
    budget: Budget
    candidates: int
    metric: Metric
    tuning: str = ""
    models: FinalModels | None = None

    @property
    def pending(self) -> list[Entry]:
        """The finalists that have not been judged yet."""
        if self.candidates == 0:
            return []
        judged = {finalist.source for finalist in finalists(self.study) if finalist.tuning == self.tuning}
        return [entry for entry in self._entries(records(self.study)) if entry[0] not in judged]

    def _entries(self, trials: Sequence[TrialRecord]) -> list[Entry]:
        """Who takes part: the recommended values, and the best trials."""
        best = select_finalists(trials, self.candidates)
        return [(RECOMMENDED, None), *((record.source, record.parameters) for record in best)]

    def announce(self) -> None:
        """Keep who takes part, by which is told how far the finals are."""
        if self.candidates:
            trials = records(self.study)
            keep_entrants(self.study, [source for source, _ in self._entries(trials)], len(trials))

    def run(self, pool: WorkerPool, listener: Listener) -> None:
        """Judge all pending finalists; those that an interruption stopped are pending again afterwards."""
        self._forget_others(listener)
        self.announce()
        waiting = self.pending
        running: dict[Any, Entry] = {}
        listener.finals_started(len(waiting))
        while waiting or running:
            while waiting and pool.has_room:
                entry = waiting.pop(0)
                running[pool.submit_finalist(entry[1])] = entry
            for key, judgement in pool.wait(1.0).items():
                finalist = self._judged(running.pop(key), judgement)
                self._keep_model(finalist, judgement)
                store(self.study, finalist)
                listener.stored(self.study, at_once=True)
                listener.finalist_settled(finalist)

    def _forget_others(self, listener: Listener) -> None:
        """Forget finalists that were fine-tuned by other settings, at an earlier start of this search."""
        others = [finalist for finalist in finalists(self.study) if finalist.tuning != self.tuning]
        for finalist in others:
            forget(self.study, finalist)
            if self.models is not None:
                self.models.forget(finalist.source)
        if others:
            listener.noted(f"the section finetune has changed: finalists judged before are judged again: {len(others)}")

    def _keep_model(self, finalist: Finalist, judgement: Judgement) -> None:
        """Keep the model of a finalist that can be chosen; before the finalist, which is judged again without it."""
        if self.models is None or judgement.model is None or finalist.parameters is None or finalist.error is not None:
            return
        origin = Origin.of_study(self.study)
        self.models.keep(finalist.source, finalist.parameters, self.tuning, origin, judgement.model)

    def _judged(self, entry: Entry, reported: Judgement) -> Finalist:
        (source, given), judgement = entry, reported.checked(self.metric)
        parameters = given or judgement.parameters
        cost = None if parameters is None else self._cost(parameters)
        # Trials meet the budget that they were projected to, of a front perhaps a wider one.
        if given is None and cost is not None and judgement.error is None and self.budget.violation(cost) > 0:
            limit = self.budget.tightest(cost)
            reason = f"they need {limit.quantity.exact(cost)} {limit.quantity.unit}, the budget allows {limit.most:.0f}"
            judgement = Judgement.failed(judgement.seconds, reason)
        return Finalist.of(source, parameters, cost, judgement, self.metric, self.tuning)

    def _cost(self, parameters: CompressionParameters) -> Cost:
        # Where ranks come first, ratios may name the parts of decomposed layers, which the original does not have.
        step = self.space.settings.step
        return self.space.cost.cost(without_parts(parameters, step), step)
