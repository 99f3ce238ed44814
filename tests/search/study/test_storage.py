"""The study survives whatever happens to the process that writes it."""

import signal
import subprocess
import sys
from pathlib import Path

import optuna
import pytest
from optuna.trial import TrialState

from compress.errors import RunError
from search.study.journal import one_batch
from search.study.storage import FILES, JOURNAL_FILE, SQLITE_FILE, find_study, has_study, open_study
from tests.search.fixtures.studies import run, trials

KINDS = ("journal", "sqlite")
ROOT = Path(__file__).parents[3]

WRITER = """
import sys
from pathlib import Path
from search.study.storage import open_study
study = open_study(Path(sys.argv[1]), "run", sys.argv[2])
while True:
    trial = study.ask()
    value = trial.suggest_float("x", 0, 1)
    study.tell(trial, value)
    print(trial.number, value, flush=True)
"""


def started(study):
    """A trial that has its proposal, as at the moment a driver is killed."""
    trial = study.ask()
    trial.suggest_float("x", 0, 1)
    trial.set_user_attr("start", "SLAMP")
    return trial


@pytest.mark.parametrize("kind", KINDS)
def test_what_was_written_is_read_back(tmp_path, kind):
    study = open_study(tmp_path, "run", kind)
    run(study, 3)
    assert (tmp_path / FILES[kind]).is_file()
    assert trials(open_study(tmp_path, "run", kind)) == trials(study)
    assert trials(find_study(tmp_path, "run")) == trials(study)


@pytest.mark.parametrize("kind", KINDS)
def test_running_trials_are_queued_as_they_are(tmp_path, kind):
    study = open_study(tmp_path, "run", kind)
    run(study, 2)
    running = [started(study), started(study)]
    study.enqueue_trial({"x": 0.5})
    for _ in range(2):  # Killed once more before it asked for anything: nothing changes.
        study = open_study(tmp_path, "run", kind)
        states = [trial.state for trial in study.trials]
        assert states == [TrialState.COMPLETE] * 2 + [TrialState.WAITING] * 3
    again = [study.ask() for _ in range(3)]
    assert [trial.number for trial in again] == [2, 3, 4]
    assert [trial.suggest_float("x", 0, 1) for trial in again] == [*(trial.params["x"] for trial in running), 0.5]
    assert [trial.user_attrs.get("start") for trial in again] == ["SLAMP", "SLAMP", None]


@pytest.mark.parametrize("kind", KINDS)
def test_reading_leaves_a_running_search_alone(tmp_path, kind):
    """`report` may be called while a driver is writing: half a line is one that is not finished yet."""
    study = open_study(tmp_path, "run", kind)
    run(study, 2)
    running = started(study)
    if kind == "journal":
        with (tmp_path / JOURNAL_FILE).open("ab") as file:
            file.write(b'{"op_code":')
        (tmp_path / f"{JOURNAL_FILE}.lock").touch()
    before = {path.name: path.read_bytes() for path in tmp_path.iterdir()}
    read = find_study(tmp_path, "run")
    assert [trial.state for trial in read.trials] == [TrialState.COMPLETE] * 2 + [TrialState.RUNNING]
    assert read.trials[2].params == running.params
    assert {path.name: path.read_bytes() for path in tmp_path.iterdir()} == before


def test_a_torn_last_line_is_dropped_wherever_it_is_torn(tmp_path):
    journal = tmp_path / JOURNAL_FILE
    run(open_study(tmp_path, "run", "journal"), 3)
    content = journal.read_bytes()
    whole = [(number, *rest) for number, *rest in trials(open_study(tmp_path, "run", "journal"))]
    last_line = content.rstrip(b"\n").rfind(b"\n") + 1
    for end in range(last_line + 1, len(content)):
        journal.write_bytes(content[:end])
        study = open_study(tmp_path, "run", "journal")
        assert trials(study)[:2] == whole[:2]
        # The torn line told of the third trial's end: it is to be run again, with its proposal.
        assert study.ask().suggest_float("x", 0, 1) == whole[2][2]["x"]
    assert journal.read_bytes().endswith(b"\n")
    run(study, 1)
    assert len(trials(open_study(tmp_path, "run", "journal"))) == 4


def test_missing_lines_are_noticed_wherever_they_are(tmp_path):
    """Whatever they hold: a study, a trial, a parameter, a figure, an end. Only the last lines may never have been."""
    journal = tmp_path / JOURNAL_FILE
    study = open_study(tmp_path, "run", "journal")
    run(study, 3)
    with one_batch(study):
        started(study)
    lines = journal.read_bytes().splitlines(keepends=True)
    for first in range(len(lines)):
        for missing in (1, 2, 5):
            journal.write_bytes(b"".join([*lines[:first], *lines[first + missing :]]))
            if first + missing >= len(lines):
                assert len(find_study(tmp_path, "run").trials) <= 4
                continue
            for opened in (find_study, lambda *run: open_study(*run, "journal")):
                with pytest.raises(RunError, match=rf"'{journal}' is damaged: expected line {first + 1} at byte \d+, "):
                    opened(tmp_path, "run")


