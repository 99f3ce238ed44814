"""Brings values within a budget: bisection of a scale, and dropping ranks that cost more than the whole layer."""

from collections.abc import Callable

from compress.parameters import SINGLE_CHANNELS, ChannelStep, CompressionParameters
from objectives.budget.budget import Budget
from objectives.cost.cost_model import CostModel
from objectives.cost.quantities.standard import LATENCY, MEMORY

STEPS = 24
"""Halvings of the interval: the value is known to one part in sixteen million of it."""


def bisect(fits: Callable[[float], bool], *, fitting: float, failing: float, steps: int = STEPS) -> float:
    """The value nearest to ``failing`` that still fits, by bisection between a value taken to fit and one taken not to.

    ``fits`` may be noisy or not quite monotone: the value was tested to fit, or is ``fitting`` itself.
    """
    for _ in range(steps):
        middle = (fitting + failing) / 2
        fitting, failing = (middle, failing) if fits(middle) else (fitting, middle)
    return fitting


def drop_costly_ranks(
    cost: CostModel, budget: Budget, parameters: CompressionParameters, step: ChannelStep = SINGLE_CHANNELS
) -> CompressionParameters:
    """The candidate with layers left whole, only where their three parts break the budget's memory or latency.

    Ranks add tensors and calls: the parts of a layer may need more memory, or take longer, than the layer. A layer
    that is above the limit of memory either way takes the way that needs less. Where latency is above its limit, layers
    that are faster whole stay so, those that gain most first, until the limit is met.
    """
    limits = [limit for quantity in (MEMORY, LATENCY) if (limit := budget.limit(quantity)) is not None]
    if not limits or max(limit.violation(cost.cost(parameters, step)) for limit in limits) <= 0:
        return parameters
    parts = cost.layer_costs(parameters, step)
    whole = cost.layer_costs(CompressionParameters(parameters.ratios, {}), step)
    ranks = dict(parameters.ranks)
    memory, latency = budget.limit(MEMORY), budget.limit(LATENCY)
    if memory is not None:
        heavy = [name for name in ranks if parts[name].memory > max(memory.most, whole[name].memory)]
        ranks = {name: pair for name, pair in ranks.items() if name not in heavy}
    if latency is not None:
        total = cost.cost(CompressionParameters(parameters.ratios, ranks), step).latency
        for name in sorted(ranks, key=lambda name: whole[name].latency - parts[name].latency):
            gain = parts[name].latency - whole[name].latency
            if total <= latency.most or gain <= 0:
                break
            total -= gain
            del ranks[name]
    return CompressionParameters(parameters.ratios, ranks)
