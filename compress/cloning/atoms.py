"""Layers that stay one, whatever they hold, while others are replaced by what they do to their tensors."""

from typing import Any

import keras

_KINDS: set[type] = set()


def keep_as_one(kind: type) -> None:
    """Have layers of exactly this type stay one, because there is a rule for what they do to channels."""
    _KINDS.add(kind)


def is_atom(layer: Any) -> bool:
    """Whether a layer or operation stays one: it is Keras's, or its type says itself what it does to channels."""
    kind = type(layer)
    if not isinstance(layer, keras.Layer) or kind.__module__.startswith("keras."):
        return True
    return kind in _KINDS or getattr(kind, "keeps_channels", False) is True
