"""Sizes of all tensors of a model that takes inputs of any size, at one size of them."""

from typing import Any

import keras

from compress.cloning.functional import model_like
from compress.cloning.walk import as_functional, calls
from compress.errors import ModelError, typed_line

Shape = tuple[int | None, ...]

ImageSize = tuple[int, ...]
"""Height and width of images, or one number for all axes that are not fixed, such as the steps of a series."""


def takes_any_size(model: Any) -> bool:
    """Whether an axis of an input, besides the batch, is not fixed."""
    return any(None in tensor.shape[1:] for tensor in model.inputs)


def at_size(model: Any, size: ImageSize | None) -> Any:
    """A copy of a model that takes images of any size which takes this size alone; any other model itself.

    Raises:
        ModelError: an input has another number of axes that are not fixed.
    """
    source = as_functional(model)
    if size is None or not takes_any_size(source):
        return model

    def sized(tensor: Any) -> Any:
        return keras.Input(batch_shape=_sized_input(tensor, size).shape, dtype=tensor.dtype)

    inputs = keras.tree.map_structure(sized, source.input)
    return as_functional(model_like(model, inputs, source(inputs)))


def sized_shapes(model: Any, size: ImageSize) -> dict[int, Shape]:
    """The shape of every tensor of a functional model, by its id, where the inputs have a size.

    The model stays as it is: it is neither built nor called anew.

    Raises:
        ModelError: an input has another number of axes that are not fixed, or a layer cannot be called at this size.
    """
    tensors: dict[int, Any] = {}

    def at_size(item: Any) -> Any:
        return tensors.get(id(item), item)

    for call in calls(model):
        if call.is_input:
            outputs = [_sized_input(tensor, size) for tensor in call.outputs]
        else:
            args, kwargs = keras.tree.map_structure(at_size, call.arguments)
            try:
                outputs = keras.tree.flatten(call.layer.compute_output_spec(*args, **kwargs))
            except Exception as error:  # Whatever a layer's own code raises.
                layer, reason = f"'{call.layer.name}' ({type(call.layer).__name__})", typed_line(error, 150)
                raise ModelError(
                    f"layer {layer} cannot be called on an input of {shown(size)}: {reason}; give another size"
                ) from error
        tensors.update(zip(map(id, call.outputs), outputs, strict=True))
    return {key: tuple(tensor.shape) for key, tensor in tensors.items()}


def shown(size: ImageSize) -> str:
    """A size as a user writes it: 224x160."""
    return "x".join(map(str, size))


def _sized_input(tensor: Any, size: ImageSize) -> Any:
    free = [axis for axis, length in enumerate(tensor.shape) if axis and length is None]
    spatial = list(range(1, len(tensor.shape) - 1))
    # Of images, the size is that of both axes, also where one of them is fixed.
    axes = spatial if len(spatial) == len(size) and set(free) <= set(spatial) else free
    sizes = size * len(axes) if len(size) == 1 else size
    shape = list(tensor.shape)
    if not free:
        return tensor
    if len(sizes) != len(axes) or any(
        shape[axis] not in (None, length) for axis, length in zip(axes, sizes, strict=True)
    ):
        raise ModelError(f"expected a size that fits input '{tensor.name}', {tuple(shape)}, received {shown(size)}")
    for axis, length in zip(axes, sizes, strict=True):
        shape[axis] = length
    return keras.KerasTensor(shape, tensor.dtype, name=tensor.name)
