"""Candidates whose decomposed layers break a limit that they would not break as a whole."""

from compress.channel_step import SINGLE_CHANNELS, ChannelStep
from compress.parameters import CompressionParameters
from objectives.budget import Budget
from objectives.cost import CostModel
from objectives.quantity import LATENCY, MEMORY


def leaner(
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
