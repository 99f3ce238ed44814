"""The staged search, as NPTK does it: search one stage, fine-tune its winner, search the other stage on that model."""

from dataclasses import dataclass, replace
from functools import cached_property, partial
from typing import Any

import optuna

from compress.disk.whole_file import write_whole
from compress.errors import RunError
from compress.model_files.files import load_model
from compress.parameters import Stage
from search import settings
from search.driver.driver import Driver
from search.driver.start_queue import distinct, enqueue_starts
from search.driver.sweep import swept
from search.runs.run_folder import RunFolder
from search.samplers.probes import probes
from search.space.space import SearchSpace
from search.strategies.job import Job
from search.strategies.stage_plan import StagePlan
from search.study.identity import first_study, model_digest, tie_to_model
from search.study.improvements import ended_early
from search.study.storage import opened_study
from search.study.trial_record import TrialRecord, records, settled_count
from search.workers.cluster import cluster
from search.workers.pool import WorkerPool
from search.workers.pool_factory import PoolFactory, submit_and_wait
from search.workers.worker import Middle, Task, model_bytes

_WINNER = "winner"
"""Attribute of the first stage's study: number of its winner, the trial that the second stage continues."""

_MIDDLE = "middle"
"""In the first stage's study: digest of the model that its winner became, and that the second stage searches."""

_TUNING = "tuning of the middle"
"""In the first stage's study: how that model was fine-tuned, as text to compare."""


