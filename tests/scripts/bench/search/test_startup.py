"""The benchmark of commands that read: one process, and medians of several."""

import resource

from scripts.bench.search import startup


def test_a_command_is_measured(monkeypatch):
    monkeypatch.setattr(startup.sys, "executable", "/bin/true")
    processor, wall, peak = startup.measured(["status"])
    # Linux counts what the process holds that starts another one, which is little in the benchmark.
    own = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1e3
    assert 0 <= processor <= 1 and 0 < wall < 60 and 0 < peak <= own + 100


def test_medians_by_command(monkeypatch):
    figures = iter([(1.0, 2.0, 3.0), (9.0, 9.0, 9.0)] * 2 + [(2.0, 3.0, 4.0), (9.0, 9.0, 9.0)])
    monkeypatch.setattr(startup, "measured", lambda words: next(figures))
    first, second = startup.medians({"status": ["status"], "front": ["front"]}, rounds=3)
    assert first == {"command": "status", "processor_seconds": 1.0, "wall_seconds": 2.0, "peak_mb": 3.0}
    assert second["command"] == "front" and second["peak_mb"] == 9.0
