"""Channels by index: what stays of a model when the user names the channels that go."""

from collections.abc import Mapping, Sequence

import numpy as np

from compress.errors import ParameterError
from compress.excerpt import excerpt
from compress.graph import ChannelGraph
from compress.group import KeptSlots, Slots


def slots_without(graph: ChannelGraph, channels: Mapping[str, Sequence[int]]) -> KeptSlots:
    """What stays without the named channels: True for every slot that does, shape (graph.slots,).

    Args:
        graph: an analysed model.
        channels: indices of the channels to remove, counted from 0 in the output of the layer that the group is
            named after, by group name.

    Raises:
        ParameterError: an unknown or excluded group, a channel that it does not have or that is named twice, or a
            layer that would lose all its channels.
    """
    kept = np.ones(graph.slots, dtype=np.bool_)
    for name, indices in channels.items():
        output = graph.site(graph.group(name).name).output
        kept[output[_checked(name, indices, output)]] = False
    for site in graph.sites:
        if any(slots.size and not kept[slots].any() for slots in site.outputs):
            raise ParameterError(f"layer '{site.layer}': expected at least one channel to stay; name fewer channels")
    return kept


def _checked(name: str, indices: Sequence[int], output: Slots) -> Slots:
    found = np.asarray(indices)
    if found.ndim != 1 or (found.size and not np.issubdtype(found.dtype, np.integer)):
        raise ParameterError(f"group '{name}': expected a list of channel indices, received {excerpt(indices)}")
    outside = found[(found < 0) | (found >= output.size)]
    if outside.size:
        raise ParameterError(
            f"group '{name}': expected channels from 0 to {output.size - 1}, received {outside[0]}; correct it"
        )
    values, times = np.unique(found, return_counts=True)
    if values.size < found.size:
        raise ParameterError(f"group '{name}': expected every channel once, received {values[times > 1][0]} twice")
    return found.astype(np.int64)
