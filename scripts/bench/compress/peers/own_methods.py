"""Values that tuckprune prunes by: uniform and recommended ones, and those of a file that names searches' results."""

import json
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from types import MappingProxyType

import keras
import numpy as np

from compress.parameter_files.files import read_parameters
from compress.parameters import CompressionParameters
from compress.recipe import apply_parameters
from compress.recommend.inner import InnerRatios
from compress.recommend.recommend import RatioRecommender
from objectives.budget.budget import Budget
from objectives.budget.recommended import BudgetValues, MakeRatios
from scripts.bench.compress.peers.kept import Case
from scripts.bench.compress.peers.original import Original
from search.space.projection import Projection


def uniform(original: Original, budget: float) -> CompressionParameters:
    """Equal preferences for all groups, projected onto the budget as a search projects its uniform start."""
    space = original.bench.space
    limit = Budget.parse({"flops": budget}, original.cost)
    return Projection(space, limit)(np.ones(len(space.dimensions))).parameters


def simple(original: Original, budget: float) -> CompressionParameters:
    """SLAMP's ratios at the least global ratio that meets the budget."""
    return _recommended(original, budget, RatioRecommender.of)


def inner(original: Original, budget: float) -> CompressionParameters:
    """One ratio for the layers within residual blocks, the least that meets the budget."""
    return _recommended(original, budget, InnerRatios.of)


def _recommended(original: Original, budget: float, make: MakeRatios) -> CompressionParameters:
    limit = Budget.parse({"flops": budget}, original.cost)
    values = BudgetValues(("prune",), limit, original.cost, make=make)
    return CompressionParameters(values.ratios(original.bench.model).ratios, {})


OWN: Mapping[str, Callable[[Original, float], CompressionParameters]] = MappingProxyType(
    {"uniform": uniform, "simple": simple, "inner": inner}
)
"""Methods that need neither PyTorch nor a file."""


def applied(original: Original, parameters: CompressionParameters) -> keras.Model:
    """The original with these values, not trained, by the configuration's recipe."""
    return apply_parameters(original.bench.model, parameters, original.bench.config.recipe)


@dataclass(frozen=True)
class GivenValues:
    """Values from elsewhere.

    Attributes:
        case: what they are for.
        parameters: the values.
        method_seconds: that it took to find them.
    """

    case: Case
    parameters: CompressionParameters
    method_seconds: float


def given_values(file: Path) -> list[GivenValues]:
    """The values that a JSON file lists.

    Each entry is `{"model": "resnet20_cifar10", "budget": 0.35, "method": "search", "parameters": "parameters.json",
    "method_seconds": 800}`, its parameters a file of tuckprune's, relative to the list.

    Raises:
        ParameterError: a parameter file that cannot be read.
    """
    return [
        GivenValues(
            Case(entry["model"], float(entry["budget"]), entry["method"]),
            read_parameters([file.parent / entry["parameters"]]).parameters,
            float(entry["method_seconds"]),
        )
        for entry in json.loads(file.read_text(encoding="utf-8"))
    ]
