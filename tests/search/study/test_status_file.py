"""The file that tells how a run stands: believed only where the study cannot have gone on without it."""

import json
import time

import pytest

from search.study.standing import standing_of
from search.study.status_file import StatusFile
from search.study.storage import JOURNAL_FILE, open_study


@pytest.fixture
def run(tmp_path):
    """A study with a trial that is running, and the file for it."""
    study = open_study(tmp_path, "run", "journal")
    study.ask()
    file = StatusFile(tmp_path)
    file.write({"run": standing_of(study)})
    return study, file


def changed(file, **fields):
    path = file.folder / "status.json"
    path.write_text(json.dumps(json.loads(path.read_text()) | fields))


def test_what_was_written_is_read(run):
    study, file = run
    for driver in (False, True):
        assert file.read(["run"], driver) == ([standing_of(study)], 0.0)


@pytest.mark.parametrize(("seconds", "driver", "told"), [(5, True, True), (5, False, False), (100, True, False)])
def test_an_older_one_is_told_only_while_a_driver_is_at_work(run, seconds, driver, told):
    study, file = run
    before = standing_of(study)
    study.ask()
    changed(file, written=time.time() - seconds)
    known = file.read(["run"], driver)
    assert (known is not None) == told
    if known is not None:
        assert known[0] == [before] and seconds <= known[1] < seconds + 60


def test_a_journal_of_equal_length_is_told_apart(run):
    study, file = run
    path = file.folder / JOURNAL_FILE
    content = path.read_bytes()
    path.write_bytes(content[:-30] + content[-30:].replace(b'"at":1', b'"at":2'))
    assert path.read_bytes() != content and path.stat().st_size == len(content)
    assert file.read(["run"], driver=False) is None


def test_without_a_journal_only_a_driver_at_work_makes_it_true(run):
    _, file = run
    (file.folder / JOURNAL_FILE).unlink()
    changed(file, mark=None)
    assert file.read(["run"], driver=False) is None
    assert file.read(["run"], driver=True) is not None


@pytest.mark.parametrize(
    "text", ["", "{", "[]", "null", '{"studies": {}}', '{"studies": {"run": {}}, "mark": "", "written": 0}']
)
def test_what_is_no_such_file_tells_nothing(run, text):
    _, file = run
    (file.folder / "status.json").write_text(text)
    assert file.read(["run"], driver=True) is None


def test_a_study_that_it_lacks_is_told_by_nobody(run):
    _, file = run
    assert file.read(["run: prune", "run"], driver=True) is None
    (file.folder / "status.json").unlink()
    assert file.read(["run"], driver=True) is None
