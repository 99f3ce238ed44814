"""The driver of a search: it alone talks to the study, asks for proposals, and hands them to the workers."""

from collections import deque
from dataclasses import dataclass, field
from functools import cached_property

import optuna

from compress.parameters import CompressionParameters
from compress.staged_parameters import completed
from objectives.budget.budget import Budget
from search.driver.driver_settings import DriverSettings
from search.driver.listeners.listener import Listener
from search.driver.rungs import Halving, RungJudge, RunningTrial
from search.samplers.registry import samplers
from search.samplers.sampler import SamplerContext, Samplers
from search.samplers.sensitivity import sensitivity_of
from search.space.levels import Levels
from search.space.projection import Projection
from search.space.space import Candidate, Floats, SearchSpace, suggested
from search.study.improvements import Improvements, ended_early
from search.study.journal import together
from search.study.repeats import Repeats
from search.study.storage import requeue_running
from search.study.trial_record import (
    TrialRecord,
    describe,
    interrupted_count,
    records,
    reject,
    settled_count,
)
from search.workers.pool import WorkerPool


@dataclass(frozen=True)
class Driver:
    """Runs a study to its end, with all trials at one budget or, for a front, each at its level's.

    That is where all planned trials are settled, or so many have been without an improvement.

    Attributes:
        study: holds the trials.
        space: what is searched.
        budget: what candidates may cost.
        settings: how proposals are made and ranked.
        levels: of a front, None without one.
        before: values of the stage that the space's model has behind it, which trials hold with their own; None where
            it is the original.
    """

    study: optuna.Study
    space: SearchSpace
    budget: Budget
    settings: DriverSettings
    levels: Levels | None = None
    before: CompressionParameters | None = None

    @property
    def remaining(self) -> int:
        """Planned trials that are not settled yet; none of a search that has ended early."""
        left = max(0, self.settings.trials - settled_count(self.study))
        return 0 if left and ended_early(self.study, self.settings.early_stopping) else left

    @cached_property
    def _samplers(self) -> Samplers:
        sensitivity = sensitivity_of(self.study)
        settings = self.settings
        context = SamplerContext(
            settings.seed, self.space, self.budget, self.levels, sensitivity, projection=settings.projection
        )
        return samplers(settings.sampler, settings.sampler_options, context)

    def run(self, pool: WorkerPool, listener: Listener) -> None:
        """Propose, judge and record to the end.

        One proposal is always made while the workers are busy, so that whoever is free next need not wait for it; while
        all of them start, one for each.

        An interruption puts the running trials back into the queue before it goes on to the caller.
        """
        loop = self._begun(pool, listener)
        try:
            loop.run()
        except KeyboardInterrupt:
            requeue_running(self.study, loop.numbers_ahead)
            listener.stored(self.study, at_once=True)
            raise
        # What was proposed and not begun, where the search has ended early.
        requeue_running(self.study, loop.numbers_ahead)
        listener.stored(self.study, at_once=True)

    def _begun(self, pool: WorkerPool, listener: Listener) -> "_SearchLoop":
        """Tell what is settled, and compare trials with it; the records themselves are not held any longer."""
        settled, ladder = records(self.study), self.settings.ladder
        listener.started(self.settings.trials, settled)
        listener.stored(self.study, at_once=True)
        judge = RungJudge(self.study, self.settings.metric, ladder, Halving(ladder, settled))
        interrupted = interrupted_count(self.study)
        repeats = Repeats(self.study, settled)
        return _SearchLoop(self, pool, listener, judge, repeats, len(settled), Improvements(settled), interrupted)

    def propose(self, started: int) -> RunningTrial | TrialRecord:
        """Ask for the trial after so many; its record where it breaks the budget, and need not run."""
        self.study.sampler = self._samplers(started)
        trial = self.study.ask()
        budget = self.budget if self.levels is None else self.levels.budgets[self.levels.of(trial)]
        candidate = self._candidate(suggested(trial, self.space.dimensions), budget)
        violation = budget.violation(candidate.cost)
        constraint = None if self.settings.projection else violation
        own = candidate.parameters
        parameters = own if self.before is None else completed(self.before, own)
        describe(trial, parameters, candidate.cost, constraint, self.settings.stage)
        return reject(self.study, trial) if violation > 0 else RunningTrial(trial, candidate.parameters)

    def _candidate(self, wanted: Floats, budget: Budget) -> Candidate:
        if self.settings.projection:
            return Projection(self.space, budget)(wanted)
        return self.space.candidate(self.space.decode(wanted))


