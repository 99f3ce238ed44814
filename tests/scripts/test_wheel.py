"""The wheel: what it holds, and that it does all of a run where there is no clone of the repository."""

import os
import shutil
import subprocess
import sys
import venv
from pathlib import Path
from zipfile import ZipFile

import pytest

from tests.search.fixtures.runs import PATIENCE, ROOT, environment
from tests.test_layers import ALLOWED

pytestmark = [pytest.mark.wheel, pytest.mark.xdist_group("wheel")]

QUICK = [
    *("training.epochs=2", "finetune.epochs=1", "finals.epochs=1", "finals.candidates=1", "search.trials=2"),
    *("search.workers=1", "search.strategy=joint", "search.sensitivity=false", "proxy.steps=1"),
]


@pytest.fixture(scope="module")
def wheel(tmp_path_factory) -> Path:
    """Built of a copy, for the repository to stay as it is."""
    copy, built = tmp_path_factory.mktemp("copy"), tmp_path_factory.mktemp("built")
    for package in ALLOWED:
        shutil.copytree(ROOT / package, copy / package, ignore=shutil.ignore_patterns("__pycache__"))
    for name in ("pyproject.toml", "README.md", "LICENSE"):
        shutil.copy(ROOT / name, copy)
    ran([sys.executable, "-m", "pip", "wheel", "--quiet", "--no-deps", "--wheel-dir", built, copy], copy)
    (made,) = built.glob("tuckprune-*.whl")
    return made


def ran(command: list[object], home: Path) -> str:
    """What a command prints, in an environment that knows of no repository."""
    variables = {name: value for name, value in environment().items() if name != "PYTHONPATH"}
    made = subprocess.run(
        command, cwd=home, env=variables, capture_output=True, text=True, timeout=PATIENCE, check=False
    )
    assert made.returncode == 0, f"{command}: {made.stdout}{made.stderr}"
    return made.stdout


def test_it_holds_every_file_of_the_packages(wheel):
    with ZipFile(wheel) as file:
        held = {name for name in file.namelist() if ".dist-info" not in name}
    files = [path.relative_to(ROOT) for package in ALLOWED for path in (ROOT / package).rglob("*") if path.is_file()]
    assert held == {path.as_posix() for path in files if "__pycache__" not in path.parts}


def test_it_does_all_of_a_run(wheel, tmp_path):
    """In an environment with the libraries of this one, and no path to the repository."""
    home = tmp_path / "home"
    venv.create(tmp_path / "clean", with_pip=False)
    home.mkdir()
    python = tmp_path / "clean" / "bin" / "python"
    (packages,) = (tmp_path / "clean").glob("lib/python*/site-packages")
    # Of the folders in a .pth file no .pth files are read: not that of an editable installation either.
    libraries = [path for path in sys.path if path.endswith("site-packages")]
    (packages / "libraries.pth").write_text("\n".join(libraries), encoding="utf-8")
    ran([sys.executable, "-m", "pip", "--python", python, "install", "--quiet", "--no-deps", "--no-index", wheel], home)
    where = ran([python, "-c", "import search, configs; print(*search.__path__, *configs.__path__)"], home).split()
    assert where == [str(packages / "search"), str(packages / "configs")]
    config, run = packages / "configs" / "digits.yaml", home / "runs" / "digits"
    changes = [word for change in QUICK for word in ("--set", change)]
    for words in (
        ["train", config, *changes],
        ["search", config, *changes],
        ["export", run],
        ["compress", run / "model.keras", "--params", run / "parameters.json", "--config", config, *changes],
        ["report", run],
    ):
        ran([python.with_name("tuckprune"), *words], home)
    assert (run / "search.keras").is_file() and "<html" in (run / "report.html").read_text(encoding="utf-8")[:200]
    assert os.listdir(home) == ["runs"]
