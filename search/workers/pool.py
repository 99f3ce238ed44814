"""A pool of Ray actors: it gives work to free ones, replaces the dead and the old, and grows with the cluster."""

import math
import time
from collections import deque
from collections.abc import Callable
from dataclasses import replace
from itertools import count
from typing import Any

import ray
from ray.exceptions import RayError

from compress.errors import RunError
from compress.parameters import CompressionParameters
from search.study.judgement import Judgement
from search.workers.cluster import PoolSettings, reason_of, reason_to_wait
from search.workers.idle_workers import IdleWorkers
from search.workers.job import Job, Running, Slot
from search.workers.shutdown import Shutdown
from search.workers.time_limit import TimeLimit
from search.workers.worker import Task, TrialWorker

_ROOM_SECONDS = 5.0
"""Between two checks of how many workers the cluster has room for."""

_PATIENCE_SECONDS = 60.0
"""Without a ready worker before a warning."""

_GOES_ON = ("judge", "go_on")
"""Methods after which a worker holds the candidate."""

_START_ATTEMPTS = 3
"""Times that a worker may fail to start, one after the other, before the reason is taken to be the run's own."""


class WorkerPool:
    """Runs candidates on Ray actors that each hold the task once, shared through the object store.

    Args:
        task: what workers need.
        settings: their resources.
        warn: takes a line about every worker that is lost, and about those that join.
        shutdown: once it is requested, nothing new is started.
        room: how many workers the cluster holds by now, asked every few seconds; None where their number is fixed.
        idle: workers of earlier pools, which this one takes before it starts any, and leaves its own free ones to; None
            where each pool has workers of its own.
    """

    def __init__(
        self,
        task: Task,
        settings: PoolSettings,
        warn: Callable[[str], None],
        shutdown: Shutdown,
        room: Callable[[], int] | None = None,
        idle: IdleWorkers | None = None,
    ) -> None:
        self._settings, self._warn, self._shutdown, self._room = settings, warn, shutdown, room
        self._task, self._idle = ray.put(task), idle
        self._keys = count(1)
        self._slots: list[Slot] = []
        self._starting: dict[Any, int] = {}
        self._free: list[int] = []
        self._waiting: deque[Job] = deque()
        self._running: dict[Any, Running] = {}
        self._time_limit = TimeLimit()
        self._looked = self._busy = time.monotonic()
        self._grow(settings.workers)

    @property
    def has_room(self) -> bool:
        """Whether a worker is ready and free, and may begin something."""
        return bool(self._free) and not self._shutdown.requested

    @property
    def starting(self) -> int:
        """How many workers are not ready yet."""
        return len(self._starting)

    def submit(self, parameters: CompressionParameters) -> int:
        """Start a candidate on a free worker; returns the key under which ``wait`` reports it."""
        return self._start(self._job("judge", (parameters,), self._settings.timeout))

    def submit_probe(self, parameters: CompressionParameters) -> int:
        """Start a candidate of the sensitivity sweep, judged without training, on a free worker; returns its key."""
        return self._start(self._job("probe", (parameters,), self._settings.timeout))

    def submit_finalist(self, parameters: CompressionParameters | None) -> int:
        """Start a finalist, None for recommended values, on a free worker without a time limit; returns its key."""
        return self._start(self._job("fine_tune", (parameters,), None))

    def submit_making(self, parameters: CompressionParameters) -> int:
        """Start a finalist whose model comes with its judgement, without a time limit; returns its key."""
        return self._start(self._job("make", (parameters,), None))

    def _job(self, method: str, arguments: tuple[Any, ...], limit: float | None) -> Job:
        return Job(next(self._keys), method, arguments, limit)

    def _start(self, job: Job) -> int:
        """Give it to a free worker that is not old, or to whoever is ready next."""
        while self._free:
            index = self._free.pop(0)
            if self._slots[index].served < self._settings.trials_per_worker:
                self._slots[index].served += 1
                return self._call(index, job)
            self._replace(index)
        self._waiting.append(job)
        return job.key

    def go_on(self, parameters: CompressionParameters, steps: int) -> int:
        """Let a candidate that was judged before take so many steps in all.

        A free worker that still holds it goes on with it; any other takes all of the steps, for the same figures. With
        no worker free, the next one that is gets it.

        Returns:
            The key under which ``wait`` reports it again.
        """
        job = self._job("go_on", (parameters, steps), self._settings.timeout)
        holding = next((index for index in self._free if self._slots[index].holds == parameters), None)
        if holding is not None:
            self._free.remove(holding)
            return self._call(holding, job)
        return self._start(job)

    def _call(self, index: int, job: Job) -> int:
        slot = self._slots[index]
        slot.holds = None
        reference = getattr(slot.actor, job.method).remote(*job.arguments)
        self._running[reference] = Running(job, index)
        return job.key

    def wait(self, seconds: float) -> dict[int, Judgement]:
        """Judgements that arrived within that time, by key.

        Work whose worker died is started again on another, and fails with the reason where that was tried before; late
        work fails at once.

        Raises:
            RunError: workers die before they are ready, or work is late again and again and never in time.
            KeyboardInterrupt: a shutdown is requested, and nothing runs any more, or its time is over.
        """
        if self._shutdown.overdue or (self._shutdown.requested and not self._running):
            raise KeyboardInterrupt
        pending = [*self._running, *self._starting]
        done, _ = ray.wait(pending, num_returns=1, timeout=seconds)
        if done:  # With whatever has come besides: of many workers each wait takes milliseconds.
            done, _ = ray.wait(pending, num_returns=len(pending), timeout=0)
        judgements: dict[int, Judgement] = {}
        for reference in done:
            if reference in self._starting:
                self._welcome(reference)
            else:
                judgements |= self._collect(reference)
        judgements |= self._expired()
        self._mind_idleness()
        self._look_for_room()
        while self._waiting and self.has_room:
            self._start(self._waiting.popleft())
        return judgements

    def _welcome(self, reference: Any) -> None:
        """Take in a worker that is ready, or start another in its place."""
        index = self._starting.pop(reference)
        try:
            seconds = ray.get(reference)
        except RayError as error:
            failed = self._slots[index].failed_starts + 1
            if failed >= _START_ATTEMPTS:
                raise RunError(
                    f"expected workers that start, received {failed} in a row that did not: {reason_of(error)}"
                ) from error
            self._warn(f"a worker did not start: {reason_of(error)}; another is started")
            self._replace(index, failed)
        else:
            self._time_limit.warmed_up(seconds)
            self._slots[index].failed_starts = 0
            self._free.append(index)

    def _collect(self, reference: Any) -> dict[int, Judgement]:
        running = self._running.pop(reference)
        job = running.job
        try:
            judgement: Judgement = ray.get(reference)
        except RayError as error:  # A dead process, a lost node, memory that ran out: the worker is gone either way.
            self._replace(running.slot)
            return self._lost(replace(job, lost=(*job.lost, reason_of(error))), running.seconds)
        self._slots[running.slot].holds = job.arguments[0] if job.method in _GOES_ON else None
        self._free.append(running.slot)
        self._time_limit.ended(job.method, judgement)
        return {job.key: replace(judgement, lost=job.lost)}

    def _lost(self, job: Job, seconds: float) -> dict[int, Judgement]:
        """Nothing where the work goes back to the queue, its failure where that was tried before."""
        if len(job.lost) <= self._settings.retries:
            self._warn(f"a worker was lost: {job.lost[-1]}; its work is started again")
            self._waiting.append(job)
            return {}
        failed = Judgement.failed(seconds, f"its worker was lost: {job.lost[-1]}")
        return {job.key: replace(failed, lost=job.lost[:-1])}

    def _expired(self) -> dict[int, Judgement]:
        late = [reference for reference, running in self._running.items() if running.is_late]
        if late:  # What has ended by now is collected next.
            _, late = ray.wait(late, num_returns=len(late), timeout=0)
        judgements: dict[int, Judgement] = {}
        for reference in late:
            running = self._running.pop(reference)
            self._replace(running.slot)
            judgements[running.job.key] = self._time_limit.given_up(running, len(self._slots))
        return judgements

    def _mind_idleness(self) -> None:
        """Warn, once, that no worker has been ready for a while."""
        if self._running or self._free:
            self._busy = time.monotonic()
        elif time.monotonic() - self._busy > _PATIENCE_SECONDS:
            self._busy = math.inf
            reason = reason_to_wait([slot.actor for slot in self._slots], self._settings.share)
            self._warn(f"no worker is ready after {_PATIENCE_SECONDS:g} s: {reason}")

    def _look_for_room(self) -> None:
        if self._room is not None and time.monotonic() - self._looked > _ROOM_SECONDS:
            self._looked, before = time.monotonic(), len(self._slots)
            self._grow(self._room())
            if len(self._slots) > before:
                self._warn(f"the cluster has room for {len(self._slots)} workers now, {before} before")

    def _grow(self, workers: int) -> None:
        """Start workers until there are so many; those of lost nodes wait to be placed, and are never taken away."""
        while len(self._slots) < workers:
            index, idle = len(self._slots), None if self._idle is None else self._idle.take(self._settings)
            if idle is None:
                self._slots.append(Slot(self._new_actor()))
                self._ask_ready(index)
            else:
                self._slots.append(idle)
                warm_up = self._settings.timeout is not None
                self._starting[idle.actor.take.remote(self._task, warm_up)] = index

    def _ask_ready(self, index: int) -> None:
        actor = self._slots[index].actor
        # A limit counts from when a worker has traced and compiled; without one, its first trial does that.
        ready = actor.ready if self._settings.timeout is None else actor.warm_up
        self._starting[ready.remote()] = index

    def _new_actor(self) -> Any:
        share, environment = self._settings.share, self._settings.environment
        options: dict[str, Any] = {"num_cpus": share.cpus, "num_gpus": share.gpus, "memory": share.memory}
        if environment:
            options["runtime_env"] = {"env_vars": dict(environment)}
        return ray.remote(**options)(TrialWorker).remote(self._task)

    def _replace(self, index: int, failed_starts: int = 0) -> None:
        """Another worker in the place of one; it is free when it is ready."""
        self._end(index)
        self._slots[index] = Slot(self._new_actor(), failed_starts=failed_starts)
        self._ask_ready(index)

    def _end(self, index: int) -> None:
        ray.kill(self._slots[index].actor)

    def close(self) -> None:
        """End all workers, but for free ones that another pool may take."""
        for index, slot in enumerate(self._slots):
            if self._idle is not None and index in self._free and not self._shutdown.requested:
                self._idle.keep(self._settings, slot)
            else:
                self._end(index)
