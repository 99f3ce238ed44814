"""Prune models of other packages at half ratio, and check what the result computes against the original.

Run from the repository's root: ``python -m scripts.bench.compress.zoo``, with the packages of the extra ``zoo``.
Writes docs/results/zoo.json and docs/zoo.md after every model; models that are in the file are not measured again
(``--again`` measures all). Weights are random, so the figures say what is covered, not how well a result does.
"""

import argparse
import json
import os
import re
from collections import Counter
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import search  # noqa: F401  before TensorFlow, for the environment that it needs

# isort: split
import keras
import numpy as np

from compress.cloning.walk import as_functional
from compress.errors import TuckpruneError, one_line
from compress.graph.analysis import analyse
from compress.parameters import CompressionParameters
from compress.pruning.pruning import group_scores, remove
from objectives.cost.cost_model import CostModel
from scripts.bench.compress.masked_model import masked_outputs, relative_error
from scripts.bench.compress.zoo_models import PACKAGES, RULES, build

ROOT = Path(__file__).parents[3]
JSON_FILE = ROOT / "docs" / "results" / "zoo.json"
TABLE_FILE = ROOT / "docs" / "zoo.md"
RATIO = 0.5
WELL = 0.95
REASONS = 3
CHANGE = 1e-3
OUTPUT = "it is an output of the model"


@dataclass(frozen=True)
class Row:
    """What came out for one model.

    Attributes:
        model: its name here.
        package: where it comes from, as PyPI calls it.
        prunable: share of its parameters in weights of which channels can be removed, 0 to 1.
        flops_before: FLOPs of the original; 0 where the model is refused.
        flops_after: FLOPs at half ratio.
        max_rel_error: max |a - b| / max |b|, the larger one of the pruned model against the original with the removed
            channels set to zero, and of the unpruned flat model against the original.
        left: why the rest is left whole, the reasons that most groups have; "" where nothing but outputs is.
    """

    model: str
    package: str
    prunable: float
    flops_before: int
    flops_after: int
    max_rel_error: float
    left: str


def measure(package: str, name: str, original: Any) -> Row:
    """Analyse, prune and check one model.

    Raises:
        ValueError: outputs are not finite, or as they were before pruning, so that nothing is proven.
    """
    x = images(original, 2)
    try:
        model = as_functional(original)
        graph = analyse(model)
        ratios = {group.name: RATIO for group in graph.groups}
        kept = graph.keep(ratios, {group.name: group_scores(model, graph, group) for group in graph.groups})
        pruned = remove(model, graph, kept)
    except TuckpruneError as error:
        return Row(name, package, 0.0, 0, 0, 0.0, one_line(error))
    errors = [
        relative_error(outputs(pruned, x), masked_outputs(model, graph, kept, x)),
        relative_error(outputs(model, x), outputs(original, x)),
    ]
    if not np.isfinite(errors).all():
        raise ValueError(f"{name}: expected finite outputs, received errors of {errors}")
    if relative_error(outputs(pruned, x), outputs(original, x)) < CHANGE and ratios:
        raise ValueError(f"{name}: expected pruning to change the outputs, received the original's")
    cost = CostModel(graph)
    flops = [cost.cost(CompressionParameters(given, {})).flops for given in ({}, ratios)]
    return Row(name, package, prunable_share(graph), *flops, float(f"{max(errors):.2g}"), left(graph))


def prunable_share(graph: Any) -> float:
    """Share of parameters in weights along an axis of which channels can be removed."""
    free = np.zeros(graph.labels, dtype=bool)
    for group in graph.groups:
        free[np.concatenate(group.subgroups)] = True
    sizes = Counter[bool]()
    for node in graph.nodes:
        for weight in () if node.repeated else node.weights:
            follows = any(labels is not None and free[labels].any() for labels in weight.labels)
            sizes[follows] += int(np.prod(weight.shape))
    return round(sizes[True] / max(sizes.total(), 1), 4)


def left(graph: Any) -> str:
    """The most frequent reasons for which groups are left whole, other than being an output: an example of each."""
    reasons = [item.reason for item in graph.excluded if item.reason != OUTPUT]
    examples = {_kind(reason): reason for reason in reversed(reasons)}
    counts = Counter(map(_kind, reasons))
    return "; ".join(f"{examples[kind]} ({count})" for kind, count in counts.most_common(REASONS))


