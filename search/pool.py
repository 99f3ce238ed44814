"""A pool of Ray actors: work goes to whoever is free, the dead and the old are replaced."""

import time
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

import ray
from ray.exceptions import RayError

from compress.errors import RunError
from compress.parameters import CompressionParameters
from search.trial_record import Judgement
from search.worker import Task, TrialWorker


@dataclass(frozen=True)
class PoolSettings:
    """Resources of the workers.

    Attributes:
        workers: number of actors.
        cpus: CPU cores reserved for each.
        gpus: GPUs reserved for each; fractions share one.
        trials_per_worker: trials after which an actor is replaced: TensorFlow keeps memory for every model it has seen.
        environment: variables that workers get besides the driver's.
        timeout: seconds after which a trial's rung is given up, the start of a new worker included; None for never.
    """

    workers: int
    cpus: float = 1.0
    gpus: float = 0.0
    trials_per_worker: int = 50
    timeout: float | None = None
    environment: Mapping[str, str] = field(default_factory=dict)


@dataclass
class _Slot:
    actor: Any
    served: int = 0
    judged: Any = None


@dataclass
class _Running:
    slot: int
    limit: float | None
    started: float = field(default_factory=time.monotonic)


class WorkerPool:
    """Runs candidates on Ray actors that each hold the task once, shared through the object store."""

    def __init__(self, task: Task, settings: PoolSettings) -> None:
        self._settings = settings
        self._task = ray.put(task)
        self._slots = [_Slot(self._new_actor()) for _ in range(settings.workers)]
        self._free = list(range(settings.workers))
        self._running: dict[Any, _Running] = {}

    @property
    def has_room(self) -> bool:
        """Whether a worker is free."""
        return bool(self._free)

    def submit(self, parameters: CompressionParameters) -> Any:
        """Start a candidate on a free worker; returns the key under which ``wait`` reports it."""
        return self._start("judge", parameters, self._settings.timeout)

    def submit_probe(self, parameters: CompressionParameters) -> Any:
        """The same for a part of the model made smaller alone, which takes no training."""
        return self._start("probe", parameters, self._settings.timeout)

    def submit_finalist(self, parameters: CompressionParameters | None) -> Any:
        """The same for a finalist, None for the recommended values; it takes as long as it takes."""
        return self._start("fine_tune", parameters, None)

    def _start(self, method: str, parameters: CompressionParameters | None, limit: float | None) -> Any:
        index = self._free.pop(0)
        slot = self._slots[index]
        if slot.served >= self._settings.trials_per_worker:
            self._replace(index)
            slot = self._slots[index]
        slot.served += 1
        return self._call(index, method, parameters, limit)

    def go_on(self, key: Any, steps: int) -> Any:
        """Let a candidate that was just reported take so many steps in all, on the worker that still holds it.

        Returns:
            The key under which ``wait`` reports it again.

        Raises:
            RunError: no free worker holds it any more.
        """
        index = next((free for free in self._free if self._slots[free].judged == key), None)
        if index is None:
            raise RunError("expected a candidate that a free worker still holds; go on before anything else is started")
        self._free.remove(index)
        return self._call(index, "go_on", steps, self._settings.timeout)

    def _call(self, index: int, method: str, argument: Any, limit: float | None) -> Any:
        slot = self._slots[index]
        slot.judged = None
        key = getattr(slot.actor, method).remote(argument)
        self._running[key] = _Running(index, limit)
        return key

    def wait(self, seconds: float) -> dict[Any, Judgement]:
        """Judgements that arrived within that time, by key; a dead or late worker's trial has an error in its place."""
        done, _ = ray.wait(list(self._running), num_returns=1, timeout=seconds)
        found = {key: self._collect(key) for key in done}
        return found | self._expired()

    def _collect(self, key: Any) -> Judgement:
        running = self._running.pop(key)
        try:
            judgement: Judgement = ray.get(key)
            self._slots[running.slot].judged = key
        except RayError as error:  # A dead process, a lost node, memory that ran out: the worker is gone either way.
            self._replace(running.slot)
            reason = f"its worker was lost: {' '.join(str(error).split())[:300]} ({type(error).__name__})"
            judgement = Judgement.failed(time.monotonic() - running.started, reason)
        self._free.append(running.slot)
        return judgement

    def _expired(self) -> dict[Any, Judgement]:
        now = time.monotonic()
        found = {}
        for key, running in list(self._running.items()):
            if running.limit is None or now - running.started <= running.limit:
                continue
            del self._running[key]
            self._replace(running.slot)
            self._free.append(running.slot)
            reason = f"it ran longer than search.trial_timeout = {running.limit:g} s"
            found[key] = Judgement.failed(now - running.started, reason)
        return found

    def _new_actor(self) -> Any:
        settings = self._settings
        options: dict[str, Any] = {"num_cpus": settings.cpus, "num_gpus": settings.gpus}
        if settings.environment:
            options["runtime_env"] = {"env_vars": dict(settings.environment)}
        return ray.remote(**options)(TrialWorker).remote(self._task)

    def _replace(self, index: int) -> None:
        ray.kill(self._slots[index].actor)
        self._slots[index] = _Slot(self._new_actor())

    def close(self) -> None:
        """End all workers."""
        for slot in self._slots:
            ray.kill(slot.actor)
