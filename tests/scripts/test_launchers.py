"""The launchers, as far as one machine allows: real Ray nodes, and stand-ins for SLURM's own commands."""

import os
import re
import signal
import socket
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

import pytest
from optuna.trial import TrialState

from tests.faults.driver import SLOW, small_run
from tests.search.fixtures.runs import PATIENCE, ROOT, environment
from tests.search.fixtures.studies import run_states

SCRIPTS = ROOT / "scripts"
LAUNCH = SCRIPTS / "launch"
SHELLCHECK = Path(sys.executable).with_name("shellcheck")
STUBS = {
    # Its options end where the command begins, which it runs on this machine.
    "srun": 'while [ "${1#--}" != "$1" ]; do shift; done; exec "$@"',
    "scontrol": 'if [ "$1" = show ]; then printf "localhost\\nlocalhost\\n"; else echo "$@" >>"$STUB_LOG"; fi',
    "hostname": "echo 127.0.0.1",
    "tuckprune": f'exec "{sys.executable}" -c "from search.cli import main; main()" "$@"',
    "ray": f'exec "{Path(sys.executable).with_name("ray")}" "$@"',
}


def free_port() -> int:
    with socket.socket() as open_socket:
        open_socket.bind(("127.0.0.1", 0))
        port: int = open_socket.getsockname()[1]
        return port


@pytest.fixture
def slurm(tmp_path) -> dict[str, str]:
    """The environment of a job on two nodes of one core each."""
    commands = tmp_path / "commands"
    commands.mkdir()
    for name, body in STUBS.items():
        (commands / name).write_text(f"#!/bin/bash\n{body}\n")
        (commands / name).chmod(0o755)
    job = {
        "SLURM_JOB_ID": "7",
        "SLURM_JOB_NODELIST": "node[1-2]",
        "SLURM_JOB_NUM_NODES": "2",
        "SLURM_GPUS_ON_NODE": "0",
    }
    own = {"RAY_PORT": str(free_port()), "STUB_LOG": str(tmp_path / "scontrol.log")}
    return environment() | job | own | {"PATH": f"{commands}:{os.environ['PATH']}"}


@pytest.mark.parametrize(
    "script", ["setup.sh", "reproduce_nptk.sh", "dev/servers.sh", "launch/slurm.sh", "launch/submit.sh"]
)
def test_shellcheck_finds_nothing(script):
    result = subprocess.run([SHELLCHECK, SCRIPTS / script], capture_output=True, text=True, check=False)
    assert (result.returncode, result.stdout) == (0, "")


@contextmanager
def job(config: Path, variables: dict[str, str]) -> "Iterator[subprocess.Popen[str]]":
    """The script, whose processes are gone with the context."""
    with subprocess.Popen(
        ["bash", LAUNCH / "slurm.sh", config],
        cwd=config.parent,
        env=variables,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        start_new_session=True,
    ) as script:
        try:
            yield script
        finally:
            with suppress(ProcessLookupError):
                os.killpg(script.pid, signal.SIGKILL)


@pytest.mark.launchers
@pytest.mark.xdist_group("slurm")
def test_a_slurm_job_ends_resumably_and_goes_on(tmp_path, slurm):
    config = small_run(tmp_path, 6, SLOW, workers=2)
    with job(config, slurm) as first:
        assert first.stdout is not None
        for line in first.stdout:
            if "] trial " in line:
                first.send_signal(signal.SIGTERM)
                break
        said = first.stdout.read()
        assert first.wait(timeout=PATIENCE) == 130, said
    assert "nothing is lost" in said and "the search is not finished" in said
    assert (tmp_path / "scontrol.log").read_text() == "requeue 7\n"
    before = run_states(tmp_path).count(TrialState.COMPLETE)
    assert 1 <= before < 6
    with job(config, slurm) as second:
        assert second.stdout is not None
        said = second.stdout.read()
        assert second.wait(timeout=PATIENCE) == 0, said
    assert "on 2 nodes of 1 CPUs and 0 GPUs" in said
    assert f"6 trials, {before} of them already settled" in said
    assert run_states(tmp_path) == [TrialState.COMPLETE] * 6
    assert (tmp_path / "scontrol.log").read_text() == "requeue 7\n"


