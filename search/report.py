"""The report of a run: one self-contained HTML page and the comparison as Markdown."""

from collections.abc import Sequence
from html import escape
from pathlib import Path

from search import figures
from search.finalist import Finalist
from search.pipeline import SearchOutcome, find_run
from search.results import columns, markdown_table, read_results, table_rows
from search.rung import counts_text, rung_counts
from search.trial_record import COMPLETE, FAILED, INFEASIBLE, STOPPED, TrialRecord, figures_of

_STYLE = """
body { font: 16px/1.5 system-ui, sans-serif; max-width: 64rem; margin: 2rem auto; padding: 0 1rem; color: #1d2733; }
table { border-collapse: collapse; width: 100%; }
th, td { padding: .4rem .8rem; border-bottom: 1px solid #d5dbe3; text-align: right; }
th:first-child, td:first-child { text-align: left; }
"""


def write_report(run: Path) -> list[Path]:
    """Write ``report.html`` and ``table.md`` into the run folder; returns their paths.

    Raises:
        RunError: no run folder, or no usable trial in it.
    """
    outcome = find_run(run)
    results = read_results(outcome.folder.results)
    page, table = run / "report.html", run / "table.md"
    table.write_text(markdown_table(results), encoding="utf-8")
    page.write_text(_page(outcome), encoding="utf-8")
    return [page, table]


def _page(outcome: SearchOutcome) -> str:
    results, parameters = read_results(outcome.folder.results), outcome.winner.parameters
    charts = [figures.accuracy_and_flops(results, outcome.trials, outcome.finalists)]
    for trials in _by_stage(outcome.trials):
        charts += [figures.history(trials)]
        charts += [figures.metric_history(trials)] if any(trial.value is not None for trial in trials) else []
    charts += [figures.ratios(parameters)] if parameters.ratios else []
    charts += [figures.ranks(parameters)] if parameters.ranks else []
    # The library goes into the first figure, so that the page opens without a network.
    parts = [chart.to_html(full_html=False, include_plotlyjs=index == 0) for index, chart in enumerate(charts)]
    name = escape(outcome.folder.path.name)
    return (
        f'<!doctype html><html lang="en"><head><meta charset="utf-8"><title>{name}</title>'
        '<meta name="viewport" content="width=device-width, initial-scale=1">'
        f"<style>{_STYLE}</style></head><body><h1>{name}</h1><p>{escape(_summary(outcome))}</p>"
        f"{_html_table(columns(results), table_rows(results))}{_finals(outcome)}{''.join(parts)}</body></html>\n"
    )


def _by_stage(trials: Sequence[TrialRecord]) -> list[list[TrialRecord]]:
    """The trials of each stage, in order; all in one where the search was joint."""
    stages = dict.fromkeys(trial.stage for trial in trials)
    return [[trial for trial in trials if trial.stage == stage] for stage in stages]


def _summary(outcome: SearchOutcome) -> str:
    winner = outcome.winner
    counts = " ".join(_counts(trials) for trials in _by_stage(outcome.trials))
    return f"{counts} Winner: {winner.source}, {winner.figures}, {winner.cost.flops / 1e6:.2f} MFLOPs."


def _counts(trials: Sequence[TrialRecord]) -> str:
    states, stage = [trial.state for trial in trials], trials[0].stage
    feasible = states.count(COMPLETE) + states.count(STOPPED)
    rungs = f" Rungs: {text}." if (text := counts_text(rung_counts(trials))) else ""
    return (
        f"{len(states)} trials{f' of stage {stage}' if stage else ''}: {feasible} feasible, "
        f"{states.count(INFEASIBLE)} infeasible, {states.count(FAILED)} failed.{rungs}"
    )


def _finals(outcome: SearchOutcome) -> str:
    if not outcome.finalists:
        return ""
    trials = {trial.source: trial for trial in outcome.trials}
    rows = [
        (finalist.source, _accuracy(trials.get(finalist.source)), _final(finalist)) for finalist in outcome.finalists
    ]
    head = ("Finalist", "Validation accuracy as a trial", "after the whole recipe")
    return f"<h2>Finals</h2>{_html_table(head, rows)}"


def _accuracy(trial: TrialRecord | None) -> str:
    return "" if trial is None or trial.accuracy is None else figures_of(trial).removeprefix("accuracy ")


def _final(finalist: Finalist) -> str:
    if finalist.accuracy is None:
        return f"failed: {finalist.error}"
    return figures_of(finalist).removeprefix("accuracy ")


def _html_table(columns: Sequence[str], rows: Sequence[tuple[str, ...]]) -> str:
    head = "".join(f"<th>{escape(column)}</th>" for column in columns)
    body = "".join("<tr>" + "".join(f"<td>{escape(cell)}</td>" for cell in row) + "</tr>" for row in rows)
    return f"<table><tr>{head}</tr>{body}</table>"
