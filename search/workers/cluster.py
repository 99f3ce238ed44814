"""A Ray cluster for the length of a search: the caller's, one at an address, or a local one that ends with it."""

import logging
import math
import os
import re
import signal
import tempfile
import threading
from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Literal

import ray
from ray.exceptions import RayError

from compress.errors import RunError, one_line
from search.workers.leftovers import children, end_leftovers, recorded

_PACKAGES = ("compress", "objectives", "search", "configs", "zoo")

Workers = int | Literal["max"]

_LONGEST_SOCKET = 107
_SOCKET = len("/ray/session_2026-01-01_00-00-00_000000_0000000/sockets/plasma_store")

# Resources are fractions such as 0.1, whose sums and quotients are rounded.
_ROUNDING = 1e-9


@contextmanager
def cluster(address: str | None, workers: Workers, cpus: float, niceness: int = 0) -> Iterator[None]:
    """Connect to Ray at ``address``, or start it on this machine with room for the workers.

    A process that is connected to Ray already stays connected, also afterwards.

    Args:
        address: of a running cluster; None to start a local one.
        workers: how many a local cluster has room for; ``max`` for as many as the machine's cores hold.
        cpus: that each worker reserves.
        niceness: of the workers of a local cluster, added to this process's own; Ray's own default of 15 would make
            them wait for every other process of the machine.

    Raises:
        RunError: there is no cluster at that address, or none can be started here.
    """
    if ray.is_initialized():
        yield
        return
    handler = signal.getsignal(signal.SIGTERM)
    with _local(_local_cpus(workers, cpus), niceness) if address is None else _connected(address):
        if threading.current_thread() is threading.main_thread():
            # Ray handles SIGTERM itself and would exit at once; the caller's handler decides how a search is stopped.
            signal.signal(signal.SIGTERM, handler)
        yield


@contextmanager
def _connected(address: str) -> Iterator[None]:
    try:
        # Other machines may share no disk with this one: the code is sent to them, the libraries must be installed.
        _init(address=address, runtime_env={"py_modules": _own_packages()})
    except _REFUSALS as error:
        raise RunError(
            f"no Ray cluster at search.address '{address}': {one_line(error, 200)}; start one with 'ray start --head', "
            "and where it asks for a token, set RAY_AUTH_MODE=token"
        ) from error
    try:
        yield
    finally:
        ray.shutdown()


@contextmanager
def _local(cpus: int | None, niceness: int) -> Iterator[None]:
    end_leftovers()
    others = children()
    with _socket_folder() as folder:
        try:
            with _alone():
                # Explicitly "local": without it Ray would join the cluster that RAY_ADDRESS names.
                system = {"worker_niceness": niceness}
                _init(address="local", num_cpus=cpus, _temp_dir=folder, _system_config=system, include_dashboard=False)
        except _REFUSALS as error:
            raise RunError(f"Ray cannot be started on this machine: {one_line(error, 200)}") from error
        with recorded(children() - others):
            try:
                yield
            finally:
                ray.shutdown()


_REFUSALS = (OSError, ValueError, RuntimeError, RayError)


def _init(**options: Any) -> None:
    ray.init(logging_level=logging.ERROR, log_to_driver=False, **options)


_NEEDLESS = ("start_monitor", "start_log_monitor", "start_api_server")
"""Methods of a node of Ray: they start an autoscaler, what shows the workers' output, and what counts the users."""


@contextmanager
def _alone() -> Iterator[None]:
    """Make a Ray that is started within the context one for this process alone.

    It listens on 127.0.0.1, as Ray does on macOS and Windows; given that as ``_node_ip_address``, `ray.init` replaces
    it by an address that other machines can reach. It lacks three processes that nobody would ask here, for one of
    which `ray.init` would wait.
    """
    try:
        from ray._private import ray_constants
        from ray._private.node import Node
    except ImportError:  # Another version of Ray, as these are private.
        yield
        return
    own = [(ray_constants, "ENABLE_RAY_CLUSTER", False), *((Node, name, _nothing) for name in _NEEDLESS)]
    before = [(owner, name, getattr(owner, name)) for owner, name, _ in own if hasattr(owner, name)]
    _set(own)
    try:
        yield
    finally:
        _set(before)


def _nothing(*given: Any, **named: Any) -> None: ...


def _set(attributes: Iterable[tuple[Any, str, Any]]) -> None:
    for owner, name, value in attributes:
        setattr(owner, name, value)


