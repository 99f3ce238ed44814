"""Studies on real servers: nothing is lost, one process writes, and the password stays out of everything."""

import os
import signal
import subprocess
import sys
import time
from contextlib import nullcontext
from dataclasses import replace
from pathlib import Path

import optuna
import pytest
from optuna.trial import TrialState
from sqlalchemy.exc import OperationalError

from compress.errors import ConfigError, RunError
from compress.parameters import CompressionParameters
from search.driver.driver import Driver
from search.driver.driver_settings import DriverSettings
from search.driver.listeners.listener import Listener
from search.driver.start_queue import enqueue_starts
from search.runs.shared_study import tie_to_config
from search.samplers.starts import starts
from search.study.finalist import finalists
from search.study.server import PASSWORD as VARIABLE
from search.study.server import Server
from search.study.storage import find_storage, find_study, has_study, opened_study
from search.study.trial_record import records
from tests.search.fixtures.fake_pool import FakePool
from tests.search.fixtures.nets import PRUNE_FIRST, cost, flops_budget, model, space
from tests.search.fixtures.runs import PATIENCE, ROOT, config
from tests.search.fixtures.studies import run, trials
from tests.search.strategies.staged_runs import FakePoolFactory, staged
from tests.search.study.servers import ENCODED, PASSWORD

HERE = Path()
SPACE = space("tiny")
HALF = flops_budget(0.5 * cost("tiny").cost(CompressionParameters.none()).flops, "0.5")

WRITER = """
import os
from pathlib import Path
from search.study.storage import opened_study
with opened_study(Path(), "run", os.environ["TEST_STORAGE"]) as study:
    while True:
        trial = study.ask()
        value = trial.suggest_float("x", 0, 1)
        study.tell(trial, value)
        print(trial.number, value, flush=True)
"""


def writer(database):
    """A process that writes to the study without end."""
    environment = {**os.environ, "TEST_STORAGE": database}
    return subprocess.Popen(
        [sys.executable, "-c", WRITER], stdout=subprocess.PIPE, text=True, cwd=ROOT, env=environment
    )


def in_use(database):
    """Whether a driver would be refused; one that was killed is gone as soon as the server hears of it."""
    try:
        with opened_study(HERE, "run", database):
            return False
    except RunError as error:
        assert "is in use by another tuckprune process; wait for it to end, or give this run another" in str(error)
        return True


@pytest.fixture(autouse=True)
def no_password(monkeypatch):
    """Whatever the machine's environment knows."""
    for name in (VARIABLE, "PGPASSWORD", "PGPASSFILE", "MYSQL_PWD"):
        monkeypatch.delenv(name, raising=False)


def test_what_was_written_is_read_back(database):
    assert not has_study(HERE, "run", database)
    with opened_study(HERE, "run", database) as study:
        run(study, 3)
        study.set_user_attr("a", {"b": [1, "c"]})
        written = trials(study)
        assert trials(find_study(HERE, "run", database)) == written
    with opened_study(HERE, "run", database) as study:
        assert trials(study) == written
        assert study.user_attrs == {"a": {"b": [1, "c"]}}
    assert has_study(HERE, "run", database)
    assert not has_study(HERE, "another", database)


def test_running_trials_are_queued_as_they_are(database):
    with opened_study(HERE, "run", database) as study:
        run(study, 2)
        running = [study.ask(), study.ask()]
        proposals = [trial.suggest_float("x", 0, 1) for trial in running]
        running[0].set_user_attr("start", "SLAMP")
        study.enqueue_trial({"x": 0.5})
    assert [trial.state for trial in find_study(HERE, "run", database).trials[2:4]] == [TrialState.RUNNING] * 2
    for _ in range(2):
        with opened_study(HERE, "run", database) as study:
            states = [trial.state for trial in study.trials]
        assert states == [TrialState.COMPLETE] * 2 + [TrialState.WAITING] * 3
    with opened_study(HERE, "run", database) as study:
        again = [study.ask() for _ in range(3)]
        assert [trial.number for trial in again] == [2, 3, 4]
        assert [trial.suggest_float("x", 0, 1) for trial in again] == [*proposals, 0.5]
        assert [trial.user_attrs.get("start") for trial in again] == ["SLAMP", None, None]


