"""A cluster of several nodes on this machine, which come and go while a search runs."""

import importlib
from collections.abc import Iterator

import pytest
import ray
from optuna.trial import TrialState
from ray.cluster_utils import Cluster

from search.runs.outcome import find_run
from search.study.storage import find_study
from search.workers.cluster import cluster
from tests.faults.driver import NODE, SLOW, rest, search, small_run, wait_for
from tests.search.fixtures.runs import PATIENCE

pytestmark = [pytest.mark.faults, pytest.mark.xdist_group("others")]

TRIALS = 24
LONG = SLOW | {"steps": 600}
"""Nodes need seconds to be missed and to join, and newcomers need trials that are left."""


@pytest.fixture
def nodes(request, monkeypatch, tmp_path) -> Iterator[Cluster]:
    """So many nodes, one core each, that find no code of this project where they are."""
    monkeypatch.delenv("PYTHONPATH", raising=False)
    monkeypatch.chdir(tmp_path)
    # A lost head is noticed after these seconds, and not after a minute; a lost node after three of these milliseconds.
    monkeypatch.setenv("RAY_gcs_rpc_server_reconnect_timeout_s", "5")
    monkeypatch.setenv("RAY_health_check_period_ms", "1000")
    monkeypatch.setenv("RAY_health_check_failure_threshold", "3")
    made = Cluster(initialize_head=True, head_node_args=NODE)
    for _ in range(request.param - 1):
        made.add_node(**NODE)
    yield made
    made.shutdown()


@pytest.mark.parametrize("nodes", [3], indirect=True)
def test_a_node_is_lost_and_another_joins(tmp_path, nodes):
    config = small_run(tmp_path, TRIALS, LONG, workers="max")
    with search(config, "--address", nodes.address) as driver:
        wait_for(driver, "] trial ", 4)
        nodes.remove_node(next(iter(nodes.worker_nodes)), allow_graceful=False)
        said = wait_for(driver, "a worker was lost")
        # Its workers may be missed before the cluster takes the node itself for dead; until then it would be counted.
        nodes.wait_for_nodes()
        nodes.add_node(**NODE)
        nodes.add_node(**NODE)
        said += wait_for(driver, "the cluster has room for 4 workers now, 3 before")
        said += rest(driver).splitlines()
    trials = find_run(tmp_path / "runs" / "run").trials
    assert [(trial.number, trial.state) for trial in trials] == [(number, "complete") for number in range(TRIALS)]
    assert sum(len(trial.lost) for trial in trials) == sum("a worker was lost" in line for line in said) >= 1
    # Three at first, and whoever came in the place of the lost one and beside the others.
    assert len({trial.worker for trial in trials}) >= 4


@pytest.mark.parametrize("nodes", [2], indirect=True)
def test_a_lost_head_leaves_a_run_that_goes_on_elsewhere(tmp_path, nodes):
    config = small_run(tmp_path, 6, SLOW, workers=2)
    with search(config, "--address", nodes.address, RAY_gcs_rpc_server_reconnect_timeout_s="5") as driver:
        wait_for(driver, "] trial ", 1)
        nodes.head_node.kill_gcs_server(check_alive=False)
        nodes.head_node.kill_raylet(check_alive=False)
        assert driver.stdout is not None
        driver.stdout.read()
        assert driver.wait(timeout=PATIENCE) != 0
    before = {trial.number for trial in find_study(tmp_path / "runs" / "run", "run").trials if trial.value is not None}
    assert before and len(before) < 6
    with search(config) as driver:
        assert f"6 trials, {len(before)} of them already settled" in rest(driver)
    trials = find_study(tmp_path / "runs" / "run", "run").trials
    assert [trial.state for trial in trials] == [TrialState.COMPLETE] * 6


@pytest.mark.parametrize("nodes", [1], indirect=True)
def test_workers_get_the_code_from_the_driver(nodes):
    """Other machines need not have it: what they import is what was sent."""
    with cluster(nodes.address, "max", 1.0):
        result = ray.get(
            ray.remote(lambda: [importlib.import_module(name).__file__ for name in ("compress", "search")]).remote()
        )
    assert all("runtime_resources" in file for file in result)
