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
    """Let the layers of a model compute in a precision; put back at the end.

    Those that give its outputs, or read its inputs as they are (``before_products``), stay in float32; layers that
    ``takes_precision`` excludes keep what they have.
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


def precision_line(wanted: PrecisionName | None, task: Task, model: Any) -> str | None:
    """What to say of the precision of a training; None where it is the one that was asked for, or float32."""
    made = wanted or precision_for(task)
    if wanted or made == "float32" or next(_layers(model), None) is None:
        return None
    return f"computes in {made}, which the hardware multiplies (precision: auto)"


def scaled(optimizer: keras.optimizers.Optimizer, precision: PrecisionName | None) -> keras.optimizers.Optimizer:
    """The optimizer, in float16 with a loss scale that keeps small gradients above zero."""
    return keras.optimizers.LossScaleOptimizer(optimizer) if precision == "mixed_float16" else optimizer


def unscaled(optimizer: Any) -> Any:
    """The optimizer itself, without the loss scale around it."""
    return getattr(optimizer, "inner_optimizer", optimizer)


_HOLDING_LAYERS = (keras.layers.Wrapper, keras.layers.Bidirectional, keras.layers.RNN)


def takes_precision(layer: Any) -> bool:
    """Whether a layer computes in another precision where it is told to, as Keras's own layers in float32 do.

    A policy other than float32 is the user's choice, and users' layers may know no other than their own. Those inside a
    wrapper or a recurrent layer would keep theirs.
    """
    if not isinstance(layer, keras.layers.Layer) or isinstance(layer, _HOLDING_LAYERS):
        return False
    return type(layer).__module__.startswith("keras.") and layer.dtype_policy.name == "float32"


def before_products(model: Any) -> frozenset[str]:
    """Names of the layers of a functional or Sequential model that read its inputs as they are.

    That is, before any weights of two axes or more. What 16 bits do not tell apart in the inputs, such as 1000 and
    1001, may be told apart behind a normalization, so that these layers compute in float32.
    """
    functional = getattr(model, "_functional", None) or model
    # A layer may stand in other models as well.
    nodes = {node for level in functional._nodes_by_depth.values() for node in level}
    front: set[str] = set()
    for operation in functional.operations:
        tensors = [tensor for node in nodes.intersection(operation._inbound_nodes) for tensor in node.input_tensors]
        multiplies = any(len(weight.shape) > 1 for weight in getattr(operation, "weights", ()))
        if not multiplies and all(tensor._keras_history.operation.name in front for tensor in tensors):
            front.add(operation.name)
    return frozenset(front)


def _layers(model: Any) -> Iterator[Any]:
    """Layers of a model, and of the models in it, that may compute in 16 bits; not those that give an output."""
    last = {id(tensor._keras_history.operation) for tensor in model.outputs}
    front = before_products(model)
    for layer in model.layers:
        if isinstance(layer, keras.Model):
            yield from _layers(layer)
        elif id(layer) not in last and layer.name not in front and takes_precision(layer):
            yield layer