def _kind(reason: str) -> str:
    """A reason without the names in it."""
    return re.sub(r"'[^']*'", "", reason)


def images(model: Any, count: int) -> Any:
    """Random inputs of a model: one array, or a list of them."""
    rng = np.random.default_rng(2)
    tensors = keras.tree.flatten(model.inputs)
    arrays = [rng.normal(size=(count, *tensor.shape[1:])).astype(np.float32) for tensor in tensors]
    return arrays[0] if len(arrays) == 1 else arrays


def outputs(model: Any, x: Any) -> list[Any]:
    """What a model computes in inference mode, as a flat list of arrays."""
    return [np.asarray(item) for item in keras.tree.flatten(model(x, training=False))]


def randomized(model: Any) -> Any:
    """The model with random vectors, and with normalizations that have seen images, or activations would vanish."""
    rng = np.random.default_rng(0)
    for variable in model.trainable_weights:
        if len(variable.shape) == 1:
            low = 0.5 if variable.path.endswith(("gamma", "scale")) else -0.5
            variable.assign(rng.uniform(low, low + 1, variable.shape))
    layers = [layer for layer in model._flatten_layers() if isinstance(layer, keras.layers.BatchNormalization)]
    momenta = [layer.momentum for layer in layers]
    for layer in layers:
        layer.momentum = 0.0
    model(images(model, 8), training=True)
    for layer, momentum in zip(layers, momenta, strict=True):
        layer.momentum = momentum
    return model


def measured(package: str, name: str) -> Row:
    """The row of one model, which is built anew."""
    keras.utils.clear_session()
    keras.utils.set_random_seed(0)
    return measure(package, name, randomized(build(package, name)))


def table(rows: Sequence[Row]) -> str:
    """docs/zoo.md."""

    well = sum(row.prunable >= WELL for row in rows)
    classes = ", ".join(f"`{kind}`" for rules in RULES.values() for _, kind, _ in rules)
    lines = [
        "# Models of other packages",
        "",
        "Models of other packages for Keras 3, random weights, small images; by",
        "`python -m scripts.bench.compress.zoo`, with the packages of the extra `zoo`. Every group is pruned at ratio",
        "0.5. Prunable are the parameters in weights of which channels can be removed: at least "
        f"{WELL:.0%} of them in {well}",
        f"of {len(rows)} models. The error is max |a - b| / max |b|, between the outputs of the pruned model and those",
        "of the original with the removed channels set to zero after every call, or, if that is larger, between those",
        "of the unpruned flat model and of the original. These layer classes have rules as their user would give them",
        f"(`compress.rule`): {classes}.",
        "",
        "| package | model | prunable | MFLOPs before | after | error |",
        "|---|---|---|---|---|---|",
        *(
            f"| {row.package} | {row.model} | {row.prunable:.1%} | {row.flops_before / 1e6:.1f} "
            f"| {row.flops_after / 1e6:.1f} | {row.max_rel_error:.1e} |"
            for row in rows
        ),
        "",
        "Left whole besides outputs, with the number of groups for each of the most frequent reasons:",
        "",
        *(f"- {row.package} {row.model}: {row.left}" for row in rows if row.left),
    ]
    return "\n".join(lines) + "\n"


def write(rows: Sequence[Row]) -> None:
    """Write both files."""
    JSON_FILE.write_text(json.dumps([asdict(row) for row in rows], indent=1) + "\n", encoding="utf-8")
    TABLE_FILE.write_text(table(rows), encoding="utf-8")


def main() -> None:
    """Measure all models that are not in the file, yielding the processor to others."""

    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--again", action="store_true", help="measure models that are in the file, too")
    parser.add_argument("--only", nargs="+", default=[], metavar="NAME", help="measure these packages and models again")
    arguments = parser.parse_args()
    os.nice(19)
    names = [(package, name) for package, models in PACKAGES.items() for name in models]
    known = {}
    if JSON_FILE.exists() and not arguments.again:
        known = {(row["package"], row["model"]): Row(**row) for row in json.loads(JSON_FILE.read_text())}
    for key in names:
        if key not in known or not set(arguments.only).isdisjoint(key):
            known[key] = measured(*key)
            print(known[key], flush=True)
            write([known[key] for key in names if key in known])


if __name__ == "__main__":
    main()
