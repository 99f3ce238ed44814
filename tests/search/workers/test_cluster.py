"""How many workers a cluster holds; no Ray is started here."""

import pytest
import ray

from compress.errors import RunError
from search.workers.cluster import Share, _local_cpus, room, worker_count


@pytest.fixture
def nodes(monkeypatch):
    def given(*resources):
        result = [{"Alive": True, "Resources": each} for each in resources]
        monkeypatch.setattr(ray, "nodes", lambda: [*result, {"Alive": False, "Resources": {"CPU": 64.0, "GPU": 8.0}}])

    return given


@pytest.mark.parametrize(
    ("resources", "cpus", "gpus", "expected"),
    [
        ([{"CPU": 8.0}], 1.0, 0.0, 8),
        ([{"CPU": 8.0}], 3.0, 0.0, 2),
        ([{"CPU": 1.0}], 0.1, 0.0, 10),
        # Two CPUs left over on each of two nodes are not a third worker of three.
        ([{"CPU": 5.0}, {"CPU": 5.0}], 3.0, 0.0, 2),
        ([{"CPU": 16.0, "GPU": 2.0}, {"CPU": 16.0}], 1.0, 1.0, 2),
        ([{"CPU": 16.0, "GPU": 1.0}, {"CPU": 2.0, "GPU": 1.0}], 1.0, 0.2, 7),
    ],
)
def test_max_is_what_the_nodes_hold(nodes, resources, cpus, gpus, expected):
    nodes(*resources)
    assert worker_count("max", Share(cpus, gpus), trials=100) == expected
    assert worker_count(expected, Share(cpus, gpus), trials=100) == expected
    assert worker_count("max", Share(cpus, gpus), trials=1) == 1
    with pytest.raises(
        RunError, match=f"at most the {expected} workers .* received {expected + 1}; lower search.workers"
    ):
        worker_count(expected + 1, Share(cpus, gpus), trials=100)


@pytest.mark.parametrize(("memory", "expected"), [(None, 12), (4_000_000_000, 5), (20_000_000_000, 0)])
def test_memory_counts_node_by_node(nodes, memory, expected):
    """16 and 7 GB hold four and one worker of 4 GB, though together they would hold five and three quarters."""
    nodes({"CPU": 8.0, "memory": 16e9}, {"CPU": 4.0, "memory": 7e9})
    assert room(Share(memory=memory)) == expected


def test_no_more_workers_than_trials(nodes):
    nodes({"CPU": 2.0})
    assert worker_count(8, Share(), trials=2) == 2


@pytest.mark.parametrize("workers", ["max", 1])
def test_a_cluster_without_room_is_refused(nodes, workers):
    nodes({"CPU": 4.0})
    with pytest.raises(
        RunError, match=r"at most the 0 workers of 1 CPUs and 1 GPUs that fit the cluster's 4 CPUs and 0 G"
    ):
        worker_count(workers, Share(1.0, 1.0), trials=10)


@pytest.mark.parametrize(
    ("workers", "cpus", "expected"),
    [("max", 1.0, None), (1, 1.0, 1), (3, 1.0, 3), (3, 0.5, 2), (3, 0.1, 1), (2, 4.0, 8)],
)
def test_a_local_cluster_has_room_for_all_workers(workers, cpus, expected):
    assert _local_cpus(workers, cpus) == expected
