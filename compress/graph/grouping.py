"""Joins producing layers that share channels into groups, names them, and splits their channels into blocks."""

from collections.abc import Mapping, Sequence

import numpy as np

from compress.graph.channel_labels import SlotSpace
from compress.graph.group import Exclusion, Group, Site, Slots


def form_groups(
    sites: tuple[Site, ...], producers: Sequence[str], merges: Sequence[int], frozen: Mapping[int, str]
) -> tuple[tuple[Group, ...], tuple[Exclusion, ...]]:
    """Prunable groups, and the excluded ones with their reasons.

    Args:
        sites: every layer call, with slots, in topological order.
        producers: layers that make new channels, in topological order.
        merges: indices of the sites that join tensors channel by channel.
        frozen: reason by slot for the slots that may not be removed.
    """
    outputs = {site.layer: site.output for site in sites if not site.repeated}
    components = _components([outputs[name] for name in producers])
    owner = {slot: index for name, index in zip(producers, components, strict=True) for slot in outputs[name].tolist()}
    names = _merge_names([sites[index] for index in merges], owner)
    blocks = _block_of_slots(sites)
    groups, excluded = [], []
    for component in sorted(set(components), key=lambda index: _last(components, index)):
        layers = tuple(name for name, index in zip(producers, components, strict=True) if index == component)
        slots = np.unique(np.concatenate([outputs[name] for name in layers]))
        name = names.get(component, layers[-1]) if len(layers) > 1 else layers[-1]
        reason = _reason(slots, max(outputs[name].size for name in layers), frozen)
        if reason is None:
            groups.append(Group(name, layers, _split(slots, blocks)))
        else:
            excluded.append(Exclusion(name, reason))
    return tuple(groups), tuple(excluded)


def _last(components: Sequence[int], component: int) -> int:
    """Position of a group's last member: residual groups are listed there, as NPTK lists them."""
    return max(position for position, index in enumerate(components) if index == component)


def _components(outputs: Sequence[Slots]) -> list[int]:
    """For every producer the number of its group: equal where they share a slot, directly or through others."""
    space = SlotSpace()
    nodes = space.fresh(len(outputs))
    owner = np.full(max((int(slots.max()) + 1 for slots in outputs if slots.size), default=0), -1)
    for index, slots in enumerate(outputs):
        known = np.unique(owner[slots])
        space.unify(nodes[[index]], nodes[known[known >= 0]])
        owner[slots] = index
    components: list[int] = space.slots().tolist()
    return components


def _merge_names(merges: Sequence[Site], owner: Mapping[int, int]) -> dict[int, str]:
    """The last merge of every group, by the group's number; a merge of several groups names none of them."""
    names = {}
    for site in merges:
        touched = {owner[slot] for slot in site.output.tolist() if slot in owner}
        if len(touched) == 1:
            names[touched.pop()] = site.layer
    return names


def _block_of_slots(sites: tuple[Site, ...]) -> Slots:
    """Block of every slot, shape (slots,): equal where every tensor holds the two slots equally often."""
    tensors = [slots for site in sites for slots in (*site.inputs, *site.outputs)]
    block = np.zeros(max((int(slots.max()) + 1 for slots in tensors if slots.size), default=0), dtype=np.int64)
    fresh = 1
    for tensor in tensors:
        # Refine the partition by one tensor: slots in it leave their blocks, by old block and number of occurrences.
        slots, times = np.unique(tensor, return_counts=True)
        _, new = np.unique(np.stack([block[slots], times]), axis=1, return_inverse=True)
        block[slots] = fresh + new.ravel()
        fresh += slots.size
    return block


def _split(slots: Slots, blocks: Slots) -> tuple[Slots, ...]:
    found = [slots[blocks[slots] == block] for block in np.unique(blocks[slots])]
    return tuple(sorted(found, key=lambda members: int(members[0])))


def _reason(slots: Slots, widest: int, frozen: Mapping[int, str]) -> str | None:
    for slot in slots.tolist():
        if slot in frozen:
            return frozen[slot]
    if slots.size == 1:
        return "it has a single channel" if widest == 1 else "all its channels are coupled"
    return None
