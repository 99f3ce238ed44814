"""Measured figures of one model of a run, kept as a JSON file each, and the table that compares them."""

import json
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from pathlib import Path

from compress.errors import RunError

ORIGINAL, SIMPLE, SEARCH = "original", "simple", "search"


@dataclass(frozen=True)
class Result:
    """One row of the comparison table.

    Attributes:
        label: ``original``, ``simple`` (recommended values) or ``search`` (own values).
        accuracy: top-1 on the test split, None where there was no data.
        flops: of one forward pass on one image.
        params: trainable parameters.
        size: bytes as a ``.keras`` file, without the state of an optimizer.
        metric: name of what candidates were ranked by, where that is neither accuracy nor loss.
        value: of that metric on the test split.
        memory: bytes of the activations where they are most, None where the budget does not limit them.
        latency: microseconds of one forward pass, measured as the configuration says; likewise.
    """

    label: str
    accuracy: float | None
    flops: int
    params: int
    size: int
    metric: str | None = None
    value: float | None = None
    memory: int | None = None
    latency: float | None = None


def write_result(result: Result, folder: Path) -> Path:
    """Write ``<label>.json``."""
    folder.mkdir(parents=True, exist_ok=True)
    path = folder / f"{result.label}.json"
    path.write_text(json.dumps(asdict(result), indent=2) + "\n", encoding="utf-8")
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
            results.append(Result(**json.loads(path.read_text(encoding="utf-8"))))
        except (OSError, ValueError, TypeError) as error:
            raise RunError(f"result file '{path}' cannot be read: {error}; delete it and compress again") from error
    return results


@dataclass(frozen=True)
class _Figure:
    """A column: header, attribute of ``Result``, and its unit, by which the figure is divided and with decimals."""

    header: str
    name: str
    unit: str
    scale: float = 1e6
    decimals: int = 2


_FIGURES = (
    _Figure("FLOPs", "flops", "M"),
    _Figure("Params", "params", "M"),
    _Figure("Size", "size", "MB"),
    _Figure("Memory", "memory", "kB", 1e3, 1),
    _Figure("Latency", "latency", "ms", 1e3, 3),
)


def columns(results: Sequence[Result]) -> tuple[str, ...]:
    """Headers of the comparison: with a metric of their own where candidates were ranked by it, and limited figures."""
    metric = _metric(results)
    extra = () if metric is None else (f"{metric} (delta)",)
    return ("Model", "Accuracy (delta)", *extra, *(f"{figure.header} (factor)" for figure in _shown(results)))


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


def _shown(results: Sequence[Result]) -> list[_Figure]:
    always = _FIGURES[:3]
    return [
        figure
        for figure in _FIGURES
        if figure in always or any(getattr(result, figure.name) is not None for result in results)
    ]


def _row(result: Result, base: Result | None, metric: str | None, shown: Sequence[_Figure]) -> tuple[str, ...]:
    extra = () if metric is None else (_value(result, base, metric),)
    figures = (_text(figure, result, base) for figure in shown)
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


def _text(figure: _Figure, result: Result, base: Result | None) -> str:
    own, whole = getattr(result, figure.name), getattr(base, figure.name, None)
    if own is None:
        return "not measured"
    text = f"{own / figure.scale:.{figure.decimals}f} {figure.unit}"
    return text if result.label == ORIGINAL or whole is None else f"{text} ({whole / own:.2f}x)"