@dataclass(frozen=True)
class Share:
    """What one worker reserves of a node.

    Attributes:
        cpus: processor cores.
        gpus: GPUs; a fraction shares one.
        memory: bytes, None for no reservation.
    """

    cpus: float = 1.0
    gpus: float = 0.0
    memory: int | None = None

    def __str__(self) -> str:
        memory = "" if self.memory is None else f" and {self.memory / 1e9:g} GB"
        return f"{self.cpus:g} CPUs and {self.gpus:g} GPUs{memory}"

    def fitting(self, resources: Mapping[str, float]) -> int:
        """How many workers with this share fit on a node with these resources."""
        shares = (("CPU", self.cpus), ("GPU", self.gpus), ("memory", self.memory))
        return math.floor(min(resources.get(kind, 0.0) / share for kind, share in shares if share) + _ROUNDING)


def room(share: Share) -> int:
    """How many workers the cluster's nodes have room for; a worker must fit on one node."""
    return sum(share.fitting(resources) for resources in _nodes())


def worker_count(workers: Workers, share: Share, trials: int) -> int:
    """How many workers to start: the configured number, or as many as fit; never more than there are trials.

    Raises:
        RunError: the cluster has no room for a single worker, or for the configured number.
    """
    fitting = room(share)
    wanted = max(1, min(trials, fitting)) if workers == "max" else min(trials, workers)
    if wanted > fitting:
        total = {kind: sum(resources.get(kind, 0.0) for resources in _nodes()) for kind in ("CPU", "GPU")}
        raise RunError(
            f"search.workers: expected at most the {fitting} workers of {share} that fit the "
            f"cluster's {total['CPU']:g} CPUs and {total['GPU']:g} GPUs, received {workers}; lower search.workers, "
            "search.cpus_per_worker, search.gpus_per_worker or search.memory_per_worker"
        )
    return wanted


def reason_to_wait(actors: Sequence[Any], share: Share) -> str:
    """Why no actor is ready: the cluster has no room for one, or they are still loading."""
    if any(_is_placed(actor) for actor in actors):
        return "the workers have room and are slow to start"
    return f"waiting for the cluster to have room for {share}"


def _is_placed(actor: Any) -> bool:
    """Whether an actor has a process on a node. Ray's public interface tells that only where its dashboard runs."""
    try:
        from ray._private.state import actors
    except ImportError:  # Another version of Ray, as it is private.
        return False
    return bool(actors(actor._actor_id.hex()).get("Address", {}).get("Port"))


def _nodes() -> list[dict[str, float]]:
    return [node["Resources"] for node in ray.nodes() if node["Alive"]]


def _own_packages() -> list[str]:
    """Folders of the code that workers run."""
    root = Path(__file__).parents[2]
    return [str(root / name) for name in _PACKAGES]


def _local_cpus(workers: Workers, cpus: float) -> int | None:
    """CPUs of a local cluster with room for all workers, even more than the machine's cores; None for all cores."""
    return None if workers == "max" else max(1, math.ceil(workers * cpus - _ROUNDING))


@contextmanager
def _socket_folder() -> Iterator[str | None]:
    """A folder for the sockets of a local Ray where TMPDIR is too long for their paths; else None, for Ray's own."""
    length = len(os.fsencode(tempfile.gettempdir())) + _SOCKET
    if "RAY_TMPDIR" in os.environ or length <= _LONGEST_SOCKET or not os.access("/tmp", os.W_OK):
        yield None
        return
    with tempfile.TemporaryDirectory(prefix="ray-", dir="/tmp", ignore_cleanup_errors=True) as folder:
        yield folder


_COLOUR = re.compile(r"\x1b\[[0-9;]*m")
_LONGEST = 300


def reason_of(error: RayError) -> str:
    """Ray's message on one line, its middle cut out: the beginning names what was lost, the end the error there."""
    text = one_line(_COLOUR.sub("", str(error)), None)
    shown = text if len(text) <= _LONGEST else f"{text[: _LONGEST // 3]} ... {text[-2 * _LONGEST // 3 :]}"
    return f"{shown} ({type(error).__name__})"


@dataclass(frozen=True)
class PoolSettings:
    """Resources of the workers.

    Attributes:
        workers: number of actors at first.
        share: what is reserved for each.
        trials_per_worker: trials after which an actor is replaced: TensorFlow keeps memory for every model it has seen.
        retries: how often a call is started again after its worker was lost.
        environment: environment variables that workers get in addition to the driver's.
        timeout: seconds after which a trial is given up at a rung; None for no limit.
    """

    workers: int
    share: Share = Share()
    trials_per_worker: int = 50
    retries: int = 1
    timeout: float | None = None
    environment: Mapping[str, str] = field(default_factory=dict)
