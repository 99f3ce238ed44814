"""The zoo's models as they were published: built and analysed once, for all tests that only read them."""

from functools import cache

import keras

from compress.graph.analysis import analyse
from compress.graph.channel_graph import ChannelGraph
from zoo.models.registry import build_model


@cache
def original(name: str) -> keras.Model:
    """One shared, untrained model; nobody may change it."""
    keras.utils.set_random_seed(7)
    return build_model(name)


@cache
def analysed(name: str) -> ChannelGraph:
    """Its channel graph."""
    return analyse(original(name))
