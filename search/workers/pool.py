"""A pool of workers, Ray actors: it sends candidates to free ones, replaces lost and old ones, and may grow."""

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
from search.workers.shutdown import Shutdown
from search.workers.time_limit import TimeLimit
from search.workers.worker import Task, TrialWorker
from search.workers.worker_call import Running, Slot, WorkerCall

_ROOM_SECONDS = 5.0
"""Seconds between two checks of how many workers the cluster has room for."""

_PATIENCE_SECONDS = 60.0
"""Seconds without a ready worker before a warning."""

_HOLDING = ("judge", "go_on")
"""Methods after which a worker still holds the candidate."""

_START_ATTEMPTS = 3
"""Workers in a row that fail to start in one slot before the search ends: the reason is the run's own then."""


class WorkerPool:
    """Judges candidates on Ray actors, each of which holds the task, sent once through Ray's object store.

    Args:
        task: the model, the data and the settings that workers need.
        settings: the workers' number and resources.
        warn: called with a line for every worker that is lost, and when workers join.
        shutdown: once it is requested, nothing new is started.
        room: returns how many workers the cluster has room for, asked every few seconds; None for a fixed number.
        idle: workers of earlier pools: this pool takes them before it starts new ones, and leaves its free ones there
            when it closes; None for a pool that starts and ends its own.
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
        self._waiting: deque[WorkerCall] = deque()
        self._running: dict[Any, Running] = {}
        self._time_limit = TimeLimit()
        self._room_checked = self._last_ready = time.monotonic()
        self._grow(settings.workers)

    @property
    def has_room(self) -> bool:
        """Whether a worker is free, and no shutdown is requested."""
        return bool(self._free) and not self._shutdown.requested

    @property
    def starting(self) -> int:
        """Number of workers that have not loaded their task yet."""
        return len(self._starting)

    def submit(self, parameters: CompressionParameters) -> int:
        """Start a candidate on a free worker; returns the key under which ``wait`` reports it."""
        return self._start(self._new_call("judge", (parameters,), self._settings.timeout))

    def submit_probe(self, parameters: CompressionParameters) -> int:
        """Start a candidate of the sensitivity sweep, judged without training, on a free worker; returns its key."""
        return self._start(self._new_call("probe", (parameters,), self._settings.timeout))

    def submit_finalist(self, parameters: CompressionParameters | None) -> int:
        """Start a finalist, None for recommended values, on a free worker without a time limit; returns its key.

        Its judgement holds its model.
        """
        return self._start(self._new_call("fine_tune", (parameters,), None))

    def _new_call(self, method: str, arguments: tuple[Any, ...], limit: float | None) -> WorkerCall:
        return WorkerCall(next(self._keys), method, arguments, limit)

    def _start(self, call: WorkerCall) -> int:
        """Begin a call on a free worker, or queue it; workers that have served enough candidates are replaced."""
        while self._free:
            index = self._free.pop(0)
            if self._slots[index].served < self._settings.trials_per_worker:
                self._slots[index].served += 1
                return self._begin(index, call)
            self._replace(index)
        self._waiting.append(call)
        return call.key

    def go_on(self, parameters: CompressionParameters, steps: int) -> int:
        """Train a candidate that was judged before until it has taken ``steps`` steps in all, and score it again.

        A free worker that still holds it takes the missing steps; any other takes all of them, with the same result.
        Without a free worker the call waits for the next one.

        Returns:
            The key under which ``wait`` reports it again.
        """
        call = self._new_call("go_on", (parameters, steps), self._settings.timeout)
        holding = next((index for index in self._free if self._slots[index].holds == parameters), None)
        if holding is not None:
            self._free.remove(holding)
            return self._begin(holding, call)
        return self._start(call)

    def _begin(self, index: int, call: WorkerCall) -> int:
        slot = self._slots[index]
        slot.holds = None
        reference = getattr(slot.actor, call.method).remote(*call.arguments)
        self._running[reference] = Running(call, index)
        return call.key

    def wait(self, seconds: float) -> dict[int, Judgement]:
        """The judgements that arrive within ``seconds``, by key.

        A call whose worker is lost is started again on another one, up to the settings' ``retries`` times, and then
        fails; a call that runs longer than its limit fails at once.

        Raises:
            RunError: workers fail to start again and again, or calls are late again and again and never in time.
            KeyboardInterrupt: a shutdown is requested, and nothing runs any more or the time of grace is over.
        """
        if self._shutdown.overdue or (self._shutdown.requested and not self._running):
            raise KeyboardInterrupt
        pending = [*self._running, *self._starting]
        done, _ = ray.wait(pending, num_returns=1, timeout=seconds)
        if done:  # With all others that have arrived: with many workers each wait takes milliseconds.
            done, _ = ray.wait(pending, num_returns=len(pending), timeout=0)
        judgements: dict[int, Judgement] = {}
        for reference in done:
            if reference in self._starting:
                self._take_in(reference)
            else:
                judgements |= self._collect(reference)
        judgements |= self._expired()
        self._warn_if_none_is_ready()
        self._grow_with_cluster()
        while self._waiting and self.has_room:
            self._start(self._waiting.popleft())
        return judgements

    def _take_in(self, reference: Any) -> None:
        """Add a worker that is ready to the free ones, or start another one where it failed."""
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
        call = running.call
        try:
            judgement: Judgement = ray.get(reference)
        except RayError as error:  # A dead process, a lost node, memory that ran out: the worker is gone either way.
            self._replace(running.slot)
            return self._lost(replace(call, lost=(*call.lost, reason_of(error))), running.seconds)
        self._slots[running.slot].holds = call.arguments[0] if call.method in _HOLDING else None
        self._free.append(running.slot)
        self._time_limit.ended(call.method, judgement)
        return {call.key: replace(judgement, lost=call.lost)}

    def _lost(self, call: WorkerCall, seconds: float) -> dict[int, Judgement]:
        """Queue the call of a lost worker again and return nothing, or return its failure after the last retry."""
        if len(call.lost) <= self._settings.retries:
            self._warn(f"a worker was lost: {call.lost[-1]}; its work is started again")
            self._waiting.append(call)
            return {}
        failed = Judgement.failed(seconds, f"its worker was lost: {call.lost[-1]}")
        return {call.key: replace(failed, lost=call.lost[:-1])}

    def _expired(self) -> dict[int, Judgement]:
        late = [reference for reference, running in self._running.items() if running.is_late]
        if late:  # What has ended by now is collected next.
            _, late = ray.wait(late, num_returns=len(late), timeout=0)
        judgements: dict[int, Judgement] = {}
        for reference in late:
            running = self._running.pop(reference)
            self._replace(running.slot)
            judgements[running.call.key] = self._time_limit.given_up(running, len(self._slots))
        return judgements

    def _warn_if_none_is_ready(self) -> None:
        """Warn once when no worker has been ready for a minute."""
        if self._running or self._free:
            self._last_ready = time.monotonic()
        elif time.monotonic() - self._last_ready > _PATIENCE_SECONDS:
            self._last_ready = math.inf
            reason = reason_to_wait([slot.actor for slot in self._slots], self._settings.share)
            self._warn(f"no worker is ready after {_PATIENCE_SECONDS:g} s: {reason}")

    def _grow_with_cluster(self) -> None:
        if self._room is not None and time.monotonic() - self._room_checked > _ROOM_SECONDS:
            self._room_checked, before = time.monotonic(), len(self._slots)
            self._grow(self._room())
            if len(self._slots) > before:
                self._warn(f"the cluster has room for {len(self._slots)} workers now, {before} before")

    def _grow(self, workers: int) -> None:
        """Start workers until there are ``workers``; those of lost nodes stay, and wait for a place in the cluster."""
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
        """End the worker of a slot and start another one, which is free when it is ready."""
        self._end(index)
        self._slots[index] = Slot(self._new_actor(), failed_starts=failed_starts)
        self._ask_ready(index)

    def _end(self, index: int) -> None:
        ray.kill(self._slots[index].actor)

    def close(self) -> None:
        """End all workers, except for free ones that are left to the next pool."""
        for index, slot in enumerate(self._slots):
            if self._idle is not None and index in self._free and not self._shutdown.requested:
                self._idle.keep(self._settings, slot)
            else:
                self._end(index)