def test_an_interrupted_search_goes_on_as_if_it_never_was(database):
    def driven(study, pool):
        enqueue_starts(study, starts(model("tiny"), SPACE, HALF))
        Driver(study, SPACE, HALF, DriverSettings(3, "tpe", 12, True)).run(pool, Listener())

    whole = optuna.create_study(direction="maximize")
    driven(whole, FakePool())
    with opened_study(HERE, "run", database) as study, pytest.raises(KeyboardInterrupt):
        driven(study, FakePool(stop_after=7))
    with opened_study(HERE, "run", database) as study:
        driven(study, FakePool())
    result = find_study(HERE, "run", database)
    assert records(result) == records(whole)
    assert [trial.params for trial in result.trials] == [trial.params for trial in whole.trials]


def test_a_second_process_is_refused_until_the_first_is_killed(database):
    told = {}
    for _ in range(2):
        with writer(database) as process:
            assert process.stdout is not None
            for line in process.stdout:
                number, value = line.split()
                told[int(number)] = float(value)
                if len(told) % 10 == 0:
                    break
            assert in_use(database)
            with opened_study(HERE, "another", database) as other:  # A study of its own in the same database.
                run(other, 1)
            assert len(find_study(HERE, "run", database).trials) >= 10
            process.send_signal(signal.SIGKILL)
        deadline = time.monotonic() + PATIENCE
        while in_use(database) and time.monotonic() < deadline:
            time.sleep(0.1)
    with opened_study(HERE, "run", database) as study:
        complete = {trial.number: trial.value for trial in study.trials if trial.state == TrialState.COMPLETE}
        states = [trial.state for trial in study.trials[len(complete) :]]
    assert told.items() <= complete.items()
    assert sorted(complete) == list(range(len(complete)))
    assert states in ([], [TrialState.WAITING])


def test_a_lost_connection_ends_the_driver_because_another_may_have_written(server, database):
    with pytest.raises(RunError) as error, opened_study(HERE, "run", database) as study:
        run(study, 2)
        server.disconnect()
        with opened_study(HERE, "run", database) as other:
            run(other, 1)
        with pytest.raises(optuna.exceptions.StorageInternalError):
            run(study, 1)
        run(study, 1)
    assert "\n" not in str(error.value)
    assert str(error.value).endswith("that held the study's lock was lost; start the same command again")
    with pytest.raises(RunError, match="; the same command again resumes the search"):
        with opened_study(HERE, "run", database) as study:
            server.disconnect()
            run(study, 1)
    assert [trial.number for trial in find_study(HERE, "run", database).trials] == [0, 1, 2]


def test_a_front_has_two_objectives(database):
    with opened_study(HERE, "run", database, front=True) as study:
        study.tell(study.ask(), [0.5, 0.25])
    result = find_study(HERE, "run", database)
    assert [direction.name for direction in result.directions] == ["MAXIMIZE", "MINIMIZE"]
    assert result.trials[0].values == [0.5, 0.25]


def test_a_staged_search_has_both_studies_on_the_server(database, tmp_path, monkeypatch):
    monkeypatch.setattr("search.study.identity.model_digest", lambda given: "the same")

    def result(search):
        return [records(search.first), records(search.study), finalists(search.study)]

    whole = staged(tmp_path / "whole", model("tiny"), PRUNE_FIRST, FakePoolFactory())
    whole.run()
    for open_pool in (*(FakePoolFactory(stop_at=place) for place in (1, 3, 2)), FakePoolFactory()):
        with opened_study(HERE, "run", database) as study, opened_study(HERE, "run: prune", database) as first:
            search = replace(staged(tmp_path / "cut", model("tiny"), PRUNE_FIRST, open_pool), study=study, first=first)
            with nullcontext() if open_pool.stop_at is None else pytest.raises(KeyboardInterrupt):
                search.run()
            kept = result(search)
    assert kept == result(whole)


def refusal(storage):
    """What every way to the study says of a storage that cannot be used."""
    said = set()
    for way in (has_study, find_study):
        with pytest.raises(RunError) as error:
            way(HERE, "run", storage)
        said.add(str(error.value))
    for opening in (lambda: opened_study(HERE, "run", storage).__enter__(), lambda: find_storage(HERE, storage)):
        with pytest.raises(RunError) as error:
            opening()
        said.add(str(error.value))
    (message,) = said
    assert "\n" not in message
    assert PASSWORD not in message
    assert ENCODED not in message
    return message


