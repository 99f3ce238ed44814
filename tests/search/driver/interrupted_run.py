"""A real run of the command line on a local Ray cluster: interrupted, killed, and resumed each time."""

import os
import signal
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from optuna.trial import FrozenTrial

from search.study.storage import find_study
from tests.search.fixtures import in_turn
from tests.search.fixtures.forked import Forked
from tests.search.fixtures.runs import PATIENCE, command, environment, written

TRIALS = 6
MARK = "TUCKPRUNE_TEST_RUN"
ONE_WORKER = ("--set", "search.workers=1")
"""To go on with fewer workers, each of which takes seconds to load TensorFlow."""


@dataclass(frozen=True)
class Stopped:
    """How a driver ended, how many processes it then had, what it had said, and the trials that it left."""

    code: int
    processes: int
    output: str
    errors: str
    trials: list[FrozenTrial]


@dataclass(frozen=True)
class InterruptedRun:
    """The run's home, with `config.yaml` and the model, and every start of its driver."""

    home: Path
    config: Path
    starts: dict[str, Stopped]

    @property
    def folder(self) -> Path:
        return self.home / "runs" / "run"


def interrupted_run(home: Path) -> InterruptedRun:
    """Stop two workers after the first trial, one after another trial, and then not at all, on this process's Ray."""
    # Long enough trials for the signals to arrive while some are running.
    slow = {"recalibration_images": 64, "steps": 150, "batch_size": 32}
    config = written(
        home, search={"trials": TRIALS, "workers": 2}, proxy=slow, finetune={"epochs": 1}, finals={"candidates": 1}
    )
    # Ctrl-C reaches every process of the terminal's foreground group, SIGKILL the driver alone.
    starts = {
        "SIGINT": stopped(home, ("search", config), lambda driver: os.killpg(driver.pid, signal.SIGINT)),
        "SIGKILL": stopped(home, ("search", config, *ONE_WORKER), lambda driver: driver.kill()),
    }
    ended = in_turn.run("search", config, *ONE_WORKER)
    starts["finished"] = Stopped(ended.returncode, 0, ended.stdout, ended.stderr, trials(home))
    return InterruptedRun(home, config, starts)


def trials(home: Path) -> list[FrozenTrial]:
    """Those of the run in its study."""
    return find_study(home / "runs" / "run", "run").trials


def processes(home: Path) -> list[str]:
    """Command lines of the processes that a driver of this run started."""
    result = []
    for entry in Path("/proc").iterdir():
        try:
            if entry.name.isdigit() and f"{MARK}={home}".encode() in (entry / "environ").read_bytes():
                result.append((entry / "cmdline").read_text(errors="replace"))
        except OSError:  # It has ended meanwhile, or is another user's.
            continue
    return result


def stopped(home: Path, words: tuple[object, ...], stop: Callable[[Forked], None]) -> Stopped:
    """Run a command in a process of its own, and stop it when it says a line about a trial."""
    errors = home / "errors.txt"
    errors.unlink(missing_ok=True)
    driver = Forked(command(*words), home, {**environment(), MARK: str(home)}, errors)
    with driver.stdout as output:
        said, running = [], 0
        for line in output:
            said.append(line)
            if "trial " in line and not running:
                running = len(processes(home))
                stop(driver)
    code = driver.wait(timeout=PATIENCE)
    return Stopped(code, running, "".join(said), errors.read_text(), trials(home))
