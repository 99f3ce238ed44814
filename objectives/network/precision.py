"""Precisions of training, and the loss scale that keeps small gradients above zero in float16."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

import tensorflow as tf

from zoo.training.precision import PrecisionName, fastest_precision

_FIRST_SCALE = 2.0**15


@dataclass(frozen=True)
class Precision:
    """A Keras policy by its name; weights and statistics are float32 in all of them."""

    name: PrecisionName = "float32"

    @property
    def policy(self) -> str | None:
        """The policy for layers; None for each layer's own."""
        return None if self.name == "float32" else self.name

    def loss_scale(self) -> "LossScale":
        """A scale for one network."""
        return DynamicScale() if self.name == "mixed_float16" else LossScale()


def fast_precision(jit_compile: bool = False) -> Precision:
    """The precision in which this machine trains fastest."""
    return Precision(fastest_precision(jit_compile))


class LossScale:
    """The identity: losses and gradients are not scaled.

    Attributes:
        variables: of the scale; none here.
    """

    variables: Sequence[Any] = ()

    def reset(self) -> None:
        """Return to the first scale."""

    def up(self, loss: Any) -> Any:
        """The loss to differentiate."""
        return loss

    def down(self, gradients: Sequence[Any]) -> Sequence[Any]:
        """Gradients of the loss itself."""
        return gradients

    def guard(self, gradients: Sequence[Any], update: Callable[[], None]) -> None:
        """Call ``update``."""
        update()


class DynamicScale(LossScale):
    """A scale of 2^15, halved instead of an update whenever gradients overflow (Micikevicius et al., ICLR 2018)."""

    def __init__(self) -> None:
        self._scale = tf.Variable(_FIRST_SCALE, trainable=False)
        self.variables = (self._scale,)

    def reset(self) -> None:
        """Return to the first scale, as another candidate may not overflow."""
        self._scale.assign(_FIRST_SCALE)

    def up(self, loss: Any) -> Any:
        """The loss times the scale."""
        return loss * self._scale

    def down(self, gradients: Sequence[Any]) -> Sequence[Any]:
        """Gradients divided by the scale."""
        return [gradient / self._scale for gradient in gradients]

    def guard(self, gradients: Sequence[Any], update: Callable[[], None]) -> None:
        """Call ``update`` where all gradients are finite; else halve the scale."""
        finite = tf.reduce_all([tf.reduce_all(tf.math.is_finite(gradient)) for gradient in gradients])

        def updated() -> Any:
            update()
            return tf.identity(self._scale)

        self._scale.assign(tf.cond(finite, updated, lambda: self._scale / 2))