def test_what_keeps_a_server_from_being_used_is_one_line(server, database):
    bare = database.replace(f":{ENCODED}", "")
    wrong = refusal(database.replace(ENCODED, "wr0ng"))
    assert wrong.startswith(f"the storage '{bare}' cannot be used: ")
    assert wrong.endswith("; check search.storage")
    assert "wr0ng" not in wrong
    assert "tuck" in wrong.removeprefix(f"the storage '{bare}'")
    assert refusal(bare).endswith(f"; check search.storage, or set its password in {VARIABLE}")
    name = database.rpartition("/")[2]
    assert f"{name}9" in refusal(f"{database}9").removeprefix(f"the storage '{bare}9'")
    assert "efused" in refusal(database.replace(str(server.port), "1"))


def test_a_driver_that_repeats_the_password_is_not_quoted_with_it(monkeypatch):
    def refuses(*given, **options):
        raise OperationalError("SELECT 1", {}, ValueError(f"cannot connect as tuck with {PASSWORD}\nto host"))

    monkeypatch.setattr("search.study.server.RDBStorage", refuses)
    with pytest.raises(RunError, match=r"cannot connect as tuck with \*\*\* to host; check search.storage$"):
        find_storage(HERE, f"postgresql://tuck:{ENCODED}@host/studies")


def test_the_environment_gives_the_password_that_a_url_lacks(database, monkeypatch):
    monkeypatch.setenv(VARIABLE, PASSWORD)
    bare = database.replace(f":{ENCODED}", "")
    with opened_study(HERE, "run", bare) as study:
        run(study, 1)
    assert len(find_study(HERE, "run", bare).trials) == 1
    monkeypatch.setenv(VARIABLE, "wr0ng")
    assert len(find_study(HERE, "run", database).trials) == 1  # The URL's own comes first.
    assert "wr0ng" not in refusal(bare)


def test_a_study_that_is_not_there(database):
    with pytest.raises(RunError, match="holds no study 'run'; run 'tuckprune search' first") as error:
        find_study(HERE, "run", database)
    assert PASSWORD not in str(error.value)
    with opened_study(HERE, "another", database), pytest.raises(RunError, match="holds no study 'run'"):
        find_study(HERE, "run", database)


def test_a_missing_driver_is_named(database, monkeypatch):
    package = "psycopg" if database.startswith("postgresql") else "pymysql"
    monkeypatch.setitem(sys.modules, package, None)
    with pytest.raises(
        ConfigError, match=f"of the driver {package} to be installed, .* pip install 'tuckprune.storage"
    ):
        has_study(HERE, "run", database)


def test_a_study_keeps_to_its_configuration_on_every_machine(database, tmp_path):
    def given(**search):
        return config(tmp_path, search={"trials": 4, "workers": 2, "storage": database, **search})

    with opened_study(HERE, "run", database) as study:
        tie_to_config(study, given())
        tie_to_config(study, given(trials=8, workers=1))
        elsewhere = config(tmp_path / "b", search={"trials": 4, "workers": 2, "storage": database.replace("tuck", "x")})
        tie_to_config(study, elsewhere)
        with pytest.raises(RunError, match='another configuration .search.sampler: "layered" -> "tpe".; give this run'):
            tie_to_config(study, given(sampler="tpe"))
        kept = str(study.user_attrs)
    assert PASSWORD not in kept
    assert ENCODED not in kept


def test_a_study_in_the_folder_needs_no_configuration_of_its_own(tmp_path):
    study = optuna.create_study()
    tie_to_config(study, config(tmp_path))
    assert study.user_attrs == {}


def test_a_machine_that_vanished_is_noticed(server, database):
    """PostgreSQL's default is to keep the lock of a dead machine for hours; MySQL's, to drop one that waits long."""
    asked = {"postgresql": "SHOW tcp_keepalives_idle", "mysql": "SELECT @@SESSION.wait_timeout"}[server.scheme]
    with Server.of(database).writer("run") as storage, storage.engine.connect() as connection:
        assert int(connection.exec_driver_sql(asked).scalar()) == {"postgresql": 30, "mysql": 2147483}[server.scheme]
