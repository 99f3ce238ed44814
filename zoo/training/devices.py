"""One training on several devices of a machine: variables copied to each, batches divided among them."""

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from functools import cache
from typing import Any, Literal, TypeAlias

import keras
import tensorflow as tf

from compress.errors import ConfigError
from zoo.data.dataset import ImageDataset
from zoo.training.precision import unscaled

Devices: TypeAlias = Literal["all"] | int
"""How many devices train a model: so many at most, or all that there are."""

Strategy: TypeAlias = Any
"""A `tf.distribute.Strategy`."""


def visible_devices() -> list[str]:
    """The devices that a training may be divided among: the GPUs that TensorFlow sees, without any its CPUs."""
    devices = tf.config.list_logical_devices("GPU") or tf.config.list_logical_devices("CPU")
    return [device.name for device in devices]


def used_devices(wanted: Devices) -> list[str]:
    """The devices that a training uses."""
    return visible_devices()[: None if wanted == "all" else wanted]


def devices_line(wanted: Devices, batch_size: int) -> str | None:
    """What to say of the devices of a training; None where one is asked for."""
    if wanted == 1:
        return None
    used, of = used_devices(wanted), f"devices: {wanted}"
    if len(used) == 1:
        return f"trains on one device, {used[0].removeprefix('/device:')}: TensorFlow sees no other ({of})"
    line = f"trains on {len(used)} devices, {-(-batch_size // len(used))} images of a batch of {batch_size} on each"
    return line if wanted in ("all", len(used)) else f"{line}: TensorFlow sees no more ({of})"


def strategy_of(wanted: Devices) -> Strategy | None:
    """How a training is divided; None where it has one device."""
    used = used_devices(wanted) if wanted != 1 else []
    return _strategy(tuple(used)) if len(used) > 1 else None


@cache
def _strategy(devices: tuple[str, ...]) -> Strategy:
    """One object for all trainings of a process: a second one's messages between devices are taken for the first's."""
    return tf.distribute.MirroredStrategy(devices)


def check_divides(strategy: Strategy | None, dataset: ImageDataset, batches: int) -> None:
    """Refuse batches of which a device would get nothing, whose mean is no number.

    Raises:
        ConfigError: with the sizes.
    """
    smallest, devices = len(dataset.train) // batches, 1 if strategy is None else strategy.num_replicas_in_sync
    if smallest < devices:
        raise ConfigError(
            f"devices: expected batches of at least {devices} images, one for each device, received {smallest} of "
            f"{len(dataset.train)} training images; raise batch_size, or set devices: 1"
        )


@contextmanager
def divided(models: Sequence[keras.Model | None], strategy: Strategy | None) -> Iterator[None]:
    """Train in a strategy: variables of these models have a copy on each device, and are their own at the end.

    What is made meanwhile, as optimizers and metrics are, lies on all devices, too. The models stay the same objects,
    since not every layer of a user's can be copied.
    """
    if strategy is None:
        yield
        return
    variables = list({id(one): one for model in models if model is not None for one in model.variables}.values())
    own = [variable._value for variable in variables]
    try:
        with strategy.scope():
            for variable in variables:
                variable._initialize(variable.numpy())
            yield
    finally:
        for variable, value in zip(variables, own, strict=True):
            value.assign(variable.numpy())
            variable._value = value


def adding_up(optimizer: Any) -> Any:
    """The optimizer, which adds up what the devices found of a gradient before it looks at its size.

    Keras clips, and looks for infinities in float16, device by device.
    """
    inner, apply = unscaled(optimizer), optimizer.apply
    add_up = inner._all_reduce_sum_gradients

    def apply_whole(grads: Sequence[Any], trainable_variables: Sequence[Any]) -> None:
        pairs = add_up(list(zip(grads, trainable_variables, strict=True)))
        apply([gradient for gradient, _ in pairs], trainable_variables)

    inner._all_reduce_sum_gradients = lambda pairs: pairs
    optimizer.apply = apply_whole
    return optimizer
