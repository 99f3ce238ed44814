"""Prune and decompose one member of every family of keras.applications, and check what the result computes and costs.

Run from the repository's root: ``python -m scripts.bench.compress.families``. Writes docs/results/families.json and
docs/families.md; a family that fails stops it. Weights are random, so the figures say what is covered, not how well a
compressed model does.
"""

import json
import time
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import keras
import numpy as np

import search  # noqa: F401, I001  before TensorFlow, for the environment that it needs
from compress.cloning.walk import as_functional
from compress.decomposition.tucker import decompose, tucker_saves
from compress.graph.analysis import analyse
from compress.graph.channel_graph import ChannelGraph
from compress.parameters import CompressionParameters
from compress.pruning.pruning import group_scores, remove
from objectives.cost.cost import Cost
from objectives.cost.cost_model import CostModel
from scripts.bench.compress.masked_model import masked_outputs, relative_error
from scripts.bench.objectives.profiled_flops import profiled_flops

ROOT = Path(__file__).parents[3]
JSON_FILE = ROOT / "docs" / "results" / "families.json"
TABLE_FILE = ROOT / "docs" / "families.md"
TOLERANCE = 1e-4
RATIOS = (0.1, 0.2, 0.3, 0.4, 0.5, 0.6)
NONE = CompressionParameters.none()

ACROSS = ", across normalization"
"""End of the name of a row in whose model channels go over which a layer normalizes."""

FAMILIES = {
    "VGG16": 32,
    "ResNet50": 32,
    "ResNet50V2": 32,
    "MobileNet": 32,
    "MobileNetV2": 32,
    "MobileNetV3Small": 32,
    "DenseNet121": 32,
    "EfficientNetB0": 32,
    "EfficientNetV2B0": 32,
    "Xception": 71,
    "InceptionV3": 75,
    "InceptionResNetV2": 75,
    "NASNetMobile": 32,
    "ConvNeXtTiny": 32,
    "ConvNeXtTiny" + ACROSS: 32,
}
"""One member of each family, and the smallest side of an image that it takes."""


@dataclass(frozen=True)
class Row:
    """What came out for one family.

    Attributes:
        family: name of the model in keras.applications, perhaps with ``ACROSS``.
        groups: prunable groups.
        frozen: groups that are left whole: name and reason.
        decomposed: convolutions that were decomposed after pruning.
        flops_before: FLOPs of the original.
        flops_after: FLOPs of the pruned and decomposed model.
        max_rel_error: max |a - b| / max |b| between the pruned model and the masked original.
        seconds: time to analyse, prune and decompose.
    """

    family: str
    groups: int
    frozen: list[dict[str, str]]
    decomposed: int
    flops_before: int
    flops_after: int
    max_rel_error: float
    seconds: float


def build(family: str, side: int) -> Any:
    """A member of keras.applications without pretrained weights, with random parameters and lively activations."""
    keras.utils.clear_session()  # or operations would be named after how many were made before
    keras.utils.set_random_seed(0)
    make = getattr(keras.applications, family.removesuffix(ACROSS))
    model = make(weights=None, input_shape=(side, side, 3), classes=10, classifier_activation=None)
    rng = np.random.default_rng(0)
    for variable in model.trainable_weights:
        if len(variable.shape) == 1:
            low = 0.5 if variable.path.endswith("gamma") else -0.5
            variable.assign(rng.uniform(low, low + 1, variable.shape))
    _settle(model, images(model, seed=1, count=8))
    return model


def _settle(model: Any, x: Any) -> None:
    """Give every batch normalization the statistics of these images, or activations would vanish with depth."""
    layers = [layer for layer in model.layers if isinstance(layer, keras.layers.BatchNormalization)]
    momenta = [layer.momentum for layer in layers]
    for layer in layers:
        layer.momentum = 0.0
    model(x, training=True)
    for layer, momentum in zip(layers, momenta, strict=True):
        layer.momentum = momentum


def images(model: Any, seed: int, count: int) -> Any:
    """Random images, shape (count, side, side, 3)."""
    shape = model.inputs[0].shape[1:]
    return np.random.default_rng(seed).uniform(0, 255, (count, *shape)).astype(np.float32)


def ratios_of(graph: ChannelGraph) -> dict[str, float]:
    """Another ratio for each group in turn."""
    return {group.name: RATIOS[index % len(RATIOS)] for index, group in enumerate(graph.groups)}


