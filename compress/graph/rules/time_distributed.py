"""Channels through ``TimeDistributed``: what the layer in it does to them, at every time step."""

from collections.abc import Sequence
from dataclasses import replace

from compress.graph.coupling import Channels, Coupling
from compress.graph.rules.layer_rule import LayerCall, LayerRule, Shape

TIME = 1
"""The axis of the time steps."""


def without_time(shape: Shape) -> Shape:
    """A shape, batch axis first, at one time step."""
    return (*shape[:TIME], *shape[TIME + 1 :])


def at_one_step(call: LayerCall) -> LayerCall:
    """The call of the wrapped layer at one time step."""
    inputs, outputs = (tuple(map(without_time, shapes)) for shapes in (call.input_shapes, call.output_shapes))
    return LayerCall(call.layer.layer, inputs, outputs)


def inputs_at_one_step(inputs: Sequence[Channels]) -> tuple[Channels, ...]:
    """The channels of the inputs at one time step."""
    return tuple(Channels(channels.labels, channels.axis - 1) for channels in inputs)


def lies_along_time(call: LayerCall, inputs: Sequence[Channels]) -> str | None:
    """Why channels cannot be followed through time steps."""
    along = any(channels.axis == TIME for channels in inputs)
    return f"'{call.layer.name}' takes the channels apart as time steps" if along else None


def over_time(rule: LayerRule) -> LayerRule:
    """The rule of a layer that applies one of this rule at every time step."""

    def propagate(call: LayerCall, inputs: Sequence[Channels], coupling: Coupling) -> tuple[Channels, ...]:
        outputs = rule.propagate(at_one_step(call), inputs_at_one_step(inputs), coupling)
        return tuple(Channels(channels.labels, channels.axis + 1) for channels in outputs)

    def across(call: LayerCall, inputs: Sequence[Channels]) -> str | None:
        return rule.across(at_one_step(call), inputs_at_one_step(inputs))

    return replace(
        rule,
        propagate=propagate,
        obstacle=lies_along_time,
        across=across,
        weights={f"layer.{name}": roles for name, roles in rule.weights.items()},
        scored=rule.scored and (f"layer.{rule.scored[0]}", rule.scored[1]),
    )
