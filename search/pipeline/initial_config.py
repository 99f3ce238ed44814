"""The configuration that ``tuckprune init`` writes for a model and its images, after inspecting both."""

import re
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import yaml
from jinja2 import Environment, StrictUndefined

from compress.errors import BudgetError, ConfigError
from compress.graph.analysis import analyse
from compress.graph.sizes import ImageSize
from compress.model_files.files import load_model
from compress.parameters import CompressionParameters
from configs.load import check_config
from configs.schema.run import RunConfig
from objectives.budget.recommended import silent
from objectives.cost.cost import Cost
from objectives.cost.cost_model import CostModel
from search import settings
from search.space.projection import Projection
from search.strategies.preparation import sample_of_validation, search_space
from zoo.data.dataset import ImageDataset, Normalization, Split, check_model_fits
from zoo.data.files.paths import data_path, is_folder
from zoo.tasks.figures.scoring import score_of
from zoo.tasks.metric import ACCURACY, Score

_BUDGETS = (50, 60, 70, 80, 90)
_BATCH = 128
_FEW = 500
"""Validation images below which many candidates have one accuracy."""

_TEMPLATE = Path(__file__).parent / "templates" / "initial_config.yaml"

_IMAGENET = ((0.485, 0.456, 0.406), (0.229, 0.224, 0.225))


@dataclass(frozen=True)
class ScoredNormalization:
    """A usual normalization of pixels, and the score of the original model with it.

    Attributes:
        words: description of the normalization.
        normalization: the normalization.
        score: of the original model on validation images.
        doubt: why the score is suspicious; None where it is not.
    """

    words: str
    normalization: Normalization
    score: Score
    doubt: str | None

    @property
    def line(self) -> str:
        """The figures, in words."""
        return f"{self.score.text}: {self.words}"


@dataclass(frozen=True)
class Findings:
    """What was learned of the model and the images, for the template.

    Attributes:
        path: of the model.
        given: the sections of the configuration by which model and images were loaded.
        data: the images.
        normalizations: with the original's score, the best first.
        images: number of images that it was scored on.
        original: cost of the original.
        budget: percent of its FLOPs.
    """

    path: Path
    given: Mapping[str, Any]
    data: ImageDataset
    normalizations: Sequence[ScoredNormalization]
    images: int
    original: Cost
    budget: int = _BUDGETS[0]


def initial_config(
    path: Path,
    source: str,
    task: str | None = None,
    custom_objects: str | None = None,
    image_size: ImageSize | None = None,
    log: Callable[[str], None] = silent,
) -> str:
    """The text of a configuration for a model and its images: commented YAML.

    Of the usual normalizations the one is chosen with which the original scores best. The budget is half of the FLOPs,
    or the next tenth above that a search can meet.

    Args:
        path: file of the trained model.
        source: of the images, as `data.source` takes it.
        task: of the model; None for classification, or for the task of the data.
        custom_objects: module of the user's own classes in the model.
        image_size: that images of a folder are resized to, one number for both sides or (height, width); None for the
            model's.
        log: called with lines on the model and the images.

    Raises:
        TuckpruneError: a model or images that cannot be read, or that do not fit each other.
    """
    model = load_model(path, custom_objects)
    given = _given(path, source, task, custom_objects, image_size or _taken(model, source))
    config = check_config({**given, "budget": {"flops": "50%"}}, f"a configuration for '{path}' and '{source}'")
    if config.task is not None and (config.task.is_own or config.task.is_fitted):
        raise ConfigError(
            f"task: expected one whose images can be looked at, received {config.task.name!r}; write its "
            "configuration by hand, as docs/task.md shows"
        )
    data = settings.dataset(config, log, model=model)
    check_model_fits(data, model)
    log(f"model: {path}, images of {'x'.join(map(str, data.image_shape))}, {data.task.label}")
    sample = sample_of_validation(data, config.seed)
    scored = [_scored(model, data, sample, *one) for one in _normalizations(data, sample.images)]
    ranked_by = data.task.metrics[0]
    scored.sort(key=lambda one: (-one.score.objective(ranked_by), one.score.loss))
    log(f"original, on {len(sample)} validation images: {scored[0].line}")
    if scored[0].doubt is not None:
        log(f"{scored[0].doubt}: check that it is trained, and what the targets mean")
    cost_model = CostModel(analyse(model, image_size=data.image_shape[:-1]))
    original = cost_model.cost(CompressionParameters.none())
    return _reachable(Findings(path, given, data, scored, len(sample), original), cost_model)


