"""The latency table of a run: measured when its budget first asks for it, then kept in the run folder."""

from typing import Any

from configs.schema import RunConfig
from objectives.latency_laws import measured_table
from objectives.latency_table import LatencyTable
from search import settings
from search.run_folder import RunFolder


def latency_table(config: RunConfig, model: Any) -> LatencyTable | None:
    """The run's table, measured on this machine where the run has none yet; None where latency is not limited.

    Raises:
        ModelError: the model cannot be run to be measured.
        RunError: the run's table cannot be read.
    """
    if config.budget.latency is None:
        return None
    path = RunFolder.of(config).latency_table
    return LatencyTable.read(path) if path.exists() else measured_table(model, settings.latency(config.latency))


def keep_latency_table(table: LatencyTable | None, folder: RunFolder) -> None:
    """Write a table into the run folder, where a resumed search and compression find it."""
    if table is not None and not folder.latency_table.exists():
        table.write(folder.latency_table)
