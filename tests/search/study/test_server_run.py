"""Real drivers, from run folders of their own, on one study of a real PostgreSQL server."""

import signal
import subprocess
from dataclasses import dataclass
from pathlib import Path

import pytest
from optuna.trial import FrozenTrial, TrialState

from search.study.server import PASSWORD as VARIABLE
from search.study.storage import find_study
from tests.search.fixtures import in_turn
from tests.search.fixtures.forked import Forked
from tests.search.fixtures.local_pool import use_local_pool
from tests.search.fixtures.runs import command, environment, refused, written
from tests.search.study.servers import ENCODED, PASSWORD, PostgreSQL

TRIALS = 8

pytestmark = pytest.mark.parametrize("server", [PostgreSQL], indirect=True, scope="module", ids=["PostgreSQL"])


LOCALLY = (
    "import pytest; from tests.search.fixtures.local_pool import use_local_pool; use_local_pool(pytest.MonkeyPatch()); "
)


@dataclass(frozen=True)
class SharedStudy:
    """A study that one driver began and another one finished, and what each of them said."""

    home: Path
    url: str
    begun: list[FrozenTrial]
    finished: list[FrozenTrial]
    said: dict[str, "subprocess.CompletedProcess[str]"]

    @property
    def bare(self) -> str:
        return self.url.replace(f":{ENCODED}", "")

    @property
    def folder(self) -> Path:
        return self.home / "second" / "runs" / "run"


def search(storage: str) -> dict[str, object]:
    return {"trials": TRIALS, "workers": 1, "sensitivity": False, "storage": storage}


@pytest.fixture(scope="module")
def shared(server, tmp_path_factory, tiny_file):
    """The first driver is killed after its first trial; while it is held, a second one tries, and then goes on.

    Workers never see the server: both judge in their own process.
    """
    home, url = tmp_path_factory.mktemp("shared"), server.new_database()
    model, proxy = {"path": str(tiny_file)}, {"recalibration_images": 64, "steps": 30, "batch_size": 32}
    for name, storage in (("first", url), ("second", url.replace(f":{ENCODED}", ""))):
        (home / name).mkdir()
        written(home / name, model=model, proxy=proxy, finals={"candidates": 1}, search=search(storage))
    said = {"first": None}
    output, errors = [], home / "first.err"
    first = Forked(LOCALLY + command("search", home / "first" / "config.yaml"), home, environment(), errors)
    with first.stdout as lines:
        for line in lines:
            output.append(line)
            if "] trial " in line:
                first.send_signal(signal.SIGSTOP)
                break
        with pytest.MonkeyPatch.context() as patch:
            patch.setenv(VARIABLE, PASSWORD)
            use_local_pool(patch)
            said["refused"] = in_turn.run("search", home / "second" / "config.yaml")
            begun = find_study(home, "run", url).trials
            first.kill()
            code = first.wait()
            said["second"] = in_turn.run("search", home / "second" / "config.yaml")
    said["first"] = subprocess.CompletedProcess([], code, "".join(output), errors.read_text())
    return SharedStudy(home, url, begun, find_study(home, "run", url).trials, said)


def values(trials):
    return {trial.number: trial.value for trial in trials if trial.state == TrialState.COMPLETE}


def test_the_second_of_two_drivers_is_refused(shared):
    refused = shared.said["refused"]
    assert (refused.returncode, refused.stdout) == (1, "")
    assert refused.stderr.startswith(
        f"error: the study 'run' on '{shared.bare}' is in use by another tuckprune process"
    )
    assert len(refused.stderr.splitlines()) == 1


def test_the_second_driver_finishes_what_the_first_has_begun(shared):
    second = shared.said["second"]
    assert (second.returncode, second.stderr) == (0, "")
    assert 1 <= len(values(shared.begun)) < TRIALS
    assert f"searching: {TRIALS} trials, {len(values(shared.begun))} of them already settled" in second.stdout
    assert [trial.number for trial in shared.finished] == list(range(TRIALS))
    assert list(values(shared.finished)) == list(range(TRIALS))
    assert values(shared.begun).items() <= values(shared.finished).items()
    assert len({tuple(sorted(trial.params.items())) for trial in shared.finished}) == TRIALS


def test_the_password_is_nowhere(shared):
    folders = [shared.home / "first" / "runs", shared.home / "second" / "runs"]
    files = [path for folder in folders for path in folder.rglob("*") if path.is_file()]
    assert {path.name for path in files} >= {"config.yaml"}
    texts = [path.read_bytes() for path in files]
    texts += [text.encode() for process in shared.said.values() for text in (process.stdout, process.stderr)]
    for secret in (PASSWORD.encode(), ENCODED.encode()):
        assert not any(secret in text for text in texts)
    for trial in shared.finished:
        assert PASSWORD not in str(trial)


def test_commands_on_the_run_take_the_password_from_the_environment(shared, tuckprune, monkeypatch, local_pool):
    monkeypatch.chdir(shared.home)
    for name in ("report", "export", "front"):
        monkeypatch.delenv(VARIABLE, raising=False)
        line = refused(tuckprune, shared.home, name, shared.folder)
        assert line.startswith(f"error: the storage '{shared.bare}' cannot be used: ")
        assert line.endswith(f"or set its password in {VARIABLE}")
        monkeypatch.setenv(VARIABLE, PASSWORD)
        code, out, err = tuckprune(name, shared.folder)
        assert (code, err) == (0, "")
        assert PASSWORD not in out
    code, _, err = tuckprune("judge", shared.folder, "--trial", TRIALS)
    assert code == 1 and "expected a trial with figures, received no such trial" in err


def test_a_password_on_the_command_line_is_not_repeated(shared, tuckprune, monkeypatch):
    monkeypatch.setattr("search.pipeline.search.run_search", interrupted)
    code, out, err = tuckprune(
        "search", shared.home / "second" / "config.yaml", "--set", f"search.storage={shared.url}"
    )
    assert code == 130
    assert ":***@127.0.0.1" in out
    assert ENCODED not in out + err


def interrupted(*given):
    raise KeyboardInterrupt
