"""The sections of a report that say how the search went."""

from collections.abc import Sequence

from configs.load import dump_config
from configs.schema.storage import hide_passwords
from search.driver.listeners.run_log import run_warnings
from search.report.elements import Block, Chart, Code, Folded, Note, Section, Table
from search.report.figures.history import histories
from search.report.figures.importance import NEEDED, SHOWN, importance_of, importances
from search.report.figures.timeline import busy, spans_of, timeline
from search.report.run_view import RunView
from search.study.trial_record import FAILED, TrialRecord

_BEST = 20


def history(view: RunView) -> Section:
    """Every trial in order, by stage."""
    found = [
        (f"history-{stage}-{number}", figure)
        for stage, trials in enumerate(view.stages)
        for number, figure in enumerate(histories(trials))
    ]
    return Section("history", "History", [Chart(name, figure) for name, figure in found])


def importance(view: RunView) -> Section:
    """What decides whether a trial is among the best, by stage."""
    blocks: list[Block] = []
    staged = len(view.studies) > 1
    for number, study in enumerate(view.studies):
        found, stage = importance_of(study), view.config.recipe[number] if staged else None
        of = f"stage {stage}: " if stage else ""
        if not found.shares:
            blocks.append(
                Note(f"{of}{found.trials} trials reached the last rung, too few to tell: expected {NEEDED} or more.")
            )
            continue
        left = len(found.shares) - SHOWN
        others = f" The {left} that matter least are left out." if left > 0 else ""
        blocks.append(Chart(f"importance-{number}", importances(found, stage), _about(found.trials) + others))
    return Section("importance", "Importance", blocks)


def _about(trials: int) -> str:
    return (
        f"How far the best fifth of {trials} trials differs from all of them (PED-ANOVA). Of fewer than a few hundred "
        "trials, only large differences mean something."
    )


def workers(view: RunView) -> Section:
    """Who did which trial when, and what befell the run."""
    spans = spans_of(view.studies)
    blocks: list[Block] = []
    if spans:
        working = sum((span.ended - span.began).total_seconds() for span in spans)
        elapsed = busy(spans)
        note = (
            f"{len(spans)} trials took {working / 60:.1f} minutes of work in {elapsed / 60:.1f} minutes "
            f"({working / max(elapsed, 1e-9):.2f} at a time)."
        )
        finals = sum(finalist.seconds for finalist in view.outcome.finalists)
        note += f" Finals, which are not drawn, took {finals / 60:.1f} minutes of work." if finals else ""
        blocks.append(Chart("timeline", timeline(spans), note))
    else:
        blocks.append(Note("No worker has judged a trial yet."))
    warned = run_warnings(view.folder.logs)
    if warned:
        blocks.append(
            Folded(f"What befell the run ({len(warned)})", [Table(("Time (UTC)", "What"), warned, figures=False)])
        )
    return Section("workers", "Workers", blocks)


def trials(view: RunView) -> Section:
    """The best trials, and those that failed with their reasons."""
    judged = [trial for trial in view.outcome.trials if trial.score is not None]
    best = sorted(judged, key=lambda trial: trial.rank, reverse=True)[:_BEST]
    blocks: list[Block] = []
    failed = [trial for trial in view.outcome.trials if trial.state == FAILED]
    if failed:
        blocks.append(Note(f"{len(failed)} trials failed:"))
        blocks.append(Table(("Trial", "Reason"), [(trial.source, str(trial.error)) for trial in failed], figures=False))
    else:
        blocks.append(Note("No trial failed."))
    lost = [trial for trial in view.outcome.trials if trial.lost]
    if lost:
        rows = [(trial.source, "; ".join(trial.lost)) for trial in lost]
        blocks.append(Folded(f"Trials whose worker was lost ({len(lost)})", [Table(("Trial", "Why"), rows, False)]))
    blocks.append(Folded(f"The best {len(best)} trials", [_table(best)]))
    return Section("trials", "Trials", blocks)


def _table(found: Sequence[TrialRecord]) -> Table:
    head = ("Trial", "From", "State", "On validation images", "MFLOPs", "M parameters", "Seconds")
    rows = [
        (
            trial.source,
            trial.start or "sampler",
            trial.state,
            "" if trial.score is None else trial.score.text(trial.metric).removeprefix("accuracy "),
            f"{trial.cost.flops / 1e6:.3f}",
            f"{trial.cost.params / 1e6:.3f}",
            "" if trial.seconds is None else f"{trial.seconds:.1f}",
        )
        for trial in found
    ]
    return Table(head, rows)


def configuration(view: RunView) -> Section:
    """The resolved configuration."""
    text = hide_passwords(dump_config(view.config))
    return Section("configuration", "Configuration", [Folded("config.yaml, defaults written out", [Code(text)])])
