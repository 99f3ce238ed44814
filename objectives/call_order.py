"""An order of a model's calls that decomposing a layer does not change."""

from compress.graph import ChannelGraph


def call_order(graph: ChannelGraph) -> list[int]:
    """Numbers of the sites in the order of their calls: depth first, as the outputs and then each call's inputs ask.

    Every branch is called whole before the next one. Unlike Keras's order by depth, it stays when one call becomes
    a chain of several: they take its place.
    """
    makers = {tensor: index for index, site in enumerate(graph.sites) for tensor in site.writes}
    order: list[int] = []
    called: set[int] = set()
    waiting = [makers[tensor] for tensor in reversed(graph.outputs)]
    while waiting:
        index = waiting[-1]
        missing = [maker for tensor in graph.sites[index].reads if (maker := makers[tensor]) not in called]
        if missing:
            waiting.extend(reversed(missing))
            continue
        waiting.pop()
        if index not in called:
            called.add(index)
            order.append(index)
    return order