def _taken(model: Any, source: str) -> ImageSize | None:
    """What images of a folder are resized to for a model that takes one size alone."""
    size = tuple(model.inputs[0].shape[1:3])
    return size if is_folder(data_path(source)) and len(size) == 2 and None not in size else None


def _given(
    path: Path, source: str, task: str | None, custom_objects: str | None, size: ImageSize | None
) -> Mapping[str, Any]:
    """The sections by which model and images are loaded."""
    sides = size and list(size * 2 if len(size) == 1 else size)
    return {
        "name": _run_name(path),
        "model": {"path": str(path), "custom_objects": custom_objects},
        "data": {"source": source, "image_size": sides},
        "task": task,
    }


def _scored(
    model: Any, data: ImageDataset, sample: Split, words: str, normalization: Normalization
) -> ScoredNormalization:
    # Keras traces the model once for all normalizations.
    outputs = model.predict(normalization(sample.images), batch_size=_BATCH, verbose=0)
    loss = data.task.loss(model)
    doubt = data.task.doubt(sample.targets, data.task.activated(outputs, loss.from_logits))
    return ScoredNormalization(words, normalization, score_of(data.task, sample.targets, outputs, loss), doubt)


def _normalizations(data: ImageDataset, images: Any) -> Iterator[tuple[str, Normalization]]:
    """The usual normalizations for pixels of this range, each with a description."""
    channels, low, high = data.image_shape[-1], float(images.min()), float(images.max())
    zero, one = (0.0,) * channels, (1.0,) * channels
    yield "pixels as they are", Normalization(1.0, zero, one)
    if low >= 0:
        unit = 1.0 if high <= 1 else 255.0 if high > 64 else high
        yield "pixels from 0 to 1", Normalization(unit, zero, one)
        yield "pixels from -1 to 1", Normalization(unit / 2, one, one)
        if channels == 3:
            yield "ImageNet's mean 0 and deviation 1", Normalization(unit, *_IMAGENET)
    yield "mean 0 and deviation 1, of the training images or CIFAR's", data.normalization


def _reachable(findings: Findings, cost_model: CostModel) -> str:
    """The configuration with the tightest of the usual budgets that a search can meet."""
    for percent in _BUDGETS:
        text = _text(replace(findings, budget=percent))
        config = check_config(yaml.safe_load(text), "the new configuration")
        if _can_meet(config, cost_model, findings.original):
            break
    return text


def _can_meet(config: RunConfig, cost_model: CostModel, original: Cost) -> bool:
    try:
        Projection(search_space(config, cost_model), settings.budget(config.budget, original)).check_reachable()
    except BudgetError:
        return False
    return True


def _text(findings: Findings) -> str:
    environment = Environment(
        trim_blocks=True, lstrip_blocks=True, keep_trailing_newline=True, undefined=StrictUndefined
    )
    environment.filters["number"] = number = "{:.6g}".format
    counts = [len(split) for split in (findings.data.train, findings.data.validation, findings.data.test)]
    return environment.from_string(_TEMPLATE.read_text(encoding="utf-8")).render(
        findings=findings,
        **findings.given,
        shape="x".join(map(str, findings.data.image_shape)),
        counts=counts,
        best=findings.normalizations[0],
        batch=min(_BATCH, max(1, counts[0] // 10)),
        few=counts[1] < _FEW and findings.data.task.metrics[0] == ACCURACY,
        number=number,
    )


def _run_name(path: Path) -> str:
    name = re.sub(r"[^A-Za-z0-9._-]+", "_", path.stem).lstrip("._-")[:64]
    if not name:
        raise ConfigError(f"expected a model file whose name has letters or digits, received '{path}'; rename it")
    return name
