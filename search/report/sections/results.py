"""The report's section on the compressed models and their exported files."""

import json
import shlex
from pathlib import Path

from compress.errors import RunError
from compress.parameter_files.files import (
    JSON_FILE,
    NETSPRESSO_RANKS_FILE,
    NETSPRESSO_RATIOS_FILE,
    RANKS_FILE,
    RATIOS_FILE,
)
from objectives.cost.quantities.standard import FLOPS
from search import settings
from search.report.elements import Block, Chart, Code, Files, Note, Section, Table
from search.report.figures.accuracy import accuracy_against
from search.report.figures.finals import Reranked, proxy_and_final
from search.report.run_view import RunView
from search.runs.results import SEARCH, SIMPLE, columns, table_rows
from search.runs.run_folder import CONFIG_FILE
from search.study.finalist import Finalist
from search.study.trial_record import TrialRecord


def exports_table(path: Path) -> Table | None:
    """The table of an exports file, a list of objects whose keys are the headers; None where there is none.

    Raises:
        RunError: the file is not a list of such objects.
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
    f"{SIMPLE}.keras": "the model of recommended values, fine-tuned the same way",
    JSON_FILE: "ratios and ranks of the winner, for tuckprune compress",
    RATIOS_FILE: "its ratios as NPTK lists them",
    RANKS_FILE: "its ranks as NPTK lists them",
    NETSPRESSO_RATIOS_FILE: "its ratios for NetsPresso's compressor",
    NETSPRESSO_RANKS_FILE: "its ranks for NetsPresso's compressor",
    CONFIG_FILE: "the resolved configuration",
}


def result(view: RunView) -> Section:
    """The comparison of the models."""
    blocks: list[Block] = []
    if view.results:
        blocks.append(Table(columns(view.results), table_rows(view.results)))
        blocks.append(
            Note("On test images. In brackets: difference from the original in points, and how many times less.")
        )
    else:
        blocks.append(Note("No model of this run is fine-tuned and tested yet; the commands below do so."))
    return Section("result", "Result", blocks)


def accuracy_and_cost(view: RunView) -> Section:
    """Accuracy against FLOPs, and against every other quantity that the budget limits."""
    limited = settings.limited_quantities(view.config.budget)
    charts = []
    for quantity in dict.fromkeys([FLOPS, *limited]):
        limit = view.layers.budget.limit(quantity) if view.layers else None
        figure = accuracy_against(
            quantity, view.results, view.outcome.trials, view.outcome.finalists, limit.most if limit else None
        )
        charts.append(Chart(f"accuracy-{quantity.name}", figure, _ACCURACY_NOTE))
    return Section("accuracy", "Accuracy and cost", charts)


_ACCURACY_NOTE = (
    "Stars: test images, after fine-tuning. Circles: validation images, after the short repair of a trial. Dotted: the "
    "budget."
)


def finals(view: RunView) -> Section | None:
    """The finalists; None where no finals were held."""
    finalists = view.outcome.finalists
    if not finalists:
        return None
    trials = {trial.source: trial for trial in view.outcome.trials}
    rows = [(finalist.source, _accuracy(trials.get(finalist.source)), _final(finalist)) for finalist in finalists]
    head = ("Finalist", "Validation accuracy as a trial", "after the whole recipe")
    blocks: list[Block] = [Table(head, rows)]
    reranked = Reranked.of(view.outcome.trials, finalists)
    if reranked is not None:
        blocks.append(Chart("finals", proxy_and_final(reranked)))
    return Section("finals", "Finals", blocks)


def ship(view: RunView) -> Section:
    """Where the files are, and the commands that make those which are missing."""
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
        blocks += [Note("To be made:"), Code("\n".join([*missing, f"tuckprune report {run}"]))]
    if (path / f"{SEARCH}.keras").exists():
        loading = f'import keras\n\nmodel = keras.models.load_model("{path / SEARCH}.keras")'
        blocks += [Note("To use the searched model:"), Code(loading)]
    exports = exports_table(view.folder.exports_table)
    if exports is not None:
        blocks += [Note("Formats that it was written in:"), exports]
    return Section("ship", "Files", blocks)


def _accuracy(trial: TrialRecord | None) -> str:
    return "" if trial is None or trial.score is None else trial.score.text(trial.metric).removeprefix("accuracy ")


def _final(finalist: Finalist) -> str:
    if finalist.score is None:
        return f"failed: {finalist.error}"
    return finalist.score.text(finalist.metric).removeprefix("accuracy ")
