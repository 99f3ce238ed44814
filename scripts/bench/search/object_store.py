"""How often a search's images go to the nodes of a cluster: three nodes on this machine, each with an object store.

python -m scripts.bench.search.object_store --gigabytes 2

A pool puts its task, with so many gigabytes of images, and has two workers on each node, which read all images. For
each node: the gigabytes in its object store, those that were ever written to it, and the most that one of its workers
grew by in memory of its own, in which a copy would be. With a fetch for each node and none for a worker, the first two
are those of the images, and the last is next to nothing.
"""

import argparse
import json
from dataclasses import replace
from pathlib import Path
from typing import Any

import search  # noqa: F401  isort: skip  before TensorFlow, for the environment that it needs
import numpy as np
import ray
from ray._private.internal_api import node_stats
from ray.cluster_utils import Cluster

from compress.pruning.settings import DEFAULT_PRUNING
from objectives.score.proxy import ProxySettings
from scripts.bench.search.coordinator import ROOT
from search.workers.cluster import PoolSettings, Share
from search.workers.pool import WorkerPool
from search.workers.shutdown import Shutdown
from search.workers.worker import Task
from zoo.data.dataset import ImageDataset, Split
from zoo.data.load import load_dataset

NODES, WORKERS_EACH = 3, 2
SHAPE = (224, 224, 3)


class Reader:
    """A worker that holds the task as others do, and reads its images instead of judging candidates."""

    def __init__(self, task: Task) -> None:
        self.task = task

    def ready(self) -> None:
        """At once."""

    def read(self) -> dict[str, Any]:
        """The node, the sum of all pixels, and what the process grew by when it read them."""
        data, before = self.task.dataset, own_gb()
        pixels = sum(int(split.images.sum(dtype=np.int64)) for split in splits(data))
        return {"node": ray.get_runtime_context().get_node_id(), "pixels": pixels, "own_gb": own_gb() - before}


class ReadingPool(WorkerPool):
    """A pool of such workers."""

    def _new_actor(self) -> Any:
        return ray.remote(num_cpus=1)(Reader).remote(self._task)

    def read(self) -> list[dict[str, Any]]:
        """What each worker says, as soon as all are ready."""
        while len(self._free) < len(self._slots):
            self.wait(1.0)
        said: list[dict[str, Any]] = ray.get([slot.actor.read.remote() for slot in self._slots])
        return said


def own_gb() -> float:
    """Memory of this process that no other shares, in gigabytes."""
    lines = Path("/proc/self/status").read_text(encoding="utf-8").splitlines()
    return next(int(line.split()[1]) for line in lines if line.startswith("RssAnon")) * 1024 / 1e9


def splits(data: Any) -> tuple[Split, ...]:
    """Of images."""
    return data.train, data.validation, data.test


def made(gigabytes: float) -> ImageDataset:
    """Images of so many gigabytes, nine tenths of them for training."""
    digits = load_dataset("digits")
    block = np.random.default_rng(0).integers(0, 256, (64, *SHAPE), np.uint8)

    def split(share: float) -> Split:
        count = max(1, round(share * gigabytes * 1e9 / block[0].nbytes))
        images = np.concatenate([block] * -(-count // len(block)))[:count]
        return Split(images, np.arange(count) % 10)

    normalization = replace(digits.normalization, mean=(0.5,) * 3, std=(0.25,) * 3)
    parts = {"train": split(0.9), "validation": split(0.05), "test": split(0.05)}
    return replace(digits, normalization=normalization, **parts)


def stores() -> dict[str, dict[str, float]]:
    """Of each node: gigabytes in its object store, and those that were ever written to it."""
    contents = {}
    for node in ray.nodes():
        stats = node_stats(node["NodeManagerAddress"], node["NodeManagerPort"], include_memory_info=False).store_stats
        used, written = stats.object_store_bytes_used, stats.cumulative_created_bytes
        contents[node["NodeID"]] = {"in_store_gb": used / 1e9, "written_gb": written / 1e9}
    return contents


def measured(gigabytes: float) -> dict[str, Any]:
    """Figures of every node, the one that put the images first."""
    room = {"num_cpus": WORKERS_EACH, "object_store_memory": int(1.2e9 * gigabytes + 2e8)}
    quiet = {"include_dashboard": False, "dashboard_agent_listen_port": 0}
    cluster = Cluster(initialize_head=True, head_node_args=room | quiet)
    for _ in range(NODES - 1):
        cluster.add_node(**room, **quiet)
    ray.init(address=cluster.address, log_to_driver=False)
    try:
        data = made(gigabytes)
        task = Task(b"", data, ProxySettings(), ("prune",), DEFAULT_PRUNING, 1)
        here = ray.get_runtime_context().get_node_id()
        pool = ReadingPool(task, PoolSettings(NODES * WORKERS_EACH, Share()), print, Shutdown(0.0))
        said, contents = pool.read(), stores()
        pool.close()
        return figures(data, said, contents, here)
    finally:
        ray.shutdown()
        cluster.shutdown()


def figures(
    data: ImageDataset, said: list[dict[str, Any]], contents: dict[str, dict[str, float]], here: str
) -> dict[str, Any]:
    """What is told of the nodes.

    Raises:
        ValueError: workers have read other images, or are not on all nodes.
    """
    pixels = sum(int(split.images.sum(dtype=np.int64)) for split in splits(data))
    if any(one["pixels"] != pixels for one in said) or {one["node"] for one in said} != set(contents):
        raise ValueError(f"expected workers on {len(contents)} nodes that read {pixels}, received {said}")
    nodes = []
    for node in sorted(contents, key=lambda node: node != here):
        grown = [one["own_gb"] for one in said if one["node"] == node]
        nodes.append({**contents[node], "workers": len(grown), "worker_own_gb": max(grown)})
    rounded = [{name: round(figure, 3) for name, figure in node.items()} for node in nodes]
    return {"images_gb": round(sum(split.images.nbytes for split in splits(data)) / 1e9, 3), "nodes": rounded}


def main() -> None:
    """Measure, and add the figures to those of the coordinator."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--gigabytes", type=float, default=2.0)
    parser.add_argument("--out", type=Path, default=ROOT / "docs" / "results" / "coordinator.json")
    arguments = parser.parse_args()
    told = {"object_stores": measured(arguments.gigabytes)}
    known = json.loads(arguments.out.read_text(encoding="utf-8")) if arguments.out.exists() else {}
    arguments.out.write_text(json.dumps(known | told, indent=1) + "\n", encoding="utf-8")
    print(json.dumps(told))


if __name__ == "__main__":
    main()
