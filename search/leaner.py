"""Candidates whose decomposed layers break a limit that they would not break as a whole."""

from compress.channel_step import SINGLE_CHANNELS, ChannelStep
from compress.parameters import CompressionParameters
from objectives.budget import Budget
from objectives.cost import CostModel
from objectives.quantity import MEMORY


def leaner(
    cost: CostModel, budget: Budget, parameters: CompressionParameters, step: ChannelStep = SINGLE_CHANNELS
) -> CompressionParameters:
    """The candidate with layers left whole, only where the memory of their three parts is above the budget's limit.

    Ranks add tensors: the parts of a layer may need more memory than the layer. A layer that is above the limit either
    way takes the way that needs less.
    """
    limit = budget.limit(MEMORY)
    if limit is None or limit.violation(cost.cost(parameters, step)) <= 0:
        return parameters
    parts = cost.layer_costs(parameters, step)
    whole = cost.layer_costs(CompressionParameters(parameters.ratios, {}), step)
    ranks = {
        name: pair
        for name, pair in parameters.ranks.items()
        if parts[name].memory <= max(limit.most, whole[name].memory)
    }
    return CompressionParameters(parameters.ratios, ranks)
