"""What commands take that only read: processor and wall seconds, and the memory at its peak.

Run from the repository's root: ``python -m scripts.bench.search.startup runs/digits models/resnet50.keras``, with a run
that is finished, and a model to inspect. Writes docs/results/startup.json: medians of five processes each, in turn.
"""

import argparse
import json
import os
import statistics
import subprocess
import sys
import time
from collections.abc import Mapping, Sequence
from pathlib import Path

JSON_FILE = Path(__file__).parents[3] / "docs" / "results" / "startup.json"
FIGURES = ("processor_seconds", "wall_seconds", "peak_mb")


def measured(words: Sequence[str]) -> tuple[float, float, float]:
    """Processor seconds, wall seconds and megabytes of one command, which has to succeed."""
    started = time.perf_counter()
    process = subprocess.Popen(
        [sys.executable, "-m", "search", *words], stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL
    )
    _, status, usage = os.wait4(process.pid, 0)
    process.returncode = os.waitstatus_to_exitcode(status)
    if process.returncode:
        raise SystemExit(f"tuckprune {' '.join(words)} ended with exit code {process.returncode}")
    return usage.ru_utime + usage.ru_stime, time.perf_counter() - started, usage.ru_maxrss / 1e3


def medians(commands: Mapping[str, Sequence[str]], rounds: int) -> list[dict[str, str | float]]:
    """Of each command, by what it is called; every round runs all of them."""
    taken = [[measured(words) for words in commands.values()] for _ in range(rounds)]
    return [
        {"command": name}
        | {figure: round(statistics.median(run[i][k] for run in taken), 2) for k, figure in enumerate(FIGURES)}
        for i, name in enumerate(commands)
    ]


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("run", type=Path)
    parser.add_argument("model", type=Path)
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--out", type=Path, default=JSON_FILE)
    given = parser.parse_args()
    commands = {name: [name, str(given.run)] for name in ("status", "export", "front", "report")}
    commands |= {f"inspect {given.model.stem}": ["inspect", str(given.model)], "--help": ["--help"]}
    results = medians(commands, given.rounds)
    given.out.write_text(json.dumps(results, indent=1) + "\n", encoding="utf-8")
    print(json.dumps(results, indent=1))


if __name__ == "__main__":
    main()
