"""Training in mixed precision: layers compute in 16 bits while weights, statistics and outputs stay float32."""

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any, Literal

import keras

from zoo.kernels.hardware import computes_bfloat16, has_gpu
from zoo.tasks.task import Task

PrecisionName = Literal["float32", "mixed_bfloat16", "mixed_float16"]


def fastest_precision(jit_compile: bool = False) -> PrecisionName:
    """What this machine trains fastest in: bfloat16 where its hardware multiplies that, else float32.

    XLA on a CPU makes no use of such hardware.
    """
    on_hardware = computes_bfloat16() and (has_gpu() or not jit_compile)
    return "mixed_bfloat16" if on_hardware else "float32"


@contextmanager
def computing_in(model: Any, precision: PrecisionName) -> Iterator[None]:
    """Let the layers of a model compute in a precision, all but those that give its outputs; put back at the end.

    Layers of users keep their policies: their code may know no other.
    """
    changed = [] if precision == "float32" else list(_layers(model))
    policies = [layer.dtype_policy for layer in changed]
    try:
        for layer in changed:
            layer.dtype_policy = precision
        yield
    finally:
        for layer, policy in zip(changed, policies, strict=True):
            layer.dtype_policy = policy


def precision_for(task: Task) -> PrecisionName:
    """What this machine trains a task's models fastest in; float32 where 16 bits would blur what the task measures."""
    return fastest_precision() if task.takes_short_floats else "float32"


def precision_line(wanted: PrecisionName | None, task: Task) -> str | None:
    """What to say of the precision of a training; None where it is the one that was asked for, or float32."""
    made = wanted or precision_for(task)
    return (
        None if wanted or made == "float32" else f"computes in {made}, which the hardware multiplies (precision: auto)"
    )


def scaled(optimizer: keras.optimizers.Optimizer, precision: PrecisionName | None) -> keras.optimizers.Optimizer:
    """The optimizer, in float16 with a loss scale that keeps small gradients above zero."""
    return keras.optimizers.LossScaleOptimizer(optimizer) if precision == "mixed_float16" else optimizer


def unscaled(optimizer: Any) -> Any:
    """The optimizer itself, without the loss scale around it."""
    return getattr(optimizer, "inner_optimizer", optimizer)


def _layers(model: Any) -> Iterator[Any]:
    last = {id(tensor._keras_history.operation) for tensor in model.outputs}
    for layer in model.layers:
        if id(layer) in last or isinstance(layer, keras.layers.InputLayer):
            continue
        if isinstance(layer, keras.Model):
            yield from _layers(layer)
        elif type(layer).__module__.startswith("keras."):
            yield layer
