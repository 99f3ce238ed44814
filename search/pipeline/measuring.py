"""Cost, size and test score of a model."""

from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np

from compress.graph.analysis import analyse
from compress.graph.sizes import ImageSize, at_size, takes_any_size
from compress.model_files.files import load_model, saved_size
from compress.parameters import CompressionParameters
from configs.schema.run import RunConfig
from configs.schema.search import MetricConfig
from objectives.cost.cost_model import CostModel, learned_weights
from objectives.cost.latency import measure_latency
from objectives.cost.quantities.standard import LATENCY, MEMORY, STANDARD
from search import settings
from search.runs.answers import Answers
from search.runs.results import ORIGINAL, Result, write_result
from search.runs.run_folder import RunFolder
from zoo.data.dataset import Data, ImageDataset, Split
from zoo.tasks.own_task import OwnTask
from zoo.tasks.task import Shown
from zoo.training.evaluation import predict, score_on


def measure_original(path: Path, data: Data, folder: RunFolder, config: RunConfig) -> Result:
    """The result of the original model, which is also written to the run folder."""
    return measure_and_keep(load_model(path, config.model.custom_objects), ORIGINAL, data, folder, config)


def measure_and_keep(model: Any, label: str, data: Data, folder: RunFolder, config: RunConfig) -> Result:
    """The result of a model of a run; it is written to the run folder, with answers to a few test images.

    Raises:
        RunError: a file cannot be written.
    """
    result = measure(model, label, data, config)
    write_result(result, folder.results)
    examples = answers(model, label, data)
    if examples is not None:
        examples.write(folder.answers)
    return result


_SHOWN = 5
"""Number of test images whose answers are stored."""


def answers(model: Any, label: str, data: Data) -> Answers | None:
    """A model's answers to a few test images, the same for all models; None for data without images."""
    shown = data.shown(model, _SHOWN) if isinstance(data, OwnTask) else _examples(model, data)
    return None if shown is None else Answers.of(label, shown)


def _examples(model: Any, data: ImageDataset) -> Shown | None:
    if data.is_series:
        return None
    task, chosen = data.task, np.linspace(0, len(data.test) - 1, min(_SHOWN, len(data.test))).astype(int)
    images, targets = data.test.at(chosen)
    outputs = predict(model, Split(images, targets), data.normalization, _SHOWN)
    answers = task.shown_outputs(task.activated(outputs, task.loss(model).from_logits))
    return Shown(images, {"": task.shown_targets(targets)}, {"": answers})


def measure(
    model: Any,
    label: str,
    data: Data | None = None,
    config: RunConfig | None = None,
    image_size: ImageSize | None = None,
) -> Result:
    """The result of a model: its cost and size, and with data its figures on the test split.

    Args:
        model: to be measured.
        label: of the result.
        data: images and their targets, or a task of the user's own; None to measure no figures.
        config: of the run: names the metric that candidates are ranked by, and what the budget limits.
        image_size: without data, at which the FLOPs of a model that takes images of any size are counted.
    """
    size = image_size if data is None else data.image_size
    graph = analyse(model, image_size=size)
    if size is None and takes_any_size(model):
        return Result(label, None, learned_weights(graph), saved_size(model))
    cost = CostModel(graph).cost(CompressionParameters.none())
    result = Result(label, cost.flops, cost.params, saved_size(model))
    if data is not None:
        result = _scored(result, model, data, None if config is None else config.search.metric)
    if config is None:
        return result
    limited = settings.limited_quantities(config.budget)
    if MEMORY in limited:
        result = replace(result, memory=cost.memory)
    if LATENCY in limited:
        result = replace(result, latency=measure_latency(at_size(model, size), settings.latency(config.latency)).low)
    return replace(result, others={one.name: one.of(cost) for one in limited if one not in STANDARD})


def _scored(result: Result, model: Any, data: Data, wanted: MetricConfig | None) -> Result:
    """The result with the model's figures on the test split."""
    ranked_by = settings.metric(wanted, data.task, model)
    figures = score_on("test", model, data, ranked_by).figures
    metrics = {metric.name: metric for metric in (*data.task.metrics, ranked_by)}
    return replace(result, figures=figures, metrics=tuple(metrics.values()), ranked_by=ranked_by.name)
