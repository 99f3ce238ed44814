"""The summary at the top of a report: the winner in a sentence, and the main figures."""

from collections.abc import Sequence
from dataclasses import replace

from configs.schema.search import STAGED
from objectives.cost.quantities.standard import FLOPS, PARAMS
from search.report.blocks import Tile
from search.report.run_view import RunView
from search.runs.results import SEARCH, columns, shown_metrics, table_rows
from search.study.judgement import counts_text, rung_counts
from search.study.trial_record import COMPLETE, FAILED, INFEASIBLE, STOPPED, TrialRecord
from zoo.tasks.metric import Metric


def lead(view: RunView) -> str:
    """How many trials there were, and who won."""
    winner = view.outcome.winner
    counts = " ".join(_counts(trials) for trials in view.stages)
    won = f"Winner: {winner.source}, {winner.figures}, {winner.cost.flops / 1e6:.2f} MFLOPs."
    return " ".join(filter(None, (counts, won, view.outcome.remark)))


def tiles(view: RunView) -> list[Tile]:
    """Figures of the searched model, or of the winning trial before that model is made."""
    rows = dict(zip((result.label for result in view.results), table_rows(view.results), strict=True))
    if SEARCH in rows:
        heads = [head.partition(" (")[0] for head in columns(view.results)]
        cells = [_tile(head, cell) for head, cell in list(zip(heads, rows[SEARCH], strict=True))[1:]]
        metrics = shown_metrics(view.results)
        return [*map(_judged, cells, metrics), *cells[len(metrics) :]]
    winner = view.outcome.winner
    metric = winner.metric
    shown = [Tile(f"Validation {metric.name}", metric.cell(winner.score.figure(metric)), "of the winner")]
    whole = view.layers.original if view.layers else None
    for quantity in (FLOPS, PARAMS):
        own = quantity.of(winner.cost)
        change = "" if whole is None else f"{quantity.of(whole) / own:.2f}x less"
        shown.append(Tile(quantity.header, quantity.cell(own), change))
    return shown


def facts(view: RunView) -> list[tuple[str, str]]:
    """Names and values of what was searched, and how."""
    config = view.config
    return [
        ("Budget", _budget(view)),
        ("Model", config.model.path or f"{config.model.zoo} (zoo)"),
        ("Images", config.source),
        ("Recipe", ", then ".join(config.recipe)),
        ("Ranked by", view.outcome.winner.metric.name),
        ("Sampler", config.search.sampler.name + (", staged" if config.search.strategy == STAGED else "")),
    ]


def _budget(view: RunView) -> str:
    """The limits of the budget as they were written, with their figures."""
    given = view.config.budget.model_dump(exclude_none=True)
    if view.layers is None:
        return ", ".join(f"{name} {amount}" for name, amount in given.items())
    limits = view.layers.budget.limits
    shown = (f"{limit.quantity.shown.format(limit.most / limit.quantity.scale)}" for limit in limits)
    return ", ".join(f"{limit.quantity.name} {limit.text} = {text}" for limit, text in zip(limits, shown, strict=True))


def _tile(head: str, cell: str) -> Tile:
    value, _, change = cell.partition(" (")
    change = change.removesuffix(")")
    if change:
        change += " less" if change.endswith("x") else " points" if value.endswith("%") else ""
    return Tile(head, value, change)


def _judged(tile: Tile, metric: Metric) -> Tile:
    """The tile of a metric, marked where its change is for the worse."""
    sign = tile.change[:1] if float(tile.change.removesuffix(" points") or 0) else ""
    return replace(tile, worse=sign == ("-" if metric.direction == "maximize" else "+"))


def _counts(trials: Sequence[TrialRecord]) -> str:
    states, stage = [trial.state for trial in trials], trials[0].stage
    feasible = states.count(COMPLETE) + states.count(STOPPED)
    rungs = f" Rungs: {text}." if (text := counts_text(rung_counts(trial.rungs for trial in trials))) else ""
    return (
        f"{len(states)} trials{f' of stage {stage}' if stage else ''}: {feasible} feasible, "
        f"{states.count(INFEASIBLE)} infeasible, {states.count(FAILED)} failed.{rungs}"
    )
