"""Progress of a search: a line per trial, and a bar where the output is a terminal."""

import time
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, field

from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeElapsedColumn

from objectives.cost.cost import Cost
from objectives.cost.quantities.standard import FLOPS
from objectives.cost.quantity import Quantity
from search.driver.listeners.listener import Listener
from search.pipeline.durations import left_text, time_text
from search.samplers.probes import Probe
from search.study.finalist import Finalist
from search.study.judgement import counts_text, rung_counts
from search.study.ranking import best
from search.study.trial_record import STOPPED, TrialRecord
from zoo.tasks.metric import ACCURACY, Metric


@dataclass
class _Phase:
    """A part of a search whose progress is printed, such as its finals.

    Attributes:
        total: number of its results.
        began: in seconds of the monotonic clock.
        done: number of results so far.
    """

    total: int
    began: float = field(default_factory=time.monotonic)
    done: int = 0

    def advanced(self, line: str) -> str:
        """A line on another result, with their number, and the time left where it is a minute or more."""
        self.done += 1
        left = (time.monotonic() - self.began) / self.done * (self.total - self.done)
        return f"[{self.done}/{self.total}] {line}{left_text(left)}"


class ProgressDisplay(Listener):
    """A listener that prints a line per event and, on a terminal, a progress bar."""

    def __init__(self, console: Console, shown: Sequence[Quantity] = (FLOPS,)) -> None:
        """Print on ``console``; ``shown`` are the quantities of a candidate's cost to print."""
        self._console = console
        self._shown = shown
        self._best: dict[int, TrialRecord] = {}
        self._feasible = self._failed = self._done = self._planned = 0
        self._rungs: Counter[int] = Counter()
        self._seconds: list[float] = []
        self._last = time.monotonic()
        self._phase, self._metric = _Phase(0), ACCURACY
        self._bar = Progress(
            TextColumn("searching"),
            BarColumn(),
            MofNCompleteColumn(),
            TimeElapsedColumn(),
            TextColumn("{task.fields[state]}", markup=False),
            console=console,
            disable=not console.is_terminal,
        )
        self._task = self._bar.add_task("search", total=None, state="starting the workers")

    def __enter__(self) -> "ProgressDisplay":
        self._bar.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._bar.stop()

    def warned(self, line: str) -> None:
        """Print a warning."""
        self._print(f"warning: {line}")

    def noted(self, line: str) -> None:
        """Print what the search does next."""
        self._print(line)

    def started(self, planned: int, settled: Sequence[TrialRecord]) -> None:
        """Print how many trials are planned, and how many are done already."""
        self._planned, self._last = planned, time.monotonic()
        self._best, self._feasible, self._failed, self._done = {}, 0, 0, 0
        for record in settled:
            self._count(record)
        resumed = f", {len(settled)} of them already settled" if settled else ""
        self._print(f"searching: {planned} trials{resumed}")
        self._bar.update(self._task, total=planned, completed=self._done)

    def sweep_started(self, count: int, metric: Metric) -> None:
        """Print how many evaluations come next."""
        self._phase, self._metric = _Phase(count), metric
        evaluations = f"{count} cheap evaluation{'s' if count > 1 else ''}"
        self._print(f"sensitivity: {evaluations}, with one part of the model made smaller alone")
        self._bar.update(self._task, total=count, completed=0, state="sweeping the parts")

    def probed(self, probe: Probe) -> None:
        """Print the outcome of one evaluation of the sweep."""
        kept = "" if probe.kept == 1 else f" at {probe.kept:.2g}"
        if probe.score is None:
            outcome = f"failed: {probe.error}"
        else:
            outcome = f"{self._metric.of_objective(probe.score):.4f}, {probe.seconds:.1f} s"
        self._print(self._phase.advanced(f"sensitivity: {probe.part}{kept}: {outcome}"))
        self._bar.advance(self._task)

    def settled(self, record: TrialRecord) -> None:
        """Print the outcome of a trial."""
        now = time.monotonic()
        self._seconds.append(now - self._last)
        self._last = now
        self._count(record)
        self._print(self._line(record))
        self._bar.update(self._task, completed=self._done, state=self._state())

    def finals_started(self, count: int) -> None:
        """Print the rungs that trials reached, and how many finalists are fine-tuned."""
        if text := counts_text(self._rungs):
            self._print(f"rungs: {text}")
        if count:
            self._phase = _Phase(count)
            self._print(f"finals: {count} candidates go through the whole recipe with its fine-tuning")
            self._bar.update(self._task, total=count, completed=0, state="fine-tuning the finalists")

    def finalist_settled(self, finalist: Finalist) -> None:
        """Print the outcome of a finalist."""
        outcome = f"failed: {finalist.error}"
        if finalist.score is not None and finalist.cost is not None:
            outcome = f"{finalist.score.text}, {self._figures(finalist.cost)}, {finalist.seconds:.1f} s"
        self._print(self._phase.advanced(f"finalist: {finalist.source}: {outcome}"))
        self._bar.advance(self._task)

    def _count(self, record: TrialRecord) -> None:
        self._done += 1
        self._failed += record.state == "failed"
        self._feasible += record.score is not None
        level = record.level or 0
        ahead = best([self._best[level], record] if level in self._best else [record])
        self._best |= {} if ahead is None else {level: ahead}
        self._rungs.update(rung_counts([record.rungs]))

    def _print(self, line: str) -> None:
        # Errors may contain brackets, which are no markup.
        self._console.print(line, highlight=False, markup=False, emoji=False)

    def _line(self, record: TrialRecord) -> str:
        head = f"[{self._done}/{self._planned}] {record.source}: "
        share = self._figures(record.cost)
        origin = f" ({record.start})" if record.start else ""
        if record.score is None:
            return f"{head}{record.state}, {share}{origin}" + (f": {record.error}" if record.error else "")
        at_level = "" if record.level is None else f" of level {record.level}"
        note = f"  best so far{at_level}" if record is self._best.get(record.level or 0) else ""
        head += f"stopped after {record.steps} steps, " if record.state == STOPPED else ""
        return f"{head}{record.score.text}, {share}, {_took(record)}{origin}{note}"

    def _figures(self, cost: Cost) -> str:
        return ", ".join(quantity.text(cost) for quantity in self._shown)

    def _state(self) -> str:
        parts = [
            f"best {_headline(self._best[0])}" if 0 in self._best else "no result yet",
            f"{self._feasible} feasible, {self._failed} failed",
            counts_text(self._rungs),
        ]
        # By the pace of the latest trials: the first ones wait for workers to start.
        recent = self._seconds[-10:]
        left = (self._planned - self._done) * sum(recent) / len(recent)
        return " | ".join([*filter(None, parts), f"{time_text(left)} left"])


def _took(record: TrialRecord) -> str:
    """What a judged trial took, or which one's figures it has."""
    return (
        f"{record.seconds or 0.0:.1f} s" if record.repeats is None else f"as trial {record.repeats}, which it repeats"
    )


def _headline(record: TrialRecord) -> str:
    if record.score is None:
        return record.state
    return f"{record.metric.name} {record.score.figure(record.metric):.4f}"
