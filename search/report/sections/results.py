"""The report's sections on the compressed models, the finals, and the files of the run."""

import json
import shlex
from pathlib import Path

from compress.errors import RunError
from compress.parameter_files.files import file_formats
from compress.parameter_files.json_format import JSON_FILE
from search.report.blocks import Block, Code, Files, Paragraph, Table
from search.report.figures.figure import figures_in
from search.report.run_view import RunView
from search.report.sections.section import section
from search.runs.results import INNER, SEARCH, SENSITIVITY, SIMPLE, columns, table_rows
from search.runs.run_folder import CONFIG_FILE
from search.study.finalist import Finalist
from search.study.trial_record import TrialRecord


def exports_table(path: Path) -> Table | None:
    """The table of ``exports.json``, whose keys are the headers; None where the file is missing.

    Raises:
        RunError: the file cannot be read as such a table.
    """
    if not path.exists():
        return None
    try:
        rows = json.loads(path.read_text(encoding="utf-8"))
        head = list(rows[0])
        cells = [[_cell(row[name]) for name in head] for row in rows]
    except (OSError, ValueError, TypeError, LookupError) as error:
        raise RunError(f"exports file '{path}' cannot be read: {error}; delete it and export again") from error
    return Table([name.replace("_", " ").capitalize() for name in head], cells)


def _cell(value: object) -> str:
    if isinstance(value, int) and not isinstance(value, bool):
        return f"{value:,}"
    return f"{value:.4g}" if isinstance(value, float) else str("" if value is None else value)


_FILES = {
    f"{SEARCH}.keras": "the searched model, fine-tuned: plain Keras, loads without tuckprune",
    f"{SIMPLE}.keras": "the model of recommended values, fine-tuned as the searched one",
    f"{INNER}.keras": "the model of one ratio within residual blocks, fine-tuned as the searched one",
    f"{SENSITIVITY}.keras": "the model of what the sweep alone suggests, fine-tuned as the searched one",
    **{name: file.purpose for form in file_formats() for name, file in form.files.items()},
    CONFIG_FILE: "the resolved configuration",
}


@section("result", "Result", order=10)
def result(view: RunView) -> list[Block]:
    """The comparison of the models."""
    blocks: list[Block] = []
    if view.results:
        blocks.append(Table(columns(view.results), table_rows(view.results)))
        blocks.append(
            Paragraph("On test images. In brackets: difference from the original, or how many times smaller.")
        )
    else:
        blocks.append(Paragraph("No model of this run is fine-tuned and tested yet; the commands below do so."))
    return blocks


@section("accuracy", "Quality and cost", order=20)
def accuracy_and_cost(view: RunView) -> list[Block]:
    """The metric against every cost that the budget limits."""
    return figures_in("accuracy", view)


@section("finals", "Finals", order=40)
def finals(view: RunView) -> list[Block]:
    """The finalists; empty for a run without finals."""
    finalists = view.outcome.finalists
    if not finalists:
        return []
    trials = {trial.source: trial for trial in view.outcome.trials}
    rows = [(finalist.source, _as_trial(trials.get(finalist.source)), _final(finalist)) for finalist in finalists]
    head = ("Finalist", "On validation images as a trial", "after the whole recipe")
    return [Table(head, rows), *figures_in("finals", view)]


@section("ship", "Files", order=30)
def ship(view: RunView) -> list[Block]:
    """The files of the run, and the commands that make the missing ones."""
    path, run = view.folder.path, shlex.quote(str(view.folder.path))
    config = shlex.quote(str(view.folder.config_file))
    model = shlex.quote(view.config.model.path or str(view.folder.trained_model))
    there = [(name, meaning) for name, meaning in _FILES.items() if (path / name).exists()]
    commands = [
        (JSON_FILE, f"tuckprune export {run}"),
        (f"{SEARCH}.keras", f"tuckprune compress {model} --params {run}/{JSON_FILE} --config {config}"),
        (f"{SIMPLE}.keras", f"tuckprune compress {model} --recommend --config {config}   # for comparison"),
    ]
    missing = [command for name, command in commands if not (path / name).exists()]
    blocks: list[Block] = [Files(there)]
    if missing:
        blocks += [Paragraph("To be made:"), Code("\n".join([*missing, f"tuckprune report {run}"]))]
    if (path / f"{SEARCH}.keras").exists():
        loading = f'import keras\n\nmodel = keras.models.load_model("{path / SEARCH}.keras")'
        blocks += [Paragraph("To use the searched model:"), Code(loading)]
    exports = exports_table(view.folder.exports_table)
    if exports is not None:
        blocks += [Paragraph("Formats that it was written in:"), exports]
    return blocks


def _as_trial(trial: TrialRecord | None) -> str:
    return "" if trial is None or trial.score is None else trial.score.text


def _final(finalist: Finalist) -> str:
    if finalist.score is None:
        return f"failed: {finalist.error}"
    return finalist.score.text
