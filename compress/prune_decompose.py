"""Pruning and decomposition in one go: the model that both stages make, built once instead of twice."""

from typing import Any

import numpy as np

from compress.analysis import analyse
from compress.factored_layer import set_factors
from compress.graph import ChannelGraph
from compress.group import KeptSlots, Ranks, Ratios
from compress.kernel_bases import Array, BasesCache, as_kernel
from compress.naming import CORE_SUFFIX, FIRST_SUFFIX, LAST_SUFFIX
from compress.pruning import kept_slots, kept_values, remove
from compress.pruning_settings import DEFAULT_PRUNING, PruningSettings
from compress.rebuild import Chain
from compress.tucker import check_rank_pair, tucker_chain, tucker_kernels
from compress.walk import as_functional, layers_by_name


def prune_and_decompose(
    model: Any,
    ratios: Ratios,
    ranks: Ranks,
    *,
    pruning: PruningSettings = DEFAULT_PRUNING,
    cache: BasesCache | None = None,
) -> Any:
    """The same model as ``decompose(prune(model, ratios), ranks)``.

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
    graph = analyse(source)
    kept = kept_slots(source, graph, ratios, pruning)
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
        left = kept_values(layers[name], graph.site(name), kept)
        kernels = tucker_kernels(as_kernel(left["kernel"], name), ranks[name], cache)
        set_factors(chain, kernels, left.get("bias"))
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
        ratios: as there, and so are the others.

    Raises:
        ModelError: a kernel is not finite.
        ParameterError: an unknown or excluded group or layer, or a rank above the layer's channels.
    """
    kept = kept_slots(model, graph, ratios, pruning)
    _check_ranks_left(graph, ranks, kept)
    found: dict[str, dict[str, Array]] = {}
    for name, layer in layers_by_name(model).items():
        site = graph.site(name)
        values = {weight.name: np.asarray(getattr(layer, weight.name)) for weight in site.weights}
        values.update(kept_values(layer, site, kept))
        if name in ranks:
            kernels = tucker_kernels(as_kernel(values["kernel"], name), ranks[name], cache)
            chain = [{"kernel": kernel} for kernel in kernels]
            chain[-1].update({"bias": values["bias"]} if "bias" in values else {})
            found.update(
                zip((name + suffix for suffix in (FIRST_SUFFIX, CORE_SUFFIX, LAST_SUFFIX)), chain, strict=True)
            )
        elif values:
            found[name] = values
    return found


def _check_ranks_left(graph: ChannelGraph, ranks: Ranks, kept: KeptSlots) -> None:
    for name, pair in ranks.items():
        site = graph.site(graph.convolution(name).layer)
        check_rank_pair(name, pair, (int(kept[site.slots("in")].sum()), int(kept[site.slots("out")].sum())))
