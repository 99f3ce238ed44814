"""The picture of the page "How much can I compress?": what is left of the original's figure, by task and budget.

python -m scripts.docs.how_much

Reads docs/results/search_real.json and tasks.json, writes docs/how-much.png, and needs Chromium.
"""

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from plotly.graph_objects import Figure

from search.report.pictures import write_pictures

DOCS = Path(__file__).parents[2] / "docs"
RESNET20 = 0.8805
"""Test accuracy of the model of configs/resnet20_cifar10.yaml."""

METHODS = {"simple": "Simple", "uniform": "uniform", "search": "Search"}
METRICS = {"segmentation": "mean_IoU", "transfer learning": "accuracy", "super-resolution": "PSNR"}
NAMES = {
    "segmentation": "U-Net, CamVid, mean IoU",
    "transfer learning": "MobileNet 0.25, photos, accuracy",
    "super-resolution": "EDSR x2, dB over bicubic",
}

Point = tuple[str, str, float]
"""Model and budget, method, and the share of the original's figure that is left, in percent."""


def classified() -> Iterator[Point]:
    """Points of ResNet-20 on CIFAR-10; where there are two searches, of the one by stages, the default."""
    rows = json.loads((DOCS / "results" / "search_real.json").read_text(encoding="utf-8"))
    staged = {row["setting"] for row in rows if row["method"] == "staged"}
    for row in sorted(rows, key=lambda row: -float(row["flops_fraction"])):
        method = "search" if row["method"] == "staged" else row["method"]
        if method in METHODS and not (row["method"] == "search" and row["setting"] in staged):
            yield _label("ResNet-20, CIFAR-10, accuracy", row["setting"]), method, 100 * row["accuracy_mean"] / RESNET20


def of_tasks() -> Iterator[Point]:
    """Points of the other tasks; of super-resolution, of what the original gains over bicubic enlargement."""
    rows = json.loads((DOCS / "results" / "tasks.json").read_text(encoding="utf-8"))
    wanted = [row for row in rows if METRICS.get(row["task"]) == row["metric"]]
    for row in wanted:
        if row["method"] in METHODS:
            same = [one for one in wanted if (one["task"], one["setting"]) == (row["task"], row["setting"])]
            original, bicubic = (_value(same, method) for method in ("original", "bicubic"))
            left = (row["value_mean"] - bicubic) / (original - bicubic)
            yield _label(NAMES[row["task"]], row["setting"]), row["method"], 100 * left


def _value(rows: list[dict[str, Any]], method: str) -> float:
    return next((float(row["value_mean"]) for row in rows if row["method"] == method), 0.0)


def _label(model: str, setting: str) -> str:
    *_, share, _ = setting.split()
    return f"{model}<br>{share} % of the FLOPs" + (", with ranks" if "Tucker" in setting else "")


def figure() -> Figure:
    """A row of points for every model and budget."""
    made, points = Figure(), [*classified(), *of_tasks()]
    for method, name in METHODS.items():
        chosen = [point for point in points if point[1] == method]
        made.add_scatter(
            y=[label for label, _, _ in chosen],
            x=[left for _, _, left in chosen],
            text=[f"{left:.0f}" for _, _, left in chosen],
            textposition="top center",
            name=name,
            mode="markers+text",
            marker_size=13,
        )
    made.update_yaxes(autorange="reversed")
    made.update_xaxes(title="left of the original's figure after the same fine-tuning, percent", range=[60, 100])
    made.update_layout(template="plotly_white", height=560, margin={"l": 240, "t": 30}, legend={"traceorder": "normal"})
    return made


if __name__ == "__main__":
    write_pictures({DOCS / "how-much.png": figure()})