def test_a_line_that_was_changed_is_noticed_at_the_next(tmp_path):
    journal = tmp_path / JOURNAL_FILE
    run(open_study(tmp_path, "run", "journal"), 2)
    journal.write_bytes(journal.read_bytes().replace(b'"study_name":"run"', b'"study_name": "run"'))
    with pytest.raises(RunError, match="expected line 2 at byte .* lines before it are missing or were changed"):
        find_study(tmp_path, "run")


def test_lines_that_go_missing_while_it_is_read_are_noticed(tmp_path):
    """Nothing of what was read before is read again, and the next lines tell."""
    journal = tmp_path / JOURNAL_FILE
    writer = open_study(tmp_path, "run", "journal")
    run(writer, 1)
    reader = find_study(tmp_path, "run")
    begins = journal.stat().st_size
    run(writer, 1)
    content = journal.read_bytes()
    journal.write_bytes(content[:begins] + content[content.index(b"\n", begins) + 1 :])
    with pytest.raises(RunError, match=f"received it at byte {begins}: lines before it are missing"):
        reader.get_trials()


def test_a_lock_left_behind_does_not_delay(tmp_path):
    run(open_study(tmp_path, "run", "journal"), 1)
    lock = tmp_path / f"{JOURNAL_FILE}.lock"
    lock.touch()
    study = open_study(tmp_path, "run", "journal")
    run(study, 1)  # Would wait for 30 seconds.
    assert not lock.exists()


@pytest.mark.parametrize("kind", KINDS)
def test_a_killed_writer_loses_nothing(tmp_path, kind):
    told = {}
    for _ in range(2):
        command = [sys.executable, "-c", WRITER, str(tmp_path), kind]
        with subprocess.Popen(command, stdout=subprocess.PIPE, text=True, cwd=ROOT) as process:
            assert process.stdout is not None
            for line in process.stdout:
                number, value = line.split()
                told[int(number)] = float(value)
                if len(told) % 10 == 0:
                    break
            process.send_signal(signal.SIGKILL)
    study = open_study(tmp_path, "run", kind)
    result = study.trials
    assert [trial.number for trial in result] == list(range(len(result)))
    complete = {trial.number: trial.value for trial in result if trial.state == TrialState.COMPLETE}
    assert told.items() <= complete.items()
    # At most one trial was under way.
    assert sorted(complete) == list(range(len(complete)))
    assert [trial.state for trial in result[len(complete) :]] in ([], [TrialState.WAITING])
    run(study, 2)
    assert len(study.get_trials(states=(TrialState.COMPLETE,))) == len(complete) + 2


@pytest.mark.parametrize(("kind", "content"), [("journal", b"not json\nat all\n"), ("sqlite", b"not a database")])
@pytest.mark.parametrize("opened", ["to write", "to read"])
def test_an_unreadable_file_is_one_line(tmp_path, kind, content, opened):
    (tmp_path / FILES[kind]).write_bytes(content)
    with pytest.raises(RunError) as error:
        open_study(tmp_path, "run", kind) if opened == "to write" else find_study(tmp_path, "run")
    message = str(error.value)
    assert message.startswith(f"the study in '{tmp_path}' cannot be opened: ")
    assert "\n" not in message
    assert (tmp_path / FILES[kind]).read_bytes() == content


def test_a_folder_without_a_study(tmp_path):
    with pytest.raises(RunError, match=f"holds no study .expected {JOURNAL_FILE} or {SQLITE_FILE}"):
        find_study(tmp_path, "run")
    assert list(tmp_path.iterdir()) == []


def test_a_study_of_another_name(tmp_path):
    open_study(tmp_path, "run", "journal")
    with pytest.raises(RunError, match="cannot be opened"):
        find_study(tmp_path, "another")


def test_optuna_still_takes_a_running_trial_back():
    """What requeueing rests on: storages let a trial go from RUNNING to WAITING, and hand it out again."""
    study = optuna.create_study()
    trial = started(study)
    study._storage.set_trial_state_values(trial._trial_id, state=TrialState.WAITING)
    assert study.ask().number == trial.number


@pytest.mark.parametrize("kind", FILES)
def test_a_folder_has_a_study_once_it_was_opened(tmp_path, kind):
    assert not has_study(tmp_path, "run", kind)
    open_study(tmp_path, "run", kind)
    assert has_study(tmp_path, "run", kind)


@pytest.mark.parametrize("kind", KINDS)
def test_a_front_has_two_objectives_and_is_read_back(tmp_path, kind):
    study = open_study(tmp_path, "run", kind, front=True)
    study.tell(study.ask(), [0.5, 0.25])
    for again in (open_study(tmp_path, "run", kind, front=True), find_study(tmp_path, "run")):
        assert [direction.name for direction in again.directions] == ["MAXIMIZE", "MINIMIZE"]
        assert again.trials[0].values == [0.5, 0.25]
