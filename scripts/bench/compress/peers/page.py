"""Rows, tables and the picture of the benchmark of peers."""

from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

import numpy as np
from plotly.colors import qualitative
from plotly.graph_objects import Figure, Scatter
from plotly.subplots import make_subplots

from scripts.bench.compress.peers.kept import ORIGINAL, Case, cases, read

Row = dict[str, Any]


def rows(work: Path) -> list[Row]:
    """A row for every case and every number of steps that was measured; 0 steps are statistics estimated anew."""
    return [row for case in cases(work) for row in _rows(work, case)]


def _rows(work: Path, case: Case) -> Iterator[Row]:
    record = read(case.record(work))
    yield _row(record, 0, [record["accuracy"]])
    accuracies: dict[int, list[float]] = {}
    for file in case.all_tuned(work):
        result = read(file)
        accuracies.setdefault(result["steps"], []).append(result["test_accuracy"])
    for steps in sorted(accuracies):
        yield _row(record, steps, accuracies[steps])


def _row(record: Row, steps: int, accuracies: Sequence[float]) -> Row:
    return {
        "model": record["model"],
        "budget": record["budget"],
        "method": record["method"],
        "flops_fraction": round(record["flops_fraction"], 4),
        "params": record["params"],
        "steps": steps,
        "accuracy_mean": round(float(np.mean(accuracies)), 4),
        "accuracy_std": round(float(np.std(accuracies, ddof=1)), 4) if len(accuracies) > 1 else 0.0,
        "seeds": len(accuracies),
        "method_seconds": round(record["method_seconds"], 1),
    }


def markdown(measured: Sequence[Row]) -> str:
    """A line for every case, with a column for every number of steps; the best after the most steps first."""
    steps = sorted({row["steps"] for row in measured})
    columns = ["Model", "Budget", "Method", "FLOPs", "Params", "Seconds", *(f"{count:,} steps" for count in steps)]
    lines = ["| " + " | ".join(columns) + " |", "| --- " * len(columns) + "|"]
    grouped: dict[tuple[str, float, str], dict[int, Row]] = {}
    for row in measured:
        grouped.setdefault((row["model"], row["budget"], row["method"]), {})[row["steps"]] = row
    for key in sorted(grouped, key=lambda key: (key[0], -key[1], -_last(grouped[key])["accuracy_mean"])):
        row = _last(grouped[key])
        cells = [row["model"], f"{100 * row['budget']:g} %", row["method"], f"{100 * row['flops_fraction']:.1f} %"]
        cells += [f"{row['params'] / 1e6:.3f} M", f"{row['method_seconds']:.1f}"]
        cells += [_accuracy(grouped[key].get(count)) for count in steps]
        lines.append("| " + " | ".join(cells) + " |")
    return "\n".join(lines)


def _last(by_steps: dict[int, Row]) -> Row:
    return by_steps[max(by_steps)]


def _accuracy(row: Row | None) -> str:
    if row is None:
        return ""
    spread = f" ± {100 * row['accuracy_std']:.1f}" if row["seeds"] > 1 else ""
    return f"{100 * row['accuracy_mean']:.1f} %{spread}"


def figure(measured: Sequence[Row]) -> Figure:
    """Accuracy after the most steps against FLOPs, one line for every method, side by side for every model."""
    steps = max(row["steps"] for row in measured)
    shown = [row for row in measured if row["steps"] == steps and row["method"] != ORIGINAL]
    models = sorted({row["model"] for row in shown})
    methods = sorted({row["method"] for row in shown})
    made = make_subplots(rows=1, cols=len(models), subplot_titles=models, shared_yaxes=True)
    for column, model in enumerate(models, start=1):
        for number, method in enumerate(methods):
            own = [row for row in shown if (row["model"], row["method"]) == (model, method)]
            made.add_trace(_line(method, number, own, legend=column == 1), row=1, col=column)
    made.update_xaxes(title="FLOPs, % of the original", autorange="reversed")
    made.update_yaxes(title=f"test accuracy after {steps:,} steps, %", col=1)
    return made.update_layout(template="plotly_white", margin={"t": 40}, height=560)


def _line(method: str, number: int, own: Sequence[Row], legend: bool) -> Scatter:
    return Scatter(
        x=[100 * row["flops_fraction"] for row in own],
        y=[100 * row["accuracy_mean"] for row in own],
        error_y={"array": [100 * row["accuracy_std"] for row in own]},
        mode="lines+markers",
        line={"color": qualitative.Dark24[number % 24]},
        name=method,
        legendgroup=method,
        showlegend=legend,
    )
