"""Execute docs/digits.ipynb again and keep it with its pictures, without what libraries print to standard error.

python -m scripts.docs.run_notebook
"""

import tempfile
from pathlib import Path

import nbformat
from nbclient import NotebookClient

NOTEBOOK = Path(__file__).parents[2] / "docs" / "digits.ipynb"


def executed(notebook: nbformat.NotebookNode, folder: Path, timeout: int = 3600) -> nbformat.NotebookNode:
    """The notebook with the outputs of a run in `folder`, where its run folder is left.

    Raises:
        nbclient.exceptions.CellExecutionError: a cell raises.
    """
    NotebookClient(notebook, timeout=timeout, resources={"metadata": {"path": str(folder)}}).execute()
    for cell in notebook.cells:
        cell.metadata.pop("execution", None)
        if cell.cell_type == "code":
            cell.outputs = [output for output in cell.outputs if output.get("name") != "stderr"]
    return notebook


if __name__ == "__main__":
    with tempfile.TemporaryDirectory() as folder:
        nbformat.write(executed(nbformat.read(NOTEBOOK, as_version=4), Path(folder)), NOTEBOOK)
