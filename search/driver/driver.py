"""The driver of a search: it asks the sampler for proposals, sends them to the workers, and writes to the study."""

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
from search.study.journal import one_batch
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
    """Searches a study until all planned trials are settled, or ``early_stopping`` trials brought no improvement.

    Attributes:
        study: holds the trials.
        space: the search space.
        budget: what candidates may cost.
        settings: how proposals are made and ranked.
        levels: of a front, the budgets that trials are projected to in turn; None without a front.
        before: in the second stage of a staged search, the parameters of the first one, which are stored in every
            trial with its own; else None.
    """

    study: optuna.Study
    space: SearchSpace
    budget: Budget
    settings: DriverSettings
    levels: Levels | None = None
    before: CompressionParameters | None = None

    @property
    def remaining(self) -> int:
        """Number of planned trials that are not settled yet; 0 for a search that has ended early."""
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
        """Propose, judge and record trials to the end of the search.

        While the workers are busy, one proposal is made ahead, so that the next free worker need not wait for it; while
        workers start, one for each.

        Raises:
            KeyboardInterrupt: after the running trials were put back into the study's queue.
        """
        loop = self._search_loop(pool, listener)
        try:
            loop.run()
        except KeyboardInterrupt:
            requeue_running(self.study, loop.unstarted)
            listener.stored(self.study, at_once=True)
            raise
        # A search that has ended early leaves proposals that no worker has begun.
        requeue_running(self.study, loop.unstarted)
        listener.stored(self.study, at_once=True)

    def _search_loop(self, pool: WorkerPool, listener: Listener) -> "_SearchLoop":
        """The loop that goes on where the study stands; the listener is told what is settled already."""
        settled, ladder = records(self.study), self.settings.ladder
        listener.started(self.settings.trials, settled)
        listener.stored(self.study, at_once=True)
        judge = RungJudge(self.study, self.settings.metric, ladder, Halving(ladder, settled))
        interrupted = interrupted_count(self.study)
        repeats = Repeats(self.study, settled)
        return _SearchLoop(self, pool, listener, judge, repeats, len(settled), Improvements(settled), interrupted)

    def propose(self, started: int) -> RunningTrial | TrialRecord:
        """Ask the sampler for a trial, after ``started`` others; a trial over the budget is closed, and not run."""
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
    """A search in progress.

    Attributes:
        driver: makes the proposals.
        pool: judges them.
        listener: follows the search.
        judge: decides after each rung whether a trial goes on.
        done: number of settled trials.
        improvements: counts trials without an improvement.
        interrupted: trials that an earlier interruption took from their workers; they come first, and are judged even
            where the search has ended early.
        running: trials at a worker, by the pool's key.
        proposals: proposed trials that no worker has begun.
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
    proposals: deque[RunningTrial] = field(default_factory=deque)

    def run(self) -> None:
        """Search to the planned number of trials, or to an early end."""
        planned, patience = self.driver.settings.trials, self.driver.settings.early_stopping
        while self.running or (self.done < planned and not self._has_stopped_early):
            self._start()
            self._propose_up_to()
            # Without a running trial there is nothing to wait for but a worker.
            if self.running or not self.pool.has_room:
                self._settle(0.0 if self._propose_ahead() else 1.0)
            self.listener.stored(self.driver.study)
        if self.done < planned:
            self.listener.noted(
                f"{self.done} of {planned} trials are enough: none of the {self.improvements.since} that were proposed "
                f"after the best one is better (search.early_stopping: {patience})"
            )

    @property
    def _proposed(self) -> int:
        """Number of trials proposed so far."""
        return self.done + len(self.running) + len(self.proposals)

    @property
    def unstarted(self) -> set[int]:
        """Numbers of the proposed trials that no worker has begun."""
        return {one.trial.number for one in self.proposals}

    @property
    def _has_stopped_early(self) -> bool:
        """Whether early stopping holds back new trials; a running trial that is the best so far ends that."""
        patience = self.driver.settings.early_stopping
        return patience is not None and self.improvements.since >= patience and not self.interrupted

    def _start(self) -> None:
        """Send a trial to every free worker; one that repeats another needs none."""
        while self.pool.has_room and not self._has_stopped_early:
            self._propose_up_to()
            if not self.proposals:
                return
            trial = self.proposals.popleft()
            self.interrupted = max(0, self.interrupted - 1)
            # Not before: what it repeats may have been running when it was proposed.
            earlier = self.repeats.of(trial.trial)
            if earlier is None:
                self.running[self.pool.submit(trial.parameters)] = trial
            else:
                with one_batch(self.driver.study):
                    record = self.judge.repeat(trial.trial, earlier)
                self._count(record)

    def _propose_ahead(self) -> bool:
        """While workers start, propose one more trial until there is one for each; whether one was proposed."""
        count = len(self.proposals)
        if not self.running and count < self.pool.starting:
            self._propose_up_to(count + 1)
        return len(self.proposals) > count

    def _propose_up_to(self, count: int = 1) -> None:
        """Propose trials until ``count`` wait for a worker, or all planned ones are proposed."""
        while (
            len(self.proposals) < count and self._proposed < self.driver.settings.trials and not self._has_stopped_early
        ):
            with one_batch(self.driver.study):
                proposal = self.driver.propose(self._proposed)
            if isinstance(proposal, TrialRecord):
                self._count(proposal)
            else:
                self.proposals.append(proposal)

    def _settle(self, seconds: float) -> None:
        """Record the judgements that arrive within ``seconds``, and send trials that go on to their next rung."""
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
