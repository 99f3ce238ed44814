"""The notebook runs from its first cell to its last, and is kept with its pictures."""

from pathlib import Path

import nbformat
import pytest

from scripts.docs.run_notebook import NOTEBOOK, executed
from tests.search.fixtures.runs import PATIENCE
from tests.snippets import ROOT

TINY = """OVERRIDES = [
    "name=digits-notebook", "training.epochs=1", "finetune.epochs=0", "finals.candidates=0", "search.trials=2",
    "search.workers=1", "search.sensitivity=false", "data.train_limit=240", "proxy.steps=1",
    "proxy.recalibration_images=64", "front={quantity: flops, widest: 60%, levels: 2}", "recipe=[prune]",
    "space.ranks=false",
]

import pytest

from tests.search.fixtures.local_pool import use_local_pool
from tests.search.fixtures.nets import use_small_zoo

use_local_pool(pytest.MonkeyPatch())
use_small_zoo(pytest.MonkeyPatch())
"""
"""Few and short trials of a smaller network, judged in the notebook's own process."""


def read() -> nbformat.NotebookNode:
    return nbformat.read(NOTEBOOK, as_version=4)


def pictures(notebook: nbformat.NotebookNode) -> list[int]:
    """How many each code cell shows."""
    cells = [cell for cell in notebook.cells if cell.cell_type == "code"]
    return [sum("image/png" in output.get("data", {}) for output in cell.outputs) for cell in cells]


def test_it_is_kept_with_pictures_and_is_small() -> None:
    kept = read()
    assert sum(pictures(kept)) >= 7
    assert NOTEBOOK.stat().st_size < 500_000
    code = [cell for cell in kept.cells if cell.cell_type == "code"]
    assert [cell.execution_count for cell in code] == list(range(1, len(code) + 1))
    assert not [output for cell in code for output in cell.outputs if output.get("name") == "stderr"]


@pytest.mark.filterwarnings("ignore")  # What Jupyter's client warns of is not ours.
def test_it_runs_from_the_first_cell_to_the_last(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PYTHONPATH", str(ROOT))
    notebook = read()
    (settings,) = (cell for cell in notebook.cells if "settings" in cell.metadata.get("tags", ()))
    settings.source = TINY
    assert pictures(executed(notebook, tmp_path, timeout=PATIENCE)) == pictures(read())
    assert (tmp_path / "runs" / "digits-notebook" / "search.keras").is_file()
