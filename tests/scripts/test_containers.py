"""The files for Docker and KubeRay, as far as they can be checked without either."""

import shlex

import pytest
import yaml
from typer.main import get_command

from tests.search.fixtures.runs import ROOT
from tests.test_layers import ALLOWED

LAUNCH = ROOT / "scripts" / "launch"


@pytest.fixture(scope="module")
def lines() -> list[list[str]]:
    """The instructions of the Dockerfile, word by word."""
    text = (LAUNCH / "Dockerfile").read_text(encoding="utf-8")
    return [line.split() for line in text.splitlines() if line and not line.startswith("#")]


def test_the_image_holds_the_packages_and_is_nobody_s_root(lines):
    copied = [word for line in lines if line[0] == "COPY" for word in line[1:-1]]
    assert sorted(copied) == sorted([*ALLOWED, "pyproject.toml", "README.md", "LICENSE"])
    assert all((ROOT / path).exists() for path in copied)
    (user,) = (line[1] for line in lines if line[0] == "USER")
    assert user not in ("0", "root")
    ignored = (LAUNCH / "Dockerfile.dockerignore").read_text(encoding="utf-8").split()
    assert sorted(word[1:] for word in ignored if word[0] == "!") == sorted(copied)


def test_the_image_has_extras_that_there_are(lines):
    import tomllib

    known = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["project"]["optional-dependencies"]
    (source,) = (word for line in lines if line[:3] == ["RUN", "pip", "install"] for word in line if "/source[" in word)
    extras = source.strip("'").removeprefix("/source[").removesuffix("]").split(",")
    assert "gpu" in extras and set(extras) <= set(known)


@pytest.fixture(scope="module")
def job() -> dict:
    return yaml.safe_load((LAUNCH / "rayjob.yaml").read_text(encoding="utf-8"))


def test_the_job_calls_a_command_of_tuckprune(job):
    from search.cli.app import app

    program, name, *arguments = shlex.split(job["spec"]["entrypoint"])
    context = get_command(app).commands[name].make_context(name, arguments)
    assert (program, context.params["address"]) == ("tuckprune", "auto")


def test_the_job_s_cluster_starts_ray_with_options_that_it_has(job):
    from ray.scripts.scripts import start

    cluster = job["spec"]["rayClusterSpec"]
    groups = [cluster["headGroupSpec"], *cluster["workerGroupSpecs"]]
    known = {option.removeprefix("--") for parameter in start.params for option in parameter.opts}
    assert {option for group in groups for option in group["rayStartParams"]} <= known
    assert groups[0]["rayStartParams"]["num-cpus"] == "0" and cluster["authOptions"]["mode"] == "token"


def test_the_job_s_containers_are_of_one_image_and_mount_what_there_is(job):
    cluster = job["spec"]["rayClusterSpec"]
    pods = [group["template"]["spec"] for group in (cluster["headGroupSpec"], *cluster["workerGroupSpecs"])]
    containers = [container for pod in pods for container in pod["containers"]]
    assert len({container["image"] for container in containers}) == 1
    for pod in pods:
        volumes = {volume["name"] for volume in pod["volumes"]}
        assert {mount["name"] for container in pod["containers"] for mount in container["volumeMounts"]} == volumes
        assert pod["securityContext"]["runAsNonRoot"]
        # A volume in memory counts as the container's.
        assert all(container["resources"]["requests"] == container["resources"]["limits"] for container in containers)
    assert containers[1]["resources"]["limits"]["nvidia.com/gpu"] == "1"
