"""The command ``tuckprune status``: progress, best trial and pace of a run."""

from typing import TYPE_CHECKING, Any

from search.cli.command import command
from search.cli.console import AsJson, RunPath, console, print_json
from search.pipeline.durations import time_text

if TYPE_CHECKING:  # It loads Optuna, which `tuckprune --help` does without.
    from search.runs.status import Status
    from search.study.standing import BestTrial


@command(order=50)
def status(run: RunPath, as_json: AsJson = False) -> None:
    """Show how far a run is, its best trial and its pace; works while the search goes on, and afterwards."""
    from search.runs.status import status_of

    current = status_of(run)
    if as_json:
        print_json(_entry(current))
        return
    shown = console(False)
    for line in _lines(current, str(run)):
        shown.print(line)


def _entry(current: "Status") -> dict[str, Any]:
    best = current.best
    return {
        "run": current.name,
        "driver": current.driver,
        "planned": current.planned,
        "ended_early": current.ended_early,
        "settled": current.settled,
        "states": dict(current.states),
        "running": {str(number): began.isoformat() for number, began in current.running.items()},
        "waiting": current.waiting,
        "best": None if best is None else _best(best),
        "finalists": current.finalists,
        "finals": current.finals,
        "finals_seconds_left": current.finals_left,
        "workers": dict(current.workers),
        "lost_workers": current.lost,
        "seconds_per_trial": current.pace,
        "seconds_left": current.seconds_left,
        "seconds_old": current.age,
    }


def _best(best: "BestTrial") -> dict[str, Any]:
    return {"trial": best.number, "figures": dict(best.score.figures), "flops": best.flops}


def _lines(current: "Status", run: str) -> list[str]:
    states = ", ".join(f"{count} {state}" for state, count in sorted(current.states.items()))
    settled = f"{current.settled} of {current.planned} trials settled"
    enough = "; the search has ended early, as the latest trials brought no improvement" if current.ended_early else ""
    lines = [f"{current.name}: {settled}" + (f" ({states})" if states else "") + enough]
    best = current.best
    if best is not None:
        lines.append(f"best: {best.source}, {best.score.text}, {best.flops / 1e6:.2f} MFLOPs")
    if current.running:
        numbers = ", ".join(map(str, current.running))
        lines.append(f"running or next: {'trials' if len(current.running) > 1 else 'trial'} {numbers}")
    if current.workers:
        workers = ", ".join(f"{worker} ({count})" for worker, count in sorted(current.workers.items()))
        lines.append(
            f"workers of the last trials: {workers}" + (f"; {current.lost} lost so far" if current.lost else "")
        )
    if current.finals_begun:
        time_left = f", about {time_text(current.finals_left)} left" if current.finals_left else ""
        lines.append(f"finals: {current.finalists} of {current.finals} judged{time_left}")
    if current.seconds_left:
        lines.append(f"pace: {current.pace:.1f} s per trial, {time_text(current.seconds_left)} left before the finals")
    lines.append(_next(current, run))
    return lines


def _next(current: "Status", run: str) -> str:
    if current.driver:
        return "a driver is at work" + (f"; this is how it stood {current.age:.0f} s ago" if current.age >= 1 else "")
    if not current.finished:
        return "no driver is at work; resume with the same 'tuckprune search' command"
    if current.best is None:
        return f"no driver is at work; no trial was judged, their errors are in {run}/logs"
    return f"no driver is at work; next: tuckprune export {run}"