@pytest.mark.parametrize(
    ("command", "said"),
    [
        (["bash", LAUNCH / "slurm.sh"], "slurm.sh: expected a configuration"),
        (["sh", LAUNCH / "submit.sh", "http://127.0.0.1:8265"], "submit.sh: expected the address"),
    ],
)
def test_launchers_tell_what_they_need(command, said):
    result = subprocess.run(command, capture_output=True, text=True, check=False)
    assert result.returncode == 2 and result.stderr.startswith(said)


def test_slurm_is_needed(tmp_path):
    alone = {name: value for name, value in os.environ.items() if not name.startswith("SLURM")}
    command = ["bash", LAUNCH / "slurm.sh", "config.yaml"]
    result = subprocess.run(command, env=alone, capture_output=True, text=True, check=False)
    assert result.returncode != 0 and "expected to run in a SLURM job" in result.stderr


@contextmanager
def head(variables: dict[str, str]) -> Iterator[str]:
    """The address of the dashboard of a cluster that ends with the context.

    In a temporary folder of its own: Ray gives a job the cluster of the machine that was noted last in its folder.
    """
    with (
        tempfile.TemporaryDirectory(prefix="ray", dir="/tmp") as folder,
        started(variables | {"RAY_TMPDIR": folder}) as at,
    ):
        yield at


@contextmanager
def started(variables: dict[str, str]) -> Iterator[str]:
    """A head node with these variables."""
    dashboard = free_port()
    ports = {"port": free_port(), "dashboard-port": dashboard, "ray-client-server-port": free_port()}
    command = [Path(sys.executable).with_name("ray"), "start", "--head", "--block", "--num-cpus=2"]
    # Workers, too, on ports that the system chooses: those of other clusters on this machine are in Ray's own range.
    ports |= {"dashboard-agent-listen-port": 0, "min-worker-port": 0, "max-worker-port": 0}
    options = [f"--{name}={port}" for name, port in ports.items()]
    with subprocess.Popen(
        [*command, *options, "--disable-usage-stats"],
        env=variables,
        stdout=subprocess.DEVNULL,
        start_new_session=True,
    ) as node:
        try:
            wait_until(lambda: answers(dashboard))
            yield f"http://127.0.0.1:{dashboard}"
        finally:
            os.killpg(node.pid, signal.SIGKILL)


def answers(port: int) -> bool:
    with socket.socket() as client:
        return client.connect_ex(("127.0.0.1", port)) == 0


def wait_until(condition: Callable[[], bool]) -> None:
    deadline = time.monotonic() + PATIENCE
    while not condition():
        assert time.monotonic() < deadline
        time.sleep(0.5)


@pytest.mark.launchers
@pytest.mark.xdist_group("submitted")
def test_a_submitted_job_searches_on_the_cluster(tmp_path):
    config = small_run(tmp_path, 4, SLOW, workers=2)
    token = {"RAY_AUTH_MODE": "token", "RAY_AUTH_TOKEN": "0123456789abcdef" * 2}
    paths = {"PATH": f"{Path(sys.executable).parent}:{os.environ['PATH']}"}
    # As the launchers start nodes.
    variables = environment() | token | paths | {"RAY_worker_niceness": "0"}
    with head(variables) as address:
        submitted = ran(["sh", LAUNCH / "submit.sh", address, config.name], tmp_path, variables)
        job = re.search(r"raysubmit_\w+", submitted)
        assert job is not None, submitted
        said = ran(["ray", "job", "logs", "--follow", "--address", address, job[0]], tmp_path, variables)
    assert done(tmp_path) == [TrialState.COMPLETE] * 4, said


def ran(command: list[object], home: Path, variables: dict[str, str]) -> str:
    """What a command says until its end, which it reaches in time."""
    log = home / "said.txt"
    with log.open("w") as file:
        try:
            subprocess.run(
                command, cwd=home, env=variables, stdout=file, stderr=subprocess.STDOUT, timeout=PATIENCE, check=True
            )
        except subprocess.SubprocessError as error:
            raise AssertionError(f"{error}: {log.read_text()}") from error
    return log.read_text()


def done(home: Path) -> list[TrialState]:
    if not (home / "runs" / "run" / "study.journal").exists():
        return []
    return [state for state in run_states(home) if state.is_finished()]


def test_the_cluster_file_is_one_that_ray_takes(tmp_path):
    """Ray checks the file before it talks to any cloud."""
    import yaml
    from ray.autoscaler._private.util import prepare_config, validate_config

    document = yaml.safe_load((LAUNCH / "cluster.yaml").read_text())
    validate_config(prepare_config(document))
    assert document["head_node_type"] in document["available_node_types"]
