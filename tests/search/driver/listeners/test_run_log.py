"""The log of a run, line by line."""

import json

import pytest

from compress.errors import RunError
from search.driver.listeners.run_log import RunLog, run_warnings
from tests.search.driver.listeners.records import COST, record


def lines(path):
    result = [json.loads(line) for line in path.read_text().splitlines()]
    assert all(line.pop("time").endswith("+00:00") for line in result)
    return result


def test_every_worker_has_a_file_and_every_trial_a_line(tmp_path):
    log = RunLog(tmp_path / "logs")
    log.settled(record(0, worker="node:17", start="SLAMP"))
    log.settled(record(1, worker="node:18", lost=("its node died",)))
    log.settled(record(2, worker="node:17"))
    log.settled(record(3, state="failed", score=None, error="no memory"))
    log.warned("a worker was lost")
    assert sorted(path.name for path in (tmp_path / "logs").iterdir()) == [
        "driver.jsonl",
        "node-17.jsonl",
        "node-18.jsonl",
    ]
    figures = {"accuracy": 0.5, "loss": 1.25, "flops": COST.flops, "params": COST.params, "seconds": 2.0}
    assert lines(tmp_path / "logs" / "node-17.jsonl") == [
        {"trial": 0, "state": "complete", "start": "SLAMP", **figures},
        {"trial": 2, "state": "complete", **figures},
    ]
    assert lines(tmp_path / "logs" / "node-18.jsonl") == [
        {"trial": 1, "state": "complete", **figures, "lost_workers": ["its node died"]}
    ]
    failed = {"trial": 3, "state": "failed", "flops": COST.flops, "params": COST.params, "seconds": 2.0}
    assert lines(tmp_path / "logs" / "driver.jsonl") == [
        failed | {"error": "no memory"},
        {"warning": "a worker was lost"},
    ]


def test_a_log_that_cannot_be_written(tmp_path):
    (tmp_path / "logs").write_text("a file")
    with pytest.raises(RunError, match=r"the log '.*driver.jsonl' cannot be written \("):
        RunLog(tmp_path / "logs").warned("anything")


@pytest.mark.parametrize("kept", [0.0, 0.4, 0.99])
def test_a_line_that_was_cut_takes_none_with_it(tmp_path, kept):
    """A killed driver, or a full disk, leaves half a line; the next driver writes behind it."""
    log = RunLog(tmp_path)
    log.warned("first")
    (path,) = tmp_path.iterdir()
    whole = path.read_bytes()
    path.write_bytes(whole + whole[: round(kept * len(whole))])
    log.warned("second")
    log.warned("third")
    assert [text for _, text in run_warnings(tmp_path)] in (
        ["first", *cut, "second", "third"] for cut in ([], ["first"])
    )
    # What an earlier version wrote: two lines in one.
    path.write_bytes(whole + whole[:20] + whole)
    assert [text for _, text in run_warnings(tmp_path)] == ["first"]