@dataclass(frozen=True)
class Staged:
    """A search in two stages, each with a study of its own; both go on where they stand.

    Trials of the second stage have the parameters of both stages, and so look like those of a joint search.

    Attributes:
        job: the prepared search.
        study: of the second stage and the finals; the run's main study.
        first: study of the first stage.
        folder: of the run, held by this process.
        open_pool: opens a pool of workers.
    """

    job: Job
    study: optuna.Study
    first: optuna.Study
    folder: RunFolder
    open_pool: PoolFactory

    @classmethod
    def of(
        cls, job: Job, folder: RunFolder, study: optuna.Study, first: optuna.Study, open_pool: PoolFactory
    ) -> "Staged":
        """The staged search of a run whose folder is held and whose studies are open.

        Raises:
            RunError: the first stage's study was made for another model.
        """
        tie_to_model(first, job.model)
        return cls(job, study, first, folder, open_pool)

    @cached_property
    def plan(self) -> StagePlan:
        """The spaces and the budgets of both stages."""
        return StagePlan(self.job.space, self.job.budget, self.job.config.search.staged.budget)

    @property
    def pending(self) -> bool:
        """Whether there is anything left to do."""
        return _WINNER not in self.first.user_attrs or self._left > 0 or bool(self.job.finals(self.study).pending)

    def run(self) -> None:
        """Search both stages to the planned number of trials, then hold the finals.

        Raises:
            BudgetError: no trial of the first stage can be used.
            RunError: its winner cannot be fine-tuned.
            KeyboardInterrupt: the run is left resumable.
        """
        for study in (self.first, self.study):
            self.job.listener.stored(study, at_once=True)
        if _WINNER not in self.first.user_attrs:
            self._search_first()
        if self._left > 0:
            self._search_second(self._winner())
        finals = self.job.finals(self.study)
        if finals.pending:
            with self.open_pool(self.job.model, self._final_task(), len(finals.pending)) as pool:
                finals.run(pool, self.job.listener)

    @property
    def _left(self) -> int:
        """Number of trials left to the second stage, which gets all that the first left; 0 after an early end."""
        section = self.job.config.search
        left = section.trials - settled_count(self.first) - settled_count(self.study)
        return 0 if left > 0 and ended_early(self.study, section.early_stopping) else left

    def _search_first(self) -> None:
        job, plan = self.job, self.plan
        total = job.config.search.trials
        trials = min(total - 1, max(1, round(total * job.config.search.staged.trials)))
        job.listener.noted(f"stage 1 of 2: {plan.stages[0]}")
        driver = self._driver(self.first, plan.first_space, plan.stages[0], trials)
        self._drive(replace(driver, budget=plan.target), job.model)
        winner = plan.winner(job.model, records(self.first), job.pruning)
        self.first.set_user_attr(_WINNER, winner.number)
        self.job.listener.stored(self.first, at_once=True)

    def _winner(self) -> TrialRecord:
        number = self.first.user_attrs[_WINNER]
        return next(record for record in records(self.first) if record.number == number)

    def _search_second(self, winner: TrialRecord) -> None:
        model, stage = self._fine_tuned(winner), self.plan.stages[1]
        self.job.listener.noted(f"stage 2 of 2: {stage}, on {winner.source}")
        trials = self.job.config.search.trials - settled_count(self.first)
        driver = self._driver(self.study, self.plan.second_space(model), stage, trials)
        self._drive(replace(driver, before=winner.parameters), model)

    def _driver(self, study: optuna.Study, space: SearchSpace, stage: Stage, trials: int) -> Driver:
        configured = settings.driver(self.job.config, self.job.metric)
        return Driver(study, space, self.job.budget, replace(configured, trials=trials, stage=stage))

    def _drive(self, driver: Driver, model: Any) -> None:
        """Search one stage of a model, beginning with its starts."""
        remaining = driver.remaining
        if not remaining:
            return
        with self.open_pool(model, self._task(model, driver.space), remaining) as pool:
            self._queue_starts(driver, model, pool)
            driver.run(pool, self.job.listener)

    def _queue_starts(self, driver: Driver, model: Any, pool: WorkerPool) -> None:
        sensitivity = swept(driver, pool, self.job.listener) if self.job.config.search.sweeps else None
        if driver.settings.projection:
            # Another run's trials are of the original model.
            space, budget = driver.space, driver.budget
            others = self.job.earlier.starts(space, budget) if model is self.job.model else {}
            starts = {**others, **self.job.starts(model, space, budget, sensitivity)}
            enqueue_starts(driver.study, distinct(starts, space, budget, self.job.listener.noted))

    def _task(self, model: Any, space: SearchSpace) -> Task:
        """The workers' task for candidates of this model, with the original model as the teacher."""
        task = replace(self.job.task, recipe=space.recipe, final=None)
        return task if model is self.job.model else replace(task, model=model_bytes(model), teacher=task.model)

    def _final_task(self) -> Task:
        """The workers' task for finalists; those of the second stage go on from the model that was searched in it."""
        task = self.job.task
        if task.final is None or not self._is_made or self.first.user_attrs.get(_TUNING) != self.job.tuning:
            return task
        middle = Middle(self._winner().parameters, self.folder.middle_model.read_bytes())
        return replace(task, final=replace(task.final, middle=middle))

    def _fine_tuned(self, winner: TrialRecord) -> Any:
        """The model of the first stage's winner, which a worker compresses and fine-tunes once, as a finalist."""
        if not self._is_made or self._is_outdated():
            self._make_middle(winner)
        return load_model(self.folder.middle_model)

    def _make_middle(self, winner: TrialRecord) -> None:
        job, path = self.job, self.folder.middle_model
        epochs = settings.final(job.config).training.epochs
        job.listener.noted(f"fine-tuning {winner.source} for {epochs} epoch{'s' if epochs > 1 else ''}")
        with self.open_pool(job.model, replace(job.task, recipe=self.plan.stages[:1]), 1) as pool:
            made = submit_and_wait(pool, partial(pool.submit_finalist, winner.parameters))
        if made.model is None:
            raise RunError(f"{winner.source} cannot be fine-tuned for the second stage: {made.error}")
        write_whole(path, made.model)
        self._keep_digest(model_digest(load_model(path)))
        self.first.set_user_attr(_TUNING, job.tuning)

    def _is_outdated(self) -> bool:
        """Whether the model in the folder was fine-tuned by other settings, and nothing was judged on it; says so."""
        path = self.folder.middle_model
        if self.first.user_attrs.get(_TUNING, self.job.tuning) == self.job.tuning:
            return False
        if settled_count(self.study) or probes(self.study):
            self.job.listener.warned(
                f"the section finetune has changed: '{path}' stays as it is, because trials or a sweep were judged on "
                "it; only finalists and final models follow. For the whole search, give this run another name:"
            )
            return False
        self.job.listener.noted(f"the section finetune has changed: '{path}' is made anew")
        return True

    @property
    def _is_made(self) -> bool:
        """Whether the model in the folder is the one of this study, and not of one that was there before."""
        path, known = self.folder.middle_model, self.first.user_attrs.get(_MIDDLE)
        return path.exists() and bool(known == model_digest(load_model(path)))

    def _keep_digest(self, digest: str) -> None:
        known, judged = self.first.user_attrs.get(_MIDDLE), settled_count(self.study)
        if judged and known not in (None, digest):
            self.job.listener.warned(
                f"'{self.folder.middle_model}' was missing or another model, and what was made anew is not the same: "
                f"the {judged} trials of the second stage until now were judged on the one before"
            )
        self.first.set_user_attr(_MIDDLE, digest)


def run_staged(job: Job, folder: RunFolder, study: optuna.Study, open_pool: PoolFactory) -> None:
    """Search both stages and hold the finals, on one cluster; goes on where the run stands.

    Raises:
        TuckpruneError: the study cannot be read, no cluster, or no trial of the first stage that can be used.
        KeyboardInterrupt: the run is left resumable.
    """
    section = job.config.search
    with opened_study(folder.path, first_study(job.config), section.storage) as first:
        search = Staged.of(job, folder, study, first, open_pool)
        if search.pending:
            with cluster(section.address, section.workers, section.cpus_per_worker, section.niceness):
                search.run()
        job.finals(study).announce()
