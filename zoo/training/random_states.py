"""States of random layers, which decide what dropout and augmentation draw next."""

from collections.abc import Sequence
from typing import Any


def random_states(model: Any) -> list[Any]:
    """The state variables of all random layers of a model or a layer, in its order."""
    return [variable for variable in model.variables if variable.path.endswith("seed_generator_state")]


def seed_random_states(states: Sequence[Any], seed: int) -> None:
    """Begin every random layer anew, each in a stream of its own that the seed decides."""
    for stream, state in enumerate(states):
        state.assign([(seed + stream) % 2**32, 0])
