"""Measured figures of one model of a run, kept as a JSON file each, and the table that compares them."""

import json
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, field, fields
from pathlib import Path
from typing import Any, Self

from compress.disk.whole_file import write_whole
from compress.errors import RunError
from objectives.cost.quantity import Quantity, quantities

ORIGINAL, SIMPLE, SEARCH = "original", "simple", "search"


@dataclass(frozen=True)
class Result:
    """One row of the comparison table.

    Attributes:
        label: ``original``, ``simple`` (recommended values) or ``search`` (own values).
        accuracy: top-1 on the test split, None where there was no data.
        flops: of one forward pass on one image, None where the model takes any size and none was given.
        params: weights that training changes where no layer is frozen: kernels and biases, but no statistics.
        size: bytes as a ``.keras`` file, without the state of an optimizer.
        metric: name of what candidates were ranked by, where that is neither accuracy nor loss.
        value: of that metric on the test split.
        memory: bytes of the activations where they are most, None where the budget does not limit them.
        latency: microseconds of one forward pass, measured as the configuration says, None where it is not limited.
        others: figures of the other quantities that the budget limits, by name.
    """

    label: str
    accuracy: float | None
    flops: int | None
    params: int
    size: int
    metric: str | None = None
    value: float | None = None
    memory: int | None = None
    latency: float | None = None
    others: Mapping[str, float] = field(default_factory=dict)

    def figure(self, name: str) -> float | None:
        """The figure of the quantity of that name, None where it is not there."""
        figure: float | None = self.stored().get(name)
        return figure

    def stored(self) -> dict[str, Any]:
        """All of it in one mapping, as files and the JSON of commands have it."""
        own = asdict(self)
        others = own.pop("others")
        return {**own, **others}

    @classmethod
    def restored(cls, stored: Mapping[str, Any]) -> Self:
        """The result that ``stored`` has returned.

        Raises:
            TypeError, ValueError: it is no mapping, or not of these names.
        """
        entries = dict(stored)
        known = {item.name for item in fields(cls)} - {"others"}
        others = {name: entries.pop(name) for name in set(quantities()) - known if name in entries}
        return cls(**entries, others=others)


def write_result(result: Result, folder: Path) -> Path:
    """Write ``<label>.json``; raises RunError where that fails."""
    folder.mkdir(parents=True, exist_ok=True)
    path = folder / f"{result.label}.json"
    write_whole(path, json.dumps(result.stored(), indent=2) + "\n")
    return path


def read_results(folder: Path) -> list[Result]:
    """The results of a run, original first.

    Raises:
        RunError: a file that is not a result.
    """
    order = [ORIGINAL, SIMPLE, SEARCH]
    paths = sorted(folder.glob("*.json"), key=lambda path: (order.index(path.stem) if path.stem in order else 9, path))
    results = []
    for path in paths:
        try:
            results.append(Result.restored(json.loads(path.read_text(encoding="utf-8"))))
        except (OSError, ValueError, TypeError) as error:
            raise RunError(f"result file '{path}' cannot be read: {error}; delete it and compress again") from error
    return results


def columns(results: Sequence[Result]) -> tuple[str, ...]:
    """Headers of the comparison: with a metric of their own where candidates were ranked by it, and limited figures."""
    metric = _metric(results)
    extra = () if metric is None else (f"{metric} (delta)",)
    return ("Model", "Accuracy (delta)", *extra, *(f"{quantity.header} (factor)" for quantity in _shown(results)))


def table_rows(results: Sequence[Result]) -> list[tuple[str, ...]]:
    """NPTK's comparison: each figure with its difference from, or factor below, the original's."""
    base = next((result for result in results if result.label == ORIGINAL), None)
    metric, shown = _metric(results), _shown(results)
    return [_row(result, base, metric, shown) for result in results]


def markdown_table(results: Sequence[Result]) -> str:
    """The comparison as a Markdown table."""
    head = columns(results)
    lines = [head, tuple("---" for _ in head), *table_rows(results)]
    return "\n".join("| " + " | ".join(cells) + " |" for cells in lines) + "\n"


def _metric(results: Sequence[Result]) -> str | None:
    return next((result.metric for result in results if result.metric is not None), None)


def _shown(results: Sequence[Result]) -> list[Quantity]:
    return [
        quantity
        for name, quantity in quantities().items()
        if quantity.always or any(result.figure(name) is not None for result in results)
    ]


def _row(result: Result, base: Result | None, metric: str | None, shown: Sequence[Quantity]) -> tuple[str, ...]:
    extra = () if metric is None else (_value(result, base, metric),)
    figures = (_text(quantity, result, base) for quantity in shown)
    return (result.label.capitalize(), _accuracy(result, base), *extra, *figures)


def _accuracy(result: Result, base: Result | None) -> str:
    if result.accuracy is None:
        return "not measured"
    text = f"{100 * result.accuracy:.2f} %"
    if result.label == ORIGINAL or base is None or base.accuracy is None:
        return text
    return f"{text} ({100 * (result.accuracy - base.accuracy):+.2f})"


def _value(result: Result, base: Result | None, metric: str) -> str:
    if result.value is None or result.metric != metric:
        return "not measured"
    text = f"{result.value:.4f}"
    if result.label == ORIGINAL or base is None or base.value is None or base.metric != metric:
        return text
    return f"{text} ({result.value - base.value:+.4f})"


def _text(quantity: Quantity, result: Result, base: Result | None) -> str:
    own, whole = result.figure(quantity.name), None if base is None else base.figure(quantity.name)
    if own is None:
        return "not measured"
    text = quantity.cell(own)
    return text if result.label == ORIGINAL or whole is None else f"{text} ({whole / own:.2f}x)"
