"""What a killed driver leaves is ended by the next one, and nothing else is."""

import json
import os
import subprocess
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import asdict, replace
from pathlib import Path

import psutil
import pytest

from search.workers.leftovers import Process, children, end_leftovers, recorded


@pytest.fixture(autouse=True)
def records(tmp_path, monkeypatch) -> Path:
    monkeypatch.setattr(tempfile, "tempdir", str(tmp_path))
    return tmp_path / f"tuckprune-{os.getuid()}"


@contextmanager
def sleeper() -> Iterator[Process]:
    with subprocess.Popen(["sleep", "60"]) as process:
        yield Process(process.pid, psutil.Process(process.pid).create_time())
        process.kill()


def ended() -> Process:
    with sleeper() as process:
        psutil.Process(process.pid).kill()
    return process


def lives(process: Process) -> bool:
    return psutil.Process(process.pid).status() != psutil.STATUS_ZOMBIE


def written(folder: Path, text: str) -> Path:
    folder.mkdir(mode=0o700, exist_ok=True)
    record = folder / "1.json"
    record.write_text(text)
    return record


def record_of(folder: Path, *processes: Process) -> Path:
    return written(folder, json.dumps([asdict(process) for process in processes]))


def test_a_record_lasts_as_long_as_its_driver(records):
    with sleeper() as process:
        assert process in children()
        with recorded({process}):
            (record,) = records.iterdir()
            driver, child = json.loads(record.read_text())
            assert (driver["pid"], child) == (os.getpid(), asdict(process))
            end_leftovers()
            assert record.exists() and lives(process)
    assert list(records.iterdir()) == []


def test_what_a_dead_driver_left_is_ended(records):
    with sleeper() as process:
        record = record_of(records, ended(), process)
        end_leftovers()
        psutil.Process(process.pid).wait(10)
    assert not record.exists()


@pytest.mark.parametrize("same", ["pid", "created"])
def test_a_process_that_only_has_its_number_is_left_alone(records, same):
    with sleeper() as process:
        other = replace(process, created=0.0) if same == "pid" else replace(ended(), created=process.created)
        record = record_of(records, ended(), other)
        end_leftovers()
        assert lives(process) and not record.exists()


@pytest.mark.parametrize("text", ["", "[{", '[{"pid": 1}]', "[1]", "{}"])
def test_a_broken_record_is_removed(records, text):
    record = written(records, text)
    end_leftovers()
    assert not record.exists()


def test_a_folder_that_others_may_write_to_is_not_trusted(records):
    with sleeper() as process:
        record = record_of(records, ended(), process)
        records.chmod(0o777)
        end_leftovers()
        with recorded({process}):
            assert list(records.iterdir()) == [record]
        assert lives(process)


def test_without_a_folder_nothing_is_recorded(records):
    records.write_text("in the way")
    end_leftovers()
    with sleeper() as process, recorded({process}):
        assert records.is_file()
