"""Ladders of proxies, and the table and picture of their fidelity."""

from dataclasses import dataclass, field
from typing import Any

from plotly.subplots import make_subplots

from objectives.network.distillation import Distillation
from objectives.network.precision import Precision

BY_LOSS = ", by loss"


@dataclass(frozen=True)
class Ladder:
    """Proxies that share their work: one way of repair, scored after several numbers of steps."""

    name: str
    rungs: tuple[int, ...]
    changes: dict[str, Any] = field(default_factory=dict)

    def label(self, steps: int) -> str:
        """Name of the proxy at one rung."""
        return f"{self.name}{steps} steps" if steps else f"{self.name}recalibration alone"


SOFT = Distillation(weight=0.5, temperature=2.0)
EXACT, SHORT = Precision(), Precision("mixed_bfloat16")
LADDERS = (
    Ladder("", (0, 10, 30, 60, 100), {"distillation": None, "precision": EXACT}),
    Ladder("distillation, ", (30, 60), {"distillation": SOFT, "precision": EXACT}),
    Ladder("reconstruction, ", (0, 30, 60), {"distillation": None, "reconstruction_images": 128, "precision": EXACT}),
    Ladder("bfloat16, distillation, ", (30,), {"distillation": SOFT, "precision": SHORT}),
)


def figure(result: dict[str, Any], shown: str) -> Any:
    """Fidelity against cost of all proxies that score by accuracy, and one of them against the long fine-tune."""
    long, proxies = result["long"], {proxy["name"]: proxy for proxy in result["proxies"]}
    titles = ("Rank correlation against cost, by number of steps", f"{shown}: every candidate")
    made = make_subplots(1, 2, column_widths=[0.6, 0.4], subplot_titles=titles)
    for ladder in LADDERS:
        rungs = [steps for steps in ladder.rungs if ladder.label(steps) in proxies]
        of_ladder = [proxies[ladder.label(steps)] for steps in rungs]
        made.add_scatter(
            x=[proxy["seconds"] / long["seconds"] for proxy in of_ladder],
            y=[proxy["spearman"] for proxy in of_ladder],
            name=ladder.name.removesuffix(", ") or "labels alone",
            text=[str(steps) for steps in rungs],
            textposition="top center",
            mode="markers+lines+text",
            marker_size=9,
            row=1,
            col=1,
        )
    made.add_vline(0.1, line_dash="dot", row=1, col=1)
    made.add_hline(0.9, line_dash="dot", row=1, col=1)
    made.add_scatter(
        x=proxies[shown]["scores"],
        y=long["test_accuracies"],
        mode="markers",
        marker_size=9,
        showlegend=False,
        row=1,
        col=2,
    )
    made.update_xaxes(title="cost, as a share of the long fine-tune's", rangemode="tozero", row=1, col=1)
    made.update_yaxes(title="Spearman", row=1, col=1)
    made.update_xaxes(title="validation accuracy by the proxy", row=1, col=2)
    made.update_yaxes(title=f"test accuracy after {long['steps']} steps", row=1, col=2)
    legend = {"orientation": "h", "y": -0.18}
    made.update_layout(template="plotly_white", legend=legend, margin={"l": 60, "r": 20, "t": 50, "b": 60})
    return made


def markdown(result: dict[str, Any]) -> str:
    """The table of the proxies, by accuracy and by loss side by side."""
    long, proxies = result["long"], {proxy["name"]: proxy for proxy in result["proxies"]}
    lines = [
        "| proxy | seconds | of the long one | Spearman (by loss) | Kendall | better half |",
        "|---|---|---|---|---|---|",
    ]
    for name, proxy in proxies.items():
        if name + BY_LOSS in proxies:
            cells = (name, f"{proxy['seconds']:.1f}", f"{100 * proxy['seconds'] / long['seconds']:.1f} %")
            spearman = f"{proxy['spearman']:.2f} ({proxies[name + BY_LOSS]['spearman']:.2f})"
            last = (f"{proxy['kendall']:.2f}", f"{proxy['spearman_better_half']:.2f}")
            lines.append(f"| {' | '.join((*cells, spearman, *last))} |")
    return "\n".join([*lines, f"| {long['steps']} steps, test split | {long['seconds']:.1f} | | | | |"])
