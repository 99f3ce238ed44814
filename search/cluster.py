"""A Ray cluster for the length of a search: the caller's, or a local one that ends with it."""

import logging
import os
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Literal

import ray

from compress.errors import RunError

Workers = int | Literal["max"]


@contextmanager
def cluster(address: str | None, workers: Workers, cpus: float, gpus: float) -> Iterator[None]:
    """Connect to Ray at ``address``, or start it on this machine with room for the workers.

    Raises:
        RunError: there is no cluster at that address.
    """
    os.environ.setdefault("RAY_USAGE_STATS_ENABLED", "0")
    # Ray's future default: workers without a GPU keep the CUDA_VISIBLE_DEVICES that they inherit.
    os.environ.setdefault("RAY_ACCEL_ENV_VAR_OVERRIDE_ON_ZERO", "0")
    shared = {"logging_level": logging.ERROR, "log_to_driver": False, "configure_logging": True}
    try:
        if address is None:
            ray.init(num_cpus=_local_cpus(workers, cpus), include_dashboard=False, **shared)
        else:
            ray.init(address=address, **shared)
    except (ConnectionError, ValueError) as error:
        text = " ".join(str(error).split())[:200]
        raise RunError(
            f"no Ray cluster at search.address '{address}': {text}; start one with 'ray start --head'"
        ) from error
    try:
        yield
    finally:
        ray.shutdown()


def _local_cpus(workers: Workers, cpus: float) -> int | None:
    """Room for all workers, also where they are more than the machine's cores."""
    return None if workers == "max" else max(1, round(workers * cpus + 0.5))


def worker_count(workers: Workers, cpus: float, gpus: float, trials: int) -> int:
    """Workers to start: as asked, or as many as the cluster's resources hold; never more than trials.

    Raises:
        RunError: the cluster has no room for a single worker.
    """
    total = ray.cluster_resources()
    fitting = int(total.get("CPU", 0.0) // cpus)
    if gpus > 0:
        fitting = min(fitting, int(total.get("GPU", 0.0) // gpus + 1e-9))
    if fitting < 1:
        raise RunError(
            f"a worker needs {cpus:g} CPUs and {gpus:g} GPUs; the cluster has {total.get('CPU', 0):g} and "
            f"{total.get('GPU', 0):g}; lower search.cpus_per_worker or search.gpus_per_worker"
        )
    return min(trials, fitting if workers == "max" else min(workers, fitting))
