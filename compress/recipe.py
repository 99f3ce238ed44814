"""Recipes: the order in which a model is pruned and decomposed."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any, Literal

from compress.group import Ranks, Ratios
from compress.kernel_bases import BasesCache
from compress.parameters import CompressionParameters
from compress.prune_decompose import prune_and_decompose
from compress.pruning import prune
from compress.pruning_settings import DEFAULT_PRUNING, PruningSettings
from compress.reconstruction import prune_and_reconstruct
from compress.tucker import decompose
from compress.walk import as_functional

Stage = Literal["prune", "decompose"]
PRUNE: Stage = "prune"
DECOMPOSE: Stage = "decompose"
DEFAULT_RECIPE: tuple[Stage, ...] = (PRUNE, DECOMPOSE)


@dataclass(frozen=True)
class Values:
    """Where a stage's values come from: each function is given the model as it is before the stage."""

    ratios: Callable[[Any], Ratios]
    ranks: Callable[[Any], Ranks]


@dataclass(frozen=True)
class SimpleCompression:
    """What simple compression made: the model, and the values that its stages used."""

    model: Any
    parameters: CompressionParameters


def own_values(parameters: CompressionParameters) -> Values:
    """The values of a parameter file, whatever the model."""
    return Values(lambda model: parameters.ratios, lambda model: parameters.ranks)


def used_values(parameters: CompressionParameters, recipe: Sequence[Stage]) -> CompressionParameters:
    """The values that the stages of a recipe use."""
    return CompressionParameters(
        parameters.ratios if PRUNE in recipe else {}, parameters.ranks if DECOMPOSE in recipe else {}
    )


def compress_in_stages(
    model: Any,
    values: Values,
    recipe: Sequence[Stage] = DEFAULT_RECIPE,
    *,
    fine_tune: Callable[[Any, Stage], None] = lambda model, stage: None,
    pruning: PruningSettings = DEFAULT_PRUNING,
    cache: BasesCache | None = None,
    calibration: Any = None,
) -> SimpleCompression:
    """NPTK's simple compression: prune, fine-tune, decompose, fine-tune, in the recipe's order.

    Args:
        model: a functional or Sequential Keras model; it is not modified.
        values: ratios and ranks for each stage.
        recipe: the stages, each at most once.
        fine_tune: trains the new model in place after a stage.
        pruning: which channels go, and what the kept ones are rounded to.
        cache: where the kernels' bases are kept, for a model that is compressed again and again.
        calibration: normalized images by which the weights of pruned layers are fitted, or None to leave them.

    Raises:
        ModelError: the model's layer graph cannot be read, or a kernel is not finite.
        ParameterError: values that do not fit the model.
    """
    current, used = as_functional(model), CompressionParameters.none()
    for stage in recipe:
        if stage == PRUNE:
            ratios = values.ratios(current)
            if calibration is None:
                current = prune(current, ratios, pruning)
            else:
                current = prune_and_reconstruct(current, ratios, calibration, pruning=pruning).model
            used = CompressionParameters(ratios, used.ranks)
        else:
            ranks = values.ranks(current)
            current = decompose(current, ranks, cache=cache)
            used = CompressionParameters(used.ratios, ranks)
        fine_tune(current, stage)
    return SimpleCompression(current, used)


def apply_parameters(
    model: Any,
    parameters: CompressionParameters,
    recipe: Sequence[Stage] = DEFAULT_RECIPE,
    *,
    pruning: PruningSettings = DEFAULT_PRUNING,
    cache: BasesCache | None = None,
    calibration: Any = None,
) -> Any:
    """A new, smaller model with these parameters, not fine-tuned; the caller's model is not modified.

    Args:
        model: a functional or Sequential Keras model; it is not modified.
        parameters: the values of both stages.
        recipe: the stages, each at most once.
        pruning: which channels go, and what the kept ones are rounded to.
        cache: where the kernels' bases are kept, for a model that is compressed again and again.
        calibration: normalized images by which the weights of pruned layers are fitted, or None to leave them.

    Raises:
        ModelError: the model's layer graph cannot be read, or a kernel is not finite.
        ParameterError: parameters that do not fit the model.
    """
    if tuple(recipe) == DEFAULT_RECIPE and calibration is None:
        return prune_and_decompose(model, parameters.ratios, parameters.ranks, pruning=pruning, cache=cache)
    values = own_values(parameters)
    return compress_in_stages(model, values, recipe, pruning=pruning, cache=cache, calibration=calibration).model
