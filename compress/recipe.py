"""Recipes: a model pruned and decomposed, in either order, with values that were checked against it."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from compress.cloning.layers import check_finite, layers_by_name, weight_of
from compress.cloning.rebuild import Chain
from compress.cloning.walk import as_functional
from compress.decomposition.factored_layer import set_factors
from compress.decomposition.kernel_bases import Array, BasesCache, as_kernel
from compress.decomposition.tucker import check_rank_pair, check_ranks, decompose, tucker_chain, tucker_kernels
from compress.errors import ParameterError
from compress.graph.analysis import analyse
from compress.graph.channel_graph import ChannelGraph
from compress.graph.group import KeptChannels, Ranks, Ratios
from compress.graph.model_channels import ModelChannels
from compress.graph.naming import CORE_SUFFIX, FIRST_SUFFIX, LAST_SUFFIX
from compress.parameters import (
    DECOMPOSE,
    DEFAULT_RECIPE,
    PRUNE,
    SINGLE_CHANNELS,
    ChannelStep,
    CompressionParameters,
    Stage,
    checked_recipe,
)
from compress.pruning.pruning import kept_labels, kept_values, prune, remove
from compress.pruning.reconstruction import prune_and_reconstruct
from compress.pruning.settings import DEFAULT_PRUNING, PruningSettings


def prune_and_decompose(
    model: Any,
    ratios: Ratios,
    ranks: Ranks,
    *,
    pruning: PruningSettings = DEFAULT_PRUNING,
    cache: BasesCache | None = None,
) -> Any:
    """Prune a model and decompose what is left, in one build: ``decompose(prune(model, ratios), ranks)``.

    Args:
        model: a functional or Sequential Keras model; it is not modified.
        ratios: fraction of channels to remove, by group name.
        ranks: (In Rank, Out Rank) by layer name, of the pruned layers.
        pruning: which channels go, and what the kept ones are rounded to.
        cache: where the kernels' bases are kept, for a model that is compressed again and again.

    Raises:
        ModelError: the model's layer graph cannot be read, or a kernel is not finite.
        ParameterError: an unknown or excluded group or layer, or a rank above the channels that pruning leaves.
    """
    source = as_functional(model)
    check_finite(source)
    graph = analyse(source, pruning.across_normalization)
    kept = kept_labels(source, graph, ratios, pruning)
    _check_ranks_left(graph, ranks, kept)
    chains: dict[str, Chain] = {}

    def chain_for(layer: Any) -> Chain:
        if layer.name not in ranks:
            return [layer]
        chains[layer.name] = tucker_chain(layer, ranks[layer.name])
        return chains[layer.name]

    smaller = remove(source, graph, kept, chain_for)
    layers = layers_by_name(source)
    for name, chain in chains.items():
        left = kept_values(layers[name], graph.node(name), kept)
        kernels = tucker_kernels(as_kernel(left["kernel"], name), ranks[name], cache)
        set_factors(chain, layers[name], kernels, left.get("bias"))
    return smaller


def compressed_values(
    model: Any,
    graph: ChannelGraph,
    ratios: Ratios,
    ranks: Ranks,
    *,
    pruning: PruningSettings = DEFAULT_PRUNING,
    cache: BasesCache | None = None,
) -> dict[str, dict[str, Array]]:
    """Weights of the model that ``prune_and_decompose`` makes, by layer and attribute name, without making it.

    Layers without weights that the analysis knows are left out.

    Args:
        model: the functional model that ``graph`` was made from.
        graph: its analysis.
        ratios: fraction of channels to remove, by group name.
        ranks: (In Rank, Out Rank) by layer name, of the pruned layers.
        pruning: which channels go, and what the kept ones are rounded to.
        cache: where the kernels' bases are kept, for a model that is compressed again and again.

    Raises:
        ModelError: a kernel is not finite.
        ParameterError: an unknown or excluded group or layer, or a rank above the layer's channels.
    """
    kept = kept_labels(model, graph, ratios, pruning)
    _check_ranks_left(graph, ranks, kept)
    weights: dict[str, dict[str, Array]] = {}
    for name, layer in layers_by_name(model).items():
        node = graph.node(name)
        known = {weight.name: weight_of(layer, weight.name) for weight in node.weights}
        values = {attribute: np.asarray(weight) for attribute, weight in known.items() if weight is not None}
        values.update(kept_values(layer, node, kept))
        if name in ranks:
            kernels = tucker_kernels(as_kernel(values["kernel"], name), ranks[name], cache)
            chain = [{"kernel": kernel} for kernel in kernels]
            chain[-1].update({"bias": values["bias"]} if "bias" in values else {})
            weights.update(
                zip((name + suffix for suffix in (FIRST_SUFFIX, CORE_SUFFIX, LAST_SUFFIX)), chain, strict=True)
            )
        elif values:
            weights[name] = values
    return weights


def _check_ranks_left(graph: ChannelGraph, ranks: Ranks, kept: KeptChannels) -> None:
    for name, pair in ranks.items():
        node = graph.node(graph.convolution(name).layer)
        check_rank_pair(name, pair, (int(kept[node.labels("in")].sum()), int(kept[node.labels("out")].sum())))


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
        ParameterError: values that do not fit the model, or a recipe with unknown or repeated stages.
    """
    stages = checked_recipe(recipe)
    current, used = as_functional(model), CompressionParameters.none()
    check_finite(current)
    for stage in stages:
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
        ParameterError: parameters that do not fit the model, or a recipe with unknown or repeated stages.
    """
    if checked_recipe(recipe) == DEFAULT_RECIPE and calibration is None:
        return prune_and_decompose(model, parameters.ratios, parameters.ranks, pruning=pruning, cache=cache)
    values = own_values(parameters)
    return compress_in_stages(model, values, recipe, pruning=pruning, cache=cache, calibration=calibration).model


def check_parameters(
    graph: ChannelGraph,
    parameters: CompressionParameters,
    recipe: Sequence[Stage],
    step: ChannelStep = SINGLE_CHANNELS,
) -> None:
    """Refuse parameters that do not fit a model under a recipe.

    Raises:
        ParameterError: an unknown or excluded layer, a rank above the channels that its layer has at that stage,
            parameters that no stage of the recipe uses, or a recipe with unknown or repeated stages.
    """
    recipe = checked_recipe(recipe)
    for what, values, stage in (("ratios", parameters.ratios, PRUNE), ("ranks", parameters.ranks, DECOMPOSE)):
        if values and stage not in recipe:
            raise ParameterError(
                f"expected no {what} under the recipe {list(recipe)}, received {len(values)}; add '{stage}' to it"
            )
    check_ranks(graph, parameters.ranks)
    channels = ModelChannels.at_stages(graph, parameters, recipe, step).layers
    for name, pair in parameters.ranks.items():
        for what, rank, left in zip(("In", "Out"), pair, channels[name], strict=True):
            if rank > left:
                raise ParameterError(
                    f"{what} Rank of '{name}': expected at most the {left} channels that pruning leaves, "
                    f"received {rank}; lower it"
                )
