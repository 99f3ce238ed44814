"""The signature of a model: a text of everything but channel counts, by which models can share a traced network."""

from typing import Any

import keras
import numpy as np

from compress.cloning.walk import Call, calls
from objectives.network.elastic_layers import takes_any_channels

_COUNTS = {"filters", "units"}
"""Keys of channel counts in the configurations of layers."""

_SHAPE = "target_shape"
"""Key of a shape whose last axis are channels in the configurations of layers."""


def signature(model: Any) -> str | None:
    """A text that is equal for models that differ only in channel counts and weights.

    None for a model with a layer that no elastic layer can replace: no other model can share its network.

    Args:
        model: a built functional model without nested models.
    """
    made: dict[int, int] = {}
    lines = []
    for call in calls(model):
        if getattr(call.layer, "weights", ()) and not takes_any_channels(call.layer):
            return None
        lines.append(_line(call, made))
        for tensor in call.outputs:
            made[id(tensor)] = len(made)
    return "\n".join([*lines, f"outputs {[made[id(tensor)] for tensor in model.outputs]}"])


def _line(call: Call, made: dict[int, int]) -> str:
    layer, kind = call.layer, type(call.layer)
    config = {key: _apart_from_counts(layer, key, value) for key, value in _config(layer).items()}
    arguments = keras.tree.map_structure(lambda value: _text(value, made), call.arguments)
    return f"{kind.__module__}.{kind.__qualname__} {sorted(config.items(), key=repr)} {arguments}"


def _config(layer: Any) -> dict[str, Any]:
    """The configuration of a layer, or just its name where a user's layer has none: candidates have copies of it."""
    try:
        return dict(layer.get_config())
    except Exception:  # The layer's own code may raise anything.
        return {"name": layer.name}


def _apart_from_counts(layer: Any, key: str, value: Any) -> Any:
    if key.endswith("_initializer") or (key in _COUNTS and takes_any_channels(layer)):
        return None
    return value[:-1] if key == _SHAPE and takes_any_channels(layer) else value


def _text(value: Any, made: dict[int, int]) -> str:
    if isinstance(value, keras.KerasTensor):
        return f"tensor {made[id(value)]}"
    return repr(value.tolist() if isinstance(value, np.ndarray) else value)
