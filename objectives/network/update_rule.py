"""Update rules: Keras's optimizers for the weights of the shared network, which have any number of channels."""

from abc import ABC, abstractmethod
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from types import MappingProxyType
from typing import Any, ClassVar, Self

import tensorflow as tf

from compress.errors import ConfigError
from zoo.tasks.keras_class import KerasClass
from zoo.training.training import made_optimizer

_KEY = "proxy.optimizer"


@dataclass(frozen=True)
class UpdateRule(ABC):
    """How a training step changes a weight.

    Attributes:
        weight_decay: times the learning rate, the share of the weight that is subtracted first (Loshchilov & Hutter
            2019, "Decoupled weight decay regularization"); 0 for none.
        slots: number of variables of the weight's shape that the rule needs.
        options: arguments of the Keras class that the rule supports.
    """

    slots: ClassVar[int]
    options: ClassVar[frozenset[str]]

    weight_decay: float

    @classmethod
    @abstractmethod
    def of(cls, optimizer: Any) -> Self:
        """The rule with the options of an optimizer of Keras."""

    def update(self, weight: Any, slots: Sequence[Any], gradient: Any, rate: Any, step: Any) -> None:
        """Change a weight and its slots, ``tf.Variable`` each.

        Args:
            weight: the variable to change.
            slots: the rule's variables for it, zeros before the first step.
            gradient: of the weight's shape.
            rate: learning rate, a float32 scalar.
            step: number of this step from 1, a float32 scalar.
        """
        if self.weight_decay:
            value = weight.read_value()
            weight.assign(value - value * self.weight_decay * rate)
        self._apply(weight, slots, gradient, rate, step)

    @abstractmethod
    def _apply(self, weight: Any, slots: Sequence[Any], gradient: Any, rate: Any, step: Any) -> None:
        """Change a weight and its slots, after the weight decay."""


@dataclass(frozen=True)
class Momentum(UpdateRule):
    """``keras.optimizers.SGD`` with momentum as it defines it: the slot contains the learning rate."""

    slots = 1
    options = frozenset({"momentum", "nesterov", "weight_decay"})

    momentum: float
    nesterov: bool

    @classmethod
    def of(cls, optimizer: Any) -> Self:
        """The rule of an SGD."""
        return cls(optimizer.weight_decay or 0.0, optimizer.momentum, optimizer.nesterov)

    def _apply(self, weight: Any, slots: Sequence[Any], gradient: Any, rate: Any, step: Any) -> None:
        tf.raw_ops.ResourceApplyKerasMomentum(
            var=weight.handle,
            accum=slots[0].handle,
            lr=rate,
            grad=gradient,
            momentum=self.momentum,
            use_nesterov=self.nesterov,
        )


@dataclass(frozen=True)
class AdaptiveMoments(UpdateRule):
    """``keras.optimizers.Adam`` and ``AdamW`` (Kingma & Ba 2015, "Adam", the form before section 2.1)."""

    slots = 2
    options = frozenset({"beta_1", "beta_2", "epsilon", "weight_decay"})

    beta_1: float
    beta_2: float
    epsilon: float

    @classmethod
    def of(cls, optimizer: Any) -> Self:
        """The rule of an Adam or AdamW."""
        values = (optimizer.weight_decay or 0.0, optimizer.beta_1, optimizer.beta_2, optimizer.epsilon)
        return cls(*map(float, values))

    def _apply(self, weight: Any, slots: Sequence[Any], gradient: Any, rate: Any, step: Any) -> None:
        tf.raw_ops.ResourceApplyAdam(
            var=weight.handle,
            m=slots[0].handle,
            v=slots[1].handle,
            beta1_power=tf.pow(self.beta_1, step),
            beta2_power=tf.pow(self.beta_2, step),
            lr=rate,
            beta1=self.beta_1,
            beta2=self.beta_2,
            epsilon=self.epsilon,
            grad=gradient,
        )


def update_rule(optimizer: KerasClass) -> UpdateRule:
    """The rule of a class of `keras.optimizers`.

    Raises:
        ConfigError: a class without a rule here, or options that Keras or the rule do not support.
    """
    made = made_optimizer(optimizer, _KEY, 1.0)
    name = type(made).__name__
    if name not in _RULES:
        raise ConfigError(
            f"{_KEY}: expected {', '.join(_RULES)}, by which trials are trained in one network for all of them, "
            f"received {name}"
        )
    rule = _RULES[name]
    unknown = sorted(set(optimizer.options) - rule.options)
    if unknown:
        raise ConfigError(
            f"{_KEY}.options: expected {', '.join(sorted(rule.options))} for {name}, received {', '.join(unknown)}; "
            "leave it out"
        )
    return rule.of(made)


_RULES: Mapping[str, type[UpdateRule]] = MappingProxyType(
    {"SGD": Momentum, "Adam": AdaptiveMoments, "AdamW": AdaptiveMoments}
)
"""By the classes of `keras.optimizers`."""