def some_ranks(graph: ChannelGraph, count: int = 3) -> dict[str, tuple[int, int]]:
    """A quarter of full ranks for the first convolutions that they make cheaper."""
    ranks: dict[str, tuple[int, int]] = {}
    for layer in graph.decomposable:
        pair = (max(layer.in_channels // 4, 1), max(layer.out_channels // 4, 1))
        if len(ranks) < count and tucker_saves(graph.node(layer.layer), layer.in_channels, layer.out_channels, pair):
            ranks[layer.layer] = pair
    return ranks


def measure(family: str, side: int) -> Row:
    """Build, prune, decompose and check one family.

    Raises:
        ValueError: the result computes or costs something else than predicted.
    """
    model = as_functional(build(family, side))
    start = time.perf_counter()
    graph = analyse(model, across_normalization=family.endswith(ACROSS))
    ratios = ratios_of(graph)
    kept = graph.keep(ratios, {group.name: group_scores(model, graph, group) for group in graph.groups})
    pruned = remove(model, graph, kept)
    ranks = some_ranks(analyse(pruned))
    small = decompose(pruned, ranks)
    seconds = time.perf_counter() - start
    return Row(
        family=family,
        groups=len(graph.groups),
        frozen=[asdict(exclusion) for exclusion in graph.excluded],
        decomposed=len(ranks),
        flops_before=CostModel(graph).cost(NONE).flops,
        flops_after=_checked_cost(model, graph, CompressionParameters(ratios, ranks), small).flops,
        max_rel_error=_checked_error(model, graph, kept, pruned),
        seconds=round(seconds, 1),
    )


def _checked_error(model: Any, graph: ChannelGraph, kept: Any, pruned: Any) -> float:
    x = images(model, seed=2, count=2)
    got, whole = ([np.asarray(net(x, training=False))] for net in (pruned, model))
    error = relative_error(got, masked_outputs(model, graph, kept, x))
    if not error <= TOLERANCE:
        raise ValueError(f"{model.name}: expected the masked model's outputs to {TOLERANCE}, received {error}")
    if relative_error(got, whole) < 100 * TOLERANCE:
        raise ValueError(f"{model.name}: expected pruning to change the outputs, received the original's")
    return float(f"{error:.2g}")


def _checked_cost(original: Any, graph: ChannelGraph, parameters: CompressionParameters, built: Any) -> Cost:
    model = CostModel(graph)
    predicted, actual = model.cost(parameters), CostModel(analyse(built)).cost(NONE)
    trainable = sum(int(np.prod(weight.shape)) for weight in built.trainable_weights)
    if (predicted, predicted.params, predicted.bytes) != (actual, trainable, 4 * built.count_params()):
        raise ValueError(f"{built.name}: expected {predicted}, received {actual} and {trainable} trainable parameters")
    for net, flops in ((original, model.cost(NONE).flops), (built, predicted.flops)):
        if (counted := profiled_flops(net)) != flops:
            raise ValueError(f"{net.name}: expected {flops} FLOPs, TensorFlow counts {counted}")
    if model.uncounted:
        raise ValueError(f"{built.name}: expected FLOPs of every layer, received none of {model.uncounted}")
    return predicted


def table(rows: Sequence[Row]) -> str:
    """docs/families.md."""
    lines = [
        "# Families of keras.applications",
        "",
        "One member of each, random weights, smallest legal image; by `python -m scripts.bench.compress.families`.",
        "Groups are pruned at ratios 0.1 to 0.6 in turn; of the convolutions that become cheaper by it, up to three",
        "are decomposed at a quarter of their full ranks. The error is max |a - b| / max |b| between the logits of the",
        "pruned model and those of the original with the removed channels set to zero after every call; in the last",
        "row [normalization across channels](design.md#normalization-across-channels) is over those that are left. The",
        "built models have the predicted parameters; they and the originals have the FLOPs that TensorFlow counts.",
        "",
        "| family | groups | left whole | decomposed | MFLOPs before | after | error | seconds |",
        "|---|---|---|---|---|---|---|---|",
        *(
            f"| {row.family} | {row.groups} | {len(row.frozen)} | {row.decomposed} | {row.flops_before / 1e6:.1f} "
            f"| {row.flops_after / 1e6:.1f} | {row.max_rel_error:.1e} | {row.seconds:.1f} |"
            for row in rows
        ),
        "",
        "Left whole, and why:",
        "",
        *(f"- {row.family}: {_reasons(row)}" for row in rows),
    ]
    return "\n".join(lines) + "\n"


def _reasons(row: Row) -> str:
    """Every reason once, with the groups that it holds for."""
    names: dict[str, list[str]] = {}
    for group in row.frozen:
        names.setdefault(group["reason"], []).append(f"`{group['name']}`")
    return "; ".join(f"{', '.join(members)} ({reason})" for reason, members in names.items())


def main() -> None:
    """Measure all families and write both files."""
    rows = []
    for family, side in FAMILIES.items():
        rows.append(measure(family, side))
        print(rows[-1].family, rows[-1].groups, rows[-1].max_rel_error, rows[-1].seconds, flush=True)
    JSON_FILE.parent.mkdir(parents=True, exist_ok=True)
    JSON_FILE.write_text(json.dumps([asdict(row) for row in rows], indent=1) + "\n", encoding="utf-8")
    TABLE_FILE.write_text(table(rows), encoding="utf-8")


if __name__ == "__main__":
    main()
