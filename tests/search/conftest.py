"""What several modules share because it is slow to make: a saved model, and one real run."""

import shutil
import signal
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import ray

from search.cli.app import main
from search.study import improvements
from search.workers.cluster import PoolSettings, cluster
from search.workers.pool import WorkerPool
from search.workers.shutdown import Shutdown
from search.workers.worker import Task
from tests.search.driver.interrupted_run import InterruptedRun, interrupted_run
from tests.search.fixtures.nets import model
from tests.search.study.servers import DatabaseServer, MariaDB, PostgreSQL, running
from tests.search.workers.pools import TOLD, all_free, pool_task, terminate


@pytest.fixture(scope="session")
def tiny_file(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The tiny model, untrained, as a file; copy it rather than change it."""
    path = tmp_path_factory.mktemp("models") / "tiny.keras"
    model("tiny").save(path)
    return path


@pytest.fixture
def learning_at_once(monkeypatch: pytest.MonkeyPatch) -> None:
    """Early stopping counts a sampler's proposals from the first trial on."""
    monkeypatch.setattr(improvements, "RANDOM_PROPOSALS", 0)


@pytest.fixture
def home(tmp_path: Path, tiny_file: Path) -> Path:
    """A folder with the model of `tests.search.runs.document`."""
    shutil.copy(tiny_file, tmp_path / "tiny.keras")
    return tmp_path


@pytest.fixture(scope="session")
def run(ray_cluster: Any, tmp_path_factory: pytest.TempPathFactory, tiny_file: Path) -> Iterator[InterruptedRun]:
    """A real run that was stopped in every way, and then finished."""
    home = tmp_path_factory.mktemp("home")
    shutil.copy(tiny_file, home / "tiny.keras")
    yield interrupted_run(home)


@pytest.fixture(scope="session", params=[PostgreSQL, MariaDB], ids=lambda kind: kind.__name__)
def server(request: pytest.FixtureRequest) -> Iterator[DatabaseServer]:
    """A real database server, where Debian's package is installed."""
    kind: type[DatabaseServer] = request.param
    if kind.programs() is None:
        pytest.skip(f"needs Debian's {kind.package}")
    with running(kind) as started:
        yield started


@pytest.fixture
def database(server: DatabaseServer) -> str:
    """URL of an empty database on it, with the password."""
    return server.new_database()


@pytest.fixture
def tuckprune(monkeypatch, capsys):
    """Run the console script in this process: exit code, stdout, stderr."""

    def command(*arguments):
        monkeypatch.setattr(sys, "argv", ["tuckprune", *(str(argument) for argument in arguments)])
        capsys.readouterr()
        with pytest.raises(SystemExit) as ended:
            main()
        out, err = capsys.readouterr()
        return ended.value.code or 0, out, err

    return command


@pytest.fixture(scope="session")
def task() -> Task:
    """Of a small model on few digits."""
    return pool_task()


@pytest.fixture(scope="session")
def ray_cluster() -> Iterator[Any]:
    """One Ray for all searches and pools of this process; yields the handler of SIGTERM that Ray has left."""
    previous = signal.signal(signal.SIGTERM, terminate)
    with cluster(None, 4, 1.0, niceness=1):
        yield signal.signal(signal.SIGTERM, previous)
    assert not ray.is_initialized()


@pytest.fixture(scope="session")
def pool(ray_cluster: Any, task: Task) -> Iterator[WorkerPool]:
    """Two workers for all tests: each start costs seconds."""
    made = WorkerPool(task, PoolSettings(workers=2), TOLD.append, Shutdown(0.0))
    all_free(made)
    yield made
    made.close()
