"""Rules for layer classes of the user's own: the registry behind ``compress.rule``."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, TypeVar, overload

import keras

from compress.errors import ModelError

Kind = TypeVar("Kind", bound=type)

Axes = Sequence[str | None]
"""What each axis of a weight follows: ``"out"``, the channels, or None; leading axes with None may be left out."""


@dataclass(frozen=True)
class UserRule:
    """What the user says of a layer class: the arguments of ``rule``."""

    weights: Mapping[str, tuple[str | None, ...]]
    size: str | None
    across_channels: bool


_RULES: dict[type, UserRule] = {}


@overload
def rule(
    kind: Kind, *, weights: Mapping[str, Axes] | None = None, size: str | None = None, across_channels: bool = False
) -> Kind: ...


@overload
def rule(
    *, weights: Mapping[str, Axes] | None = None, size: str | None = None, across_channels: bool = False
) -> Callable[[Kind], Kind]: ...


def rule(
    kind: Any = None,
    *,
    weights: Mapping[str, Axes] | None = None,
    size: str | None = None,
    across_channels: bool = False,
) -> Any:
    """Say what a layer class of your own does to channels, so that pruning goes through its layers.

    Call it with the class, or put it above the class as a decorator::

        compress.rule(Swish)
        compress.rule(LayerScale, weights={"gamma": ("out",)})
        compress.rule(Affine, weights={"scale": ("out",), "shift": ("out",)}, size="channels")

    You promise that a layer of the class has one input and one output of the same channels, along the last axis, and
    that channel i of the output depends on channel i of the input alone, and on what lies at i in its weights.

    Checked whenever a model is analysed: every weight of the layer is named here and no other, and its axes are as long
    as the layer has channels. A layer with fewer channels is made from its configuration where ``size`` names a key of
    that; else it is copied with all that it holds but its weights, and built anew on the smaller input. Checked then:
    its weights have the shapes of those that are kept, which it is given.

    The rule holds for exactly this class, not for subclasses. A second one for the class replaces the first.

    Args:
        kind: the class, of ``keras.layers.Layer``; left out in a decorator with arguments.
        weights: for every weight, by the name of its attribute, what its axes follow: ``("out",)`` for one of shape
            (channels,) or (1, 1, channels), ``()`` for one that follows no channels. An attribute may be None.
        size: key of ``get_config()`` that holds the number of channels, where there is one.
        across_channels: whether the layer computes statistics over the channels, in spite of what is promised above, as
            layer normalization does. It is pruned only where normalization across channels may be.

    Returns:
        The class, or without one a decorator.

    Raises:
        ModelError: no layer class, one of Keras's own, or axes that are neither ``"out"`` nor None.
    """
    for name, axes in (weights or {}).items():
        if any(axis not in ("out", None) for axis in axes):
            raise ModelError(f"weight '{name}': expected axes of 'out' or None, as in ('out',), received {axes!r}")
    made = UserRule({name: tuple(axes) for name, axes in (weights or {}).items()}, size, across_channels)

    def register(registered: Any) -> Any:
        if not (isinstance(registered, type) and issubclass(registered, keras.layers.Layer)):
            raise ModelError(f"expected a class of keras.layers.Layer, received {registered!r}; give rule() the class")
        if registered.__module__.startswith("keras."):
            raise ModelError(f"expected a layer class of your own, received {registered.__name__}, which is Keras's")
        _RULES[registered] = made
        return registered

    return register if kind is None else register(kind)


def user_rule(layer: Any) -> UserRule | None:
    """The rule that is registered for exactly the class of a layer, or None."""
    return _RULES.get(type(layer))


def has_rule(layer: Any) -> bool:
    """Whether a rule is registered for exactly the class of a layer: it is pruned as that says, and not looked into."""
    return type(layer) in _RULES
