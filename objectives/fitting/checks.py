"""Checks that data fit a model before anything is trained: Keras would fail late, or broadcast silently."""

from collections.abc import Sequence
from typing import Any

import keras

from compress.errors import DataError
from objectives.fitting.arrays import Structure

Shape = tuple[int | None, ...]


def check_inputs(inputs: Structure, model: Any, place: str) -> None:
    """Refuse inputs whose number or shapes are not those that a model takes.

    Args:
        inputs: of a batch.
        model: the Keras model.
        place: the split and its source, for messages.

    Raises:
        DataError: names both shapes.
    """
    received = [tuple(array.shape) for array in _in_order(inputs, [tensor.name for tensor in model.inputs])]
    expected = [tuple(tensor.shape) for tensor in model.inputs]
    if len(received) != len(expected) or not all(map(_fits, received, expected)):
        raise DataError(
            f"expected inputs of shape {_shown(expected)} in {place}, as model {model.name!r} takes, received "
            f"{_shown(received)}; batch datasets, and give arrays of that shape"
        )


def check_targets(
    targets: Structure, names: Sequence[str], shapes: Sequence[Shape], checked: Sequence[bool], place: str
) -> None:
    """Refuse targets that do not fit the outputs of a model; Keras would broadcast targets of another rank silently.

    Args:
        targets: of a batch; a dictionary goes by the names of outputs.
        names: of the outputs.
        shapes: of the outputs, (None, ...).
        checked: for each output, whether its loss compares value by value or class by class.
        place: the split and its source, for messages.

    Raises:
        DataError: names the output, and both shapes.
    """
    if isinstance(targets, dict) and not set(names).issuperset(targets):
        more = ", ".join(sorted(set(map(str, targets)) - set(names)))
        raise DataError(f"expected targets of the outputs {', '.join(names)} in {place}, received one more: {more}")
    given = _in_order(targets, names)
    if len(given) != len(names):
        if all(checked):
            missing = [name for name in names if name not in targets] if isinstance(targets, dict) else []
            received = f"none of {', '.join(missing)}" if missing else f"{len(given)} of them"
            raise DataError(f"expected targets of the outputs {', '.join(names)} in {place}, received {received}")
        return
    for name, target, shape, is_checked in zip(names, given, shapes, checked, strict=True):
        if is_checked and not _is_target(tuple(target.shape), shape):
            raise DataError(
                f"expected targets of shape {_text(shape)} or, of class numbers, {_text(shape[:-1])} for output "
                f"'{name}' in {place}, received {_text(tuple(target.shape))}"
            )


def _is_target(received: Shape, output: Shape) -> bool:
    """Whether targets are of the outputs' shape, or a class for each of their rows, (..., classes)."""
    classes = output[:-1]
    return any(_fits(received, expected) for expected in (output, classes, (*classes, 1)))


def _in_order(given: Structure, names: Sequence[str]) -> list[Any]:
    """Arrays of a structure in the order of these names where it is a dictionary of them, else as Keras flattens it."""
    if isinstance(given, dict) and set(given) == set(names):
        return [given[name] for name in names]
    return list(keras.tree.flatten(given))


def _fits(received: Shape, expected: Shape) -> bool:
    """Whether two shapes are alike but for the number of examples; None fits any."""
    pairs = zip(received[1:], expected[1:], strict=False)
    return len(received) == len(expected) and all(a is None or b is None or a == b for a, b in pairs)


def _text(shape: Shape) -> str:
    return f"({', '.join(['N', *map(str, shape[1:])])})"


def _shown(shapes: Sequence[Shape]) -> str:
    return " and ".join(map(_text, shapes))
