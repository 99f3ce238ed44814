"""Cost, size and test score of a model."""

from dataclasses import replace
from pathlib import Path
from typing import Any

from compress.graph.analysis import analyse
from compress.graph.sizes import ImageSize, at_size, takes_any_size
from compress.model_files.files import load_model, saved_size
from compress.parameters import CompressionParameters
from configs.schema.run import RunConfig
from objectives.accuracy.score import score
from objectives.cost.cost_model import CostModel, learned_weights
from objectives.cost.latency import measure_latency
from objectives.cost.quantities.standard import LATENCY, MEMORY, STANDARD
from search import settings
from search.runs.results import ORIGINAL, Result, write_result
from search.runs.run_folder import RunFolder
from zoo.data.dataset import ImageDataset
from zoo.training.training import evaluate

_BATCH = 512
"""Images that the original and the final models are called with at a time."""


def measure_original(path: Path, data: ImageDataset, folder: RunFolder, config: RunConfig) -> Result:
    """Cost, test accuracy and metric of the original model, also written to the run's results."""
    result = measure(load_model(path, config.model.custom_objects), ORIGINAL, data, config)
    write_result(result, folder.results)
    return result


def measure(
    model: Any,
    label: str,
    data: ImageDataset | None = None,
    config: RunConfig | None = None,
    image_size: ImageSize | None = None,
) -> Result:
    """Figures of a model: its cost and size, and where there is data, what it scores on the test split.

    A configuration asks for the metric that candidates are ranked by, and for what its budget limits. Without data, and
    without a size of images, the FLOPs of a model that takes any are not known.
    """
    size = image_size if data is None else data.image_shape[:-1]
    graph = analyse(model, image_size=size)
    if size is None and takes_any_size(model):
        return Result(label, None, None, learned_weights(graph), saved_size(model))
    cost = CostModel(graph).cost(CompressionParameters.none())
    accuracy = None if data is None else evaluate(model, data.test, data.normalization)
    result = Result(label, accuracy, cost.flops, cost.params, saved_size(model))
    if config is None:
        return result
    limited = settings.limited_quantities(config.budget)
    if MEMORY in limited:
        result = replace(result, memory=cost.memory)
    if LATENCY in limited:
        result = replace(result, latency=measure_latency(at_size(model, size), settings.latency(config.latency)).low)
    result = replace(result, others={one.name: one.of(cost) for one in limited if one not in STANDARD})
    metric = None if data is None else settings.metric(config.search.metric, data.classes)
    if data is None or metric is None or not metric.is_extra:
        return result
    value = score(model, data.test, data.normalization, _BATCH, metric).value
    return replace(result, metric=metric.name, value=value)
