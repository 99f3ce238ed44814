"""The sections of a report on the course of the search."""

from collections.abc import Sequence

from configs.load import dump_config
from configs.schema.storage import hide_passwords
from search.driver.listeners.run_log import run_warnings
from search.report.blocks import Block, Code, Folded, Paragraph, Table
from search.report.figures.figure import figures_in
from search.report.run_view import RunView
from search.report.sections.section import section
from search.study.trial_record import FAILED, TrialRecord

_BEST = 20


@section("history", "History", order=50)
def history(view: RunView) -> list[Block]:
    """Every trial in order, by stage."""
    return figures_in("history", view)


@section("importance", "Importance", order=70)
def importance(view: RunView) -> list[Block]:
    """Which dimensions decide whether a trial is among the best, by stage."""
    return figures_in("importance", view)


@section("workers", "Workers", order=80)
def workers(view: RunView) -> list[Block]:
    """Which worker judged which trial when, and the warnings of the run."""
    blocks = figures_in("workers", view)
    warned = run_warnings(view.folder.logs)
    if warned:
        blocks.append(Folded(f"Warnings ({len(warned)})", [Table(("Time (UTC)", "What"), warned, figures=False)]))
    return blocks


@section("trials", "Trials", order=90)
def trials(view: RunView) -> list[Block]:
    """The best trials, and those that failed with their reasons."""
    judged = [trial for trial in view.outcome.trials if trial.score is not None]
    best = sorted(judged, key=lambda trial: trial.rank, reverse=True)[:_BEST]
    blocks: list[Block] = []
    failed = [trial for trial in view.outcome.trials if trial.state == FAILED]
    if failed:
        blocks.append(Paragraph(f"{len(failed)} trials failed:"))
        blocks.append(Table(("Trial", "Reason"), [(trial.source, str(trial.error)) for trial in failed], figures=False))
    else:
        blocks.append(Paragraph("No trial failed."))
    lost = [trial for trial in view.outcome.trials if trial.lost]
    if lost:
        rows = [(trial.source, "; ".join(trial.lost)) for trial in lost]
        blocks.append(Folded(f"Trials whose worker was lost ({len(lost)})", [Table(("Trial", "Why"), rows, False)]))
    blocks.append(Folded(f"The best {len(best)} trials", [_table(best)]))
    return blocks


def _table(trials: Sequence[TrialRecord]) -> Table:
    head = ("Trial", "From", "State", "On validation images", "MFLOPs", "M parameters", "Seconds")
    rows = [
        (
            trial.source,
            trial.start or "sampler",
            trial.state,
            "" if trial.score is None else trial.score.text,
            f"{trial.cost.flops / 1e6:.3f}",
            f"{trial.cost.params / 1e6:.3f}",
            f"as trial {trial.repeats}" if trial.seconds is None else f"{trial.seconds:.1f}",
        )
        for trial in trials
    ]
    return Table(head, rows)


@section("configuration", "Configuration", order=100)
def configuration(view: RunView) -> list[Block]:
    """The resolved configuration."""
    text = hide_passwords(dump_config(view.config))
    return [Folded("config.yaml, defaults written out", [Code(text)])]
