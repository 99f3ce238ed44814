"""A model that all methods prune, with the data and the cost that they share."""

from collections.abc import Mapping
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any

import keras
import numpy as np
from numpy.typing import NDArray

from compress.graph.analysis import analyse
from compress.parameters import CompressionParameters
from configs.load import load_config
from objectives.cost.cost import Cost
from objectives.cost.cost_model import CostModel
from objectives.score.proxy import ScoreProxy
from objectives.score.repair import recalibration_batches
from scripts.bench.objectives.proxy import Bench
from zoo.data.batches import gather

Batch = tuple[NDArray[np.float32], NDArray[Any]]
"""Normalized images (N, H, W, C) and labels (N,)."""


@dataclass(frozen=True)
class Original:
    """A trained model and what it is measured with.

    Attributes:
        name: of its file, without the suffix.
        bench: model, data and settings.
    """

    name: str
    bench: Bench

    @classmethod
    def of(cls, config: Path, model: Path, steps: int = 0) -> "Original":
        """The model of a file, all else as a configuration says; `steps` of a fine-tune."""
        return cls(model.stem, Bench(load_config(config, ["model.zoo=null", f"model.path={model}"]), steps))

    @cached_property
    def cost(self) -> Cost:
        """Of the whole model."""
        return cost_of(self.bench.model)

    def fraction(self, model: keras.Model) -> float:
        """FLOPs of a model as a fraction of the original's."""
        return cost_of(model).flops / self.cost.flops

    def fraction_of_widths(self, widths: Mapping[str, int]) -> float:
        """FLOPs, as a fraction of the original's, of a model whose convolutions have so many filters; none is built."""
        groups = self.bench.space.cost.graph.groups
        ratios = {group.name: 1 - widths[group.layers[0]] / group.channels for group in groups}
        return self.bench.space.cost.cost(CompressionParameters(ratios, {})).flops / self.cost.flops

    @cached_property
    def probe(self) -> NDArray[np.float32]:
        """A few normalized validation images (64, H, W, C), on which converted models are compared."""
        data = self.bench.data
        images, _ = gather(data.validation, np.arange(min(64, len(data.validation))), data.normalization)
        return images

    @property
    def recalibration_batches(self) -> int:
        """Batches that the proxy recalibrates with."""
        proxy = self.bench.config.proxy
        return proxy.recalibration_images // proxy.batch_size

    def batches(self, count: int) -> list[Batch]:
        """So many batches of training images."""
        data, size, seed = self.bench.data, self.bench.config.proxy.batch_size, self.bench.config.seed
        order = recalibration_batches(len(data.train), size, count * size, seed)
        return [gather(data.train, indices, data.normalization) for indices in order]

    def validation(self) -> list[Batch]:
        """All validation images, in batches."""
        data, size = self.bench.data, self.bench.config.proxy.batch_size
        indices = np.arange(len(data.validation))
        parts = (indices[start : start + size] for start in range(0, len(indices), size))
        return [gather(data.validation, part, data.normalization) for part in parts]

    def proxy(self, seed: int) -> ScoreProxy:
        """What fine-tunes and scores: the configuration's, by labels alone."""
        return self.bench.proxy(seed=seed, distillation=None)


def cost_of(model: keras.Model) -> Cost:
    """What a model costs as it is."""
    return CostModel(analyse(model)).cost(CompressionParameters.none())