@dataclass
class _SearchLoop:
    """A search under way: trials that run, those that are made ahead, and how many are settled.

    Those that an interruption took from their workers come first, and are judged whatever else is known.
    """

    driver: Driver
    pool: WorkerPool
    listener: Listener
    judge: RungJudge
    repeats: Repeats
    done: int
    improvements: Improvements
    interrupted: int
    running: dict[int, RunningTrial] = field(default_factory=dict)
    ahead: deque[RunningTrial] = field(default_factory=deque)

    def run(self) -> None:
        """To the planned number of trials, or until they bring nothing more."""
        planned, patience = self.driver.settings.trials, self.driver.settings.early_stopping
        while self.running or (self.done < planned and not self._is_enough):
            self._start()
            self._ask()
            # Without a running trial there is nothing to wait for but a worker.
            if self.running or not self.pool.has_room:
                self._settle(0.0 if self._prepared() else 1.0)
            self.listener.stored(self.driver.study)
        if self.done < planned:
            self.listener.noted(
                f"{self.done} of {planned} trials are enough: none of the {self.improvements.since} that were proposed "
                f"after the best one is better (search.early_stopping: {patience})"
            )

    @property
    def _begun(self) -> int:
        return self.done + len(self.running) + len(self.ahead)

    @property
    def numbers_ahead(self) -> set[int]:
        """Of trials that are proposed, and that no worker has."""
        return {one.trial.number for one in self.ahead}

    @property
    def _is_enough(self) -> bool:
        """Whether no more are begun, unless one of those that run is better than all before it."""
        patience = self.driver.settings.early_stopping
        return patience is not None and self.improvements.since >= patience and not self.interrupted

    def _start(self) -> None:
        """Give every free worker a trial, while there are any; one that repeats another needs none."""
        while self.pool.has_room and not self._is_enough:
            self._ask()
            if not self.ahead:
                return
            trial = self.ahead.popleft()
            self.interrupted = max(0, self.interrupted - 1)
            # Not before: what it repeats may have been running when it was proposed.
            earlier = self.repeats.of(trial.trial)
            if earlier is None:
                self.running[self.pool.submit(trial.parameters)] = trial
            else:
                with together(self.driver.study):
                    record = self.judge.repeat(trial.trial, earlier)
                self._count(record)

    def _prepared(self) -> bool:
        """Make one more proposal while no worker is ready, until each will have one; whether that was done."""
        count = len(self.ahead)
        if not self.running and count < self.pool.starting:
            self._ask(count + 1)
        return len(self.ahead) > count

    def _ask(self, count: int = 1) -> None:
        """Have so many proposals at hand, unless all are begun."""
        while len(self.ahead) < count and self._begun < self.driver.settings.trials and not self._is_enough:
            with one_batch(self.driver.study):
                proposal = self.driver.propose(self._begun)
            if isinstance(proposal, TrialRecord):
                self._count(proposal)
            else:
                self.ahead.append(proposal)

    def _settle(self, seconds: float) -> None:
        """Record what arrives within so many seconds, and send trials that go on to their next rung."""
        arrived = [(self.running.pop(key), judgement) for key, judgement in self.pool.wait(seconds).items()]
        with one_batch(self.driver.study):
            outcomes = [self.judge.settle(trial, judgement) for trial, judgement in arrived]
        for (trial, judgement), record in zip(arrived, outcomes, strict=True):
            if record is None:
                trial = trial.at_next_rung(judgement.seconds)
                steps = self.driver.settings.ladder.steps[trial.rung]
                self.running[self.pool.go_on(trial.parameters, steps)] = trial
            else:
                self._count(record)

    def _count(self, record: TrialRecord) -> None:
        self.done += 1
        self.improvements.add(record)
        self.repeats.add(record)
        self.listener.settled(record)
