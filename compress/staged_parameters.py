"""Parameters that name parts of decomposed layers, as pruning a decomposed model makes them."""

from compress.graph.naming import CORE_SUFFIX, FIRST_SUFFIX, LAST_SUFFIX
from compress.parameters import DECOMPOSE, SINGLE_CHANNELS, ChannelStep, CompressionParameters, Stage, kept_channels


def completed(before: CompressionParameters, after: CompressionParameters) -> CompressionParameters:
    """The parameters of two stages as those of the original model.

    Args:
        before: of the stage that came first.
        after: of the other stage, found on the model that the first one made; a group of a layer that was decomposed
            gets back the name that it has in the original, the inner tensors keep those of their parts.

    Raises:
        ParameterError: both give one layer different values.
    """
    named = {_original_name(name, before): ratio for name, ratio in after.ratios.items()}
    return before.merged(CompressionParameters(named, after.ranks))


def separated(parameters: CompressionParameters, stage: Stage) -> CompressionParameters:
    """The values of the stage that came last, for the model that the first one made: the inverse of ``completed``."""
    if stage == DECOMPOSE:
        return CompressionParameters({}, parameters.ranks)
    ratios = {
        name + LAST_SUFFIX if name in parameters.ranks else name: ratio for name, ratio in parameters.ratios.items()
    }
    return CompressionParameters(ratios, {})


def without_parts(parameters: CompressionParameters, step: ChannelStep = SINGLE_CHANNELS) -> CompressionParameters:
    """Parameters of the original model's groups and layers alone that leave equally many channels everywhere.

    Ratios of the inner tensors of decomposed layers become smaller ranks. For decomposition that comes first.

    Args:
        parameters: of both stages.
        step: what kept channels are rounded to.
    """
    ratios = {_original_name(name, parameters): ratio for name, ratio in parameters.ratios.items()}
    ranks = {}
    for name, pair in parameters.ranks.items():
        parts = (name + FIRST_SUFFIX, name + CORE_SUFFIX)
        kept = [
            kept_channels(rank, ratios.pop(part), step) if part in ratios else rank
            for part, rank in zip(parts, pair, strict=True)
        ]
        ranks[name] = (kept[0], kept[1])
    return CompressionParameters(ratios, ranks)


def _original_name(name: str, parameters: CompressionParameters) -> str:
    layer = name.removesuffix(LAST_SUFFIX)
    return layer if layer in parameters.ranks else name
