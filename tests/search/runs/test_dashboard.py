"""optuna-dashboard on a run, asked as a browser asks it."""

import http.client
import json
import signal
import socket
import subprocess
import sys
import threading
from contextlib import contextmanager

import pytest

from compress.errors import ConfigError, RunError
from search.runs.dashboard import dashboard, read_only
from search.runs.run_folder import RunFolder
from search.study.storage import find_study, opened_study
from tests.search.fixtures.runs import PATIENCE, config, environment, tuckprune
from tests.search.study.servers import ENCODED, PASSWORD

TRIALS = 3


def begun(home, storage):
    """A run folder with a study of some trials."""
    given = config(home, search={"trials": TRIALS, "workers": 1, "storage": storage})
    folder = RunFolder.of(given)
    with folder.opened(given), opened_study(folder.path, "run", storage) as study:
        for _ in range(TRIALS):
            trial = study.ask()
            study.tell(trial, trial.suggest_float("x", 0, 1))
    return folder.path


@contextmanager
def served(path):
    with dashboard(path, 0) as server:
        thread = threading.Thread(target=server.serve_forever)
        thread.start()
        try:
            yield server
        finally:
            server.shutdown()
            thread.join()


def answer(server, path, method="GET", body=None):
    connection = http.client.HTTPConnection("127.0.0.1", server.server_port, timeout=PATIENCE)
    try:
        connection.request(method, path, body, {"Content-Type": "application/json"})
        response = connection.getresponse()
        return response.status, response.read().decode()
    finally:
        connection.close()


def check(path, storage):
    """The study is shown while a driver holds it, and nothing can be changed."""
    with opened_study(path, "run", storage) as study, served(path) as server:
        assert server.server_address[0] == "127.0.0.1"
        assert server.address == f"http://127.0.0.1:{server.server_port}/dashboard"
        code, page = answer(server, "/dashboard")
        assert code == 200
        assert page.lower().startswith("<!doctype html>")
        (listed,) = json.loads(answer(server, "/api/studies")[1])["study_summaries"]
        assert listed["study_name"] == "run"
        code, text = answer(server, f"/api/studies/{listed['study_id']}")
        shown = json.loads(text)["trials"]
        assert [trial["number"] for trial in shown] == list(range(TRIALS))
        assert [trial["values"] for trial in shown] == [trial.values for trial in study.trials]
        for method, to, body in (
            ("DELETE", f"/api/studies/{listed['study_id']}", "{}"),
            ("POST", "/api/studies", json.dumps({"study_name": "mine", "directions": ["minimize"]})),
            ("PUT", f"/api/studies/{listed['study_id']}/note", json.dumps({"body": "mine", "version": 1})),
        ):
            assert answer(server, to, method, body)[0] == 405
    study = find_study(path, "run", storage)
    assert [trial.values for trial in study.trials] == [trial["values"] for trial in shown]


@pytest.mark.parametrize("kind", ["journal", "sqlite"])
def test_a_study_in_the_folder_is_shown_to_read_only(tmp_path, kind):
    check(begun(tmp_path, kind), kind)


def test_a_study_on_a_server_is_shown_to_read_only(tmp_path, database, monkeypatch):
    path = begun(tmp_path, database)
    monkeypatch.setenv("TUCKPRUNE_STORAGE_PASSWORD", PASSWORD)
    check(path, database)


def test_a_run_without_a_study(tmp_path, database, monkeypatch):
    monkeypatch.setenv("TUCKPRUNE_STORAGE_PASSWORD", PASSWORD)
    with pytest.raises(RunError, match="is not a run folder"):
        dashboard(tmp_path, 0)
    given = config(tmp_path, search={"storage": database})
    with RunFolder.of(given).opened(given), pytest.raises(RunError, match="holds no study 'run'") as error:
        dashboard(RunFolder.of(given).path, 0)
    assert ENCODED not in str(error.value)


def test_a_port_in_use(tmp_path):
    path = begun(tmp_path, "journal")
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        taken.listen()
        port = taken.getsockname()[1]
        with pytest.raises(RunError, match=f"port {port} of 127.0.0.1 cannot be used .* choose another --port"):
            dashboard(path, port)


def test_a_missing_package_is_named(tmp_path, monkeypatch):
    path = begun(tmp_path, "journal")
    monkeypatch.setitem(sys.modules, "optuna_dashboard", None)
    with pytest.raises(ConfigError, match="expected optuna-dashboard .* pip install 'tuckprune.dashboard.'"):
        dashboard(path, 0)


@pytest.mark.parametrize(
    ("method", "passed"),
    [("GET", True), ("HEAD", True), ("POST", False), ("PUT", False), ("PATCH", False), ("", False)],
)
def test_only_reading_reaches_the_application(method, passed):
    started = []
    application = read_only(lambda environ, start: [b"reached"])
    answered = application({"REQUEST_METHOD": method}, lambda status, headers: started.append(status))
    assert (list(answered) == [b"reached"]) == passed
    assert started == ([] if passed else ["405 Method Not Allowed"])


def test_the_command_tells_its_address_and_ends_quietly(tmp_path):
    path = begun(tmp_path, "journal")
    command = tuckprune("dashboard", path, "--port", "0")
    with subprocess.Popen(
        command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, cwd=tmp_path, env=environment()
    ) as process:
        assert process.stdout is not None
        line = process.stdout.readline()
        address = line.split()[0]
        assert line == f"{address} shows '{path}'; Ctrl-C ends it\n"
        connection = http.client.HTTPConnection(address.split("/")[2], timeout=PATIENCE)
        connection.request("GET", "/api/studies")
        assert '"run"' in connection.getresponse().read().decode()
        connection.close()
        process.send_signal(signal.SIGINT)
        out, err = process.communicate(timeout=PATIENCE)
    assert (process.returncode, out, err) == (0, "", "")
