"""Results of a run's models, a JSON file each, and the table that compares them."""

import json
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, field, fields
from pathlib import Path
from typing import Any, Self

from compress.disk.whole_file import write_whole
from compress.errors import ConfigError, RunError
from objectives.cost.quantity import Quantity, quantities
from zoo.tasks.metric import LOSS, Metric

ORIGINAL, SIMPLE, INNER, SENSITIVITY, SEARCH = "original", "simple", "inner", "sensitivity", "search"


@dataclass(frozen=True)
class Result:
    """The measured figures of one model: a row of the comparison table.

    Attributes:
        label: ``original``, ``simple`` (recommended values), ``sensitivity`` (values of a sweep) or ``search``
            (own values).
        flops: of one forward pass on one image; None where the model takes images of any size and no size was given.
        params: number of weights that training changes where no layer is frozen: kernels and biases, not statistics.
        size: bytes of the ``.keras`` file, without the state of an optimizer.
        figures: on the test split, by the name of the metric; empty without data.
        metrics: the metrics of these figures.
        ranked_by: name of the metric that candidates are ranked by; None without data.
        memory: peak memory of the activations in bytes; None where the budget does not limit it.
        latency: of one forward pass in microseconds, measured as the configuration says; None where it is not limited.
        others: figures of other quantities that the budget limits, by name.
    """

    label: str
    flops: int | None
    params: int
    size: int
    figures: Mapping[str, float] = field(default_factory=dict)
    metrics: tuple[Metric, ...] = ()
    ranked_by: str | None = None
    memory: int | None = None
    latency: float | None = None
    others: Mapping[str, float] = field(default_factory=dict)

    def figure(self, name: str) -> float | None:
        """The figure of the quantity or metric of this name; None where there is none."""
        figure: float | None = self.stored().get(name)
        return figure

    @property
    def shown(self) -> tuple[Metric, ...]:
        """The metrics that tables show: all but the loss, unless candidates are ranked by it."""
        return tuple(metric for metric in self.metrics if metric.name == self.ranked_by or metric.name != LOSS.name)

    @property
    def text(self) -> str:
        """The metrics in one line, the one that candidates are ranked by first: ``accuracy 98.15 %``."""
        first = sorted(self.shown, key=lambda metric: metric.name != self.ranked_by)
        return ", ".join(f"{metric.name} {metric.cell(self.figures[metric.name])}" for metric in first)

    def stored(self) -> dict[str, Any]:
        """All figures in one mapping, as result files and ``--json`` have them."""
        own = {**asdict(self), "metrics": [asdict(metric) for metric in self.metrics]}
        return {"label": own.pop("label"), **own.pop("figures"), **own.pop("others"), **own}

    @classmethod
    def restored(cls, stored: Mapping[str, Any]) -> Self:
        """The result of what ``stored`` has returned.

        Raises:
            TypeError, ValueError, KeyError: it was not made by ``stored``.
        """
        entries = dict(stored)
        known = {item.name for item in fields(cls)} - {"others", "figures"}
        metrics = tuple(Metric(**metric) for metric in entries.pop("metrics"))
        others = {name: entries.pop(name) for name in set(quantities()) - known if name in entries}
        figures = {metric.name: entries.pop(metric.name) for metric in metrics}
        return cls(**entries, metrics=metrics, figures=figures, others=others)


def check_names(metrics: Sequence[Metric]) -> None:
    """Refuse metrics of the user's own whose names are those of other figures of a result.

    Raises:
        ConfigError: lists these names.
    """
    taken = {item.name for item in fields(Result)} | set(quantities())
    names = [metric.name for metric in metrics if metric.name in taken]
    if names:
        raise ConfigError(
            f"task: expected metrics whose names results do not use already, received {', '.join(names)}; rename them"
        )


def write_result(result: Result, folder: Path) -> None:
    """Write ``<label>.json`` into a folder, which is made where it is missing.

    Raises:
        RunError: the file cannot be written.
    """
    folder.mkdir(parents=True, exist_ok=True)
    write_whole(folder / f"{result.label}.json", json.dumps(result.stored(), indent=2) + "\n")


def read_results(folder: Path) -> list[Result]:
    """The results of a run, original first.

    Raises:
        RunError: a file cannot be read as a result.
    """
    order = [ORIGINAL, SIMPLE, INNER, SENSITIVITY, SEARCH]
    paths = sorted(folder.glob("*.json"), key=lambda path: (order.index(path.stem) if path.stem in order else 9, path))
    results = []
    for path in paths:
        try:
            results.append(Result.restored(json.loads(path.read_text(encoding="utf-8"))))
        except (OSError, ValueError, TypeError, KeyError) as error:
            raise RunError(f"result file '{path}' cannot be read: {error}; delete it and compress again") from error
    return results


def columns(results: Sequence[Result]) -> tuple[str, ...]:
    """Headers of the comparison: the model, the metrics, and the quantities."""
    metrics = (f"{metric.title} (delta)" for metric in shown_metrics(results))
    return ("Model", *metrics, *(f"{quantity.header} (factor)" for quantity in _shown(results)))


def table_rows(results: Sequence[Result]) -> list[tuple[str, ...]]:
    """Rows of NPTK's comparison: metrics with their difference from the original, costs with a factor."""
    base = next((result for result in results if result.label == ORIGINAL), None)
    metrics, shown = shown_metrics(results), _shown(results)
    return [_row(result, base, metrics, shown) for result in results]


def markdown_table(results: Sequence[Result]) -> str:
    """The comparison as a Markdown table."""
    head = columns(results)
    lines = [head, tuple("---" for _ in head), *table_rows(results)]
    return "\n".join("| " + " | ".join(cells) + " |" for cells in lines) + "\n"


def shown_metrics(results: Sequence[Result]) -> tuple[Metric, ...]:
    """The metrics that the comparison of these results shows."""
    return tuple({metric.name: metric for result in results for metric in result.shown}.values())


def _shown(results: Sequence[Result]) -> list[Quantity]:
    return [
        quantity
        for name, quantity in quantities().items()
        if quantity.always or any(result.figure(name) is not None for result in results)
    ]


def _row(result: Result, base: Result | None, metrics: Sequence[Metric], shown: Sequence[Quantity]) -> tuple[str, ...]:
    measured = (_metric_text(metric, result, base) for metric in metrics)
    figures = (_text(quantity, result, base) for quantity in shown)
    return (result.label.capitalize(), *measured, *figures)


def _metric_text(metric: Metric, result: Result, base: Result | None) -> str:
    own, whole = result.figures.get(metric.name), None if base is None else base.figures.get(metric.name)
    if own is None:
        return "not measured"
    text = metric.cell(own)
    return text if result.label == ORIGINAL or whole is None else f"{text} ({metric.difference(own, whole)})"


def _text(quantity: Quantity, result: Result, base: Result | None) -> str:
    own, whole = result.figure(quantity.name), None if base is None else base.figure(quantity.name)
    if own is None:
        return "not measured"
    text = quantity.cell(own)
    return text if result.label == ORIGINAL or whole is None else f"{text} ({whole / own:.2f}x)"
