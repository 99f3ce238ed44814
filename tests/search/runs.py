"""Configurations and command lines for tests that need a run."""

import hashlib
import os
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import yaml

from configs.load import check_config
from configs.schema import RunConfig

ROOT = Path(__file__).parents[2]


def document(folder: Path, **changes: Any) -> dict[str, Any]:
    """A run on the digits with the tiny model, as small as it can be; changes replace whole sections."""
    return {
        "name": "run",
        "runs": str(folder / "runs"),
        "model": {"path": str(folder / "tiny.keras")},
        "data": {"source": "digits", "train_limit": 256, "test_limit": 200},
        "training": {"epochs": 1, "batch_size": 64},
        "finetune": {"epochs": 0},
        "budget": {"flops": 0.5},
        "proxy": {"recalibration_images": 64, "steps": 2, "batch_size": 32},
        "search": {"trials": 4, "workers": 2},
        **changes,
    }


def config(folder: Path, **changes: Any) -> RunConfig:
    """The same, checked."""
    return check_config(document(folder, **changes), "test")


def written(folder: Path, **changes: Any) -> Path:
    """The same as a file."""
    path = folder / "config.yaml"
    path.write_text(yaml.safe_dump(document(folder, **changes)), encoding="utf-8")
    return path


def tuckprune(*arguments: object) -> list[str]:
    """A command line that behaves as the console script does."""
    # What a shell starts in the background inherits that Ctrl-C is ignored; the tests must not.
    interruptible = "import signal; signal.signal(signal.SIGINT, signal.default_int_handler)"
    code = f"{interruptible}; import sys; sys.argv[0] = 'tuckprune'; from search.cli import main; main()"
    return [sys.executable, "-c", code, *(str(argument) for argument in arguments)]


def environment() -> dict[str, str]:
    """The caller's, with the packages on the path and room for long lines."""
    return {**os.environ, "PYTHONPATH": str(ROOT), "COLUMNS": "200", "TF_CPP_MIN_LOG_LEVEL": "3"}


def called(*arguments: object, cwd: Path) -> subprocess.CompletedProcess[str]:
    """Run a command to its end."""
    command = tuckprune(*arguments)
    return subprocess.run(command, cwd=cwd, env=environment(), capture_output=True, text=True, timeout=300, check=False)


def tree(folder: Path) -> dict[str, str]:
    """Every file below a folder and what it holds; lock files hold nothing."""
    files = sorted(path for path in folder.rglob("*") if path.is_file() and path.name != ".lock")
    folders = {str(path.relative_to(folder)): "folder" for path in folder.rglob("*") if path.is_dir()}
    return folders | {str(path.relative_to(folder)): hashlib.sha256(path.read_bytes()).hexdigest() for path in files}


def refused(tuckprune: Callable[..., tuple[int, str, str]], home: Path, *arguments: object) -> str:
    """The one line of an error; nothing was written."""
    before = tree(home)
    code, out, err = tuckprune(*arguments)
    assert code == 1
    assert "Traceback" not in out + err
    assert len(err.splitlines()) == 1, err
    assert err.startswith("error: ")
    assert tree(home) == before
    return err.strip()
