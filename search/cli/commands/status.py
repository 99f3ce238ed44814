"""The command ``tuckprune status``: how a run stands."""

from typing import TYPE_CHECKING, Any

from rich.console import Console

from search.cli.command import command
from search.cli.console import AsJson, RunPath, print_json

if TYPE_CHECKING:  # It loads Optuna, which `tuckprune --help` does without.
    from search.runs.status import Status
    from search.study.trial_record import TrialRecord


@command(order=50)
def status(run: RunPath, as_json: AsJson = False) -> None:
    """Tell how a run stands, from any shell, while it runs or afterwards."""
    from search.runs.status import status_of

    found = status_of(run)
    if as_json:
        print_json(_entry(found))
        return
    console = Console(soft_wrap=True)
    for line in _lines(found, str(run)):
        console.print(line, highlight=False, markup=False)


def _entry(found: "Status") -> dict[str, Any]:
    best = found.best
    return {
        "run": found.name,
        "driver": found.driver,
        "planned": found.planned,
        "settled": found.settled,
        "states": dict(found.states),
        "running": {str(number): began.isoformat() for number, began in found.running.items()},
        "waiting": found.waiting,
        "best": None if best is None else _best(best),
        "finalists": found.finalists,
        "workers": dict(found.workers),
        "lost_workers": found.lost,
        "seconds_per_trial": found.pace,
        "seconds_left": found.seconds_left,
    }


def _best(best: "TrialRecord") -> dict[str, Any]:
    accuracy = None if best.score is None else best.score.accuracy
    return {"trial": best.number, "accuracy": accuracy, "flops": best.cost.flops}


def _lines(found: "Status", run: str) -> list[str]:
    states = ", ".join(f"{count} {state}" for state, count in sorted(found.states.items()))
    lines = [f"{found.name}: {found.settled} of {found.planned} trials settled" + (f" ({states})" if states else "")]
    best = found.best
    if best is not None and best.score is not None:
        figures = best.score.text(best.metric)
        lines.append(f"best: {best.source}, {figures}, {best.cost.flops / 1e6:.2f} MFLOPs")
    if found.running:
        numbers = ", ".join(map(str, found.running))
        lines.append(f"running or next: {'trials' if len(found.running) > 1 else 'trial'} {numbers}")
    if found.workers:
        workers = ", ".join(f"{worker} ({count})" for worker, count in sorted(found.workers.items()))
        lines.append(f"workers of the last trials: {workers}" + (f"; {found.lost} lost so far" if found.lost else ""))
    if found.finalists:
        lines.append(f"finals: {found.finalists} judged")
    if found.seconds_left:
        left = found.seconds_left
        lines.append(
            f"pace: {found.pace:.1f} s per trial, {left / 60:.0f} min {left % 60:.0f} s left before the finals"
        )
    lines.append(_next(found, run))
    return lines


def _next(found: "Status", run: str) -> str:
    if found.driver:
        return "a driver is at work"
    if found.settled < found.planned:
        return "no driver is at work: the same 'tuckprune search' goes on with it"
    return f"no driver is at work; next: tuckprune export {run}"
