"""Pipelines of a user, `tf.data.Dataset` and `keras.utils.PyDataset`, read once into arrays."""

import sys
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from functools import partial
from itertools import count
from typing import Any, Final

import numpy as np

from compress.errors import DataError, foreign_code
from zoo.tasks.labels import is_one_hot

_END: Final = object()
_CHANNELS = 4
"""Axes of at most this length are channels: grey, grey and alpha, colours, colours and alpha."""


def is_pipeline(given: Any) -> bool:
    """Whether something is a pipeline. Who has none of TensorFlow's loaded it, so that nothing is loaded here."""
    return isinstance(given, (*_kinds("tensorflow", "data", "Dataset"), *_kinds("keras", "utils", "PyDataset")))


def _kinds(*names: str) -> tuple[type, ...]:
    """A class by the module that holds it, where that is loaded."""
    kind: Any = sys.modules.get(names[0])
    for name in names[1:]:
        kind = getattr(kind, name, None)
    return () if kind is None else (kind,)


@dataclass(frozen=True)
class Pipeline:
    """A pipeline of examples, or of batches of them.

    Attributes:
        given: the pipeline.
        words: which it is, for messages: ``my_module:data train``.
        series: whether three axes are a batch of series, (N, steps, channels).
        one_hot: whether rows with a single 1 stand for class numbers.
        limit: examples after which reading stops; None reads to the end.
        most: bytes of arrays beyond which it stops with an error.
    """

    given: Any
    words: str
    series: bool
    one_hot: bool
    limit: int | None
    most: float

    def read(self) -> tuple[Any, Any]:
        """Inputs (N, ...) and targets (N, ...), floating point numbers as float32.

        Raises:
            DataError: a pipeline that is empty, never ends, gives more than fits, or raises; examples of another form.
        """
        if self.limit is None and self._length is not None and self._length < 0:
            raise DataError(
                f"expected a pipeline that ends from {self.words}, received an endless {type(self.given).__name__}; "
                f"take() some of it, or set data.{self._key}, after which reading stops"
            )
        parts = list(self._parts())
        if not parts:
            raise DataError(f"expected at least one example from {self.words}, received a pipeline without any")
        inputs, targets = (_joined([part[side] for part in parts]) for side in (0, 1))
        if self.one_hot and targets.ndim == 2 and targets.shape[1] > 1 and is_one_hot(targets):
            targets = targets.argmax(axis=1)
        return inputs[: self.limit], targets[: self.limit]

    @property
    def _key(self) -> str:
        return "test_limit" if self.words.endswith("test") else "train_limit"

    @property
    def _length(self) -> int | None:
        """Elements; -1 without end, None where nobody knows."""
        with foreign_code(lambda line: DataError(f"expected the length of {self.words}, received {line}")):
            if self._has_batches:
                return -1 if self.given.num_batches is None else int(self.given.num_batches)
            cardinality = int(self.given.cardinality())
        return None if cardinality == -2 else cardinality

    @property
    def _has_batches(self) -> bool:
        """Whether it is a PyDataset, which gives nothing else."""
        return not hasattr(self.given, "cardinality")

    def _parts(self) -> Iterator[tuple[Any, Any]]:
        """Batches of inputs and targets, of one shape but for their number."""
        examples, size, first = 0, 0, None
        for number, element in enumerate(self._elements()):
            part = self._part(element, f"element {number} of {self.words}")
            shapes = [side.shape[1:] for side in part]
            if first is None:
                first = shapes
            if shapes != first:
                raise DataError(
                    f"expected inputs and targets of one shape from {self.words}, received {_both(first)} and, in "
                    f"element {number}, {_both(shapes)}; resize them, or pad and cut"
                )
            examples, size = examples + len(part[0]), size + part[0].nbytes + part[1].nbytes
            self._check_size(size if number else size * self._expected(len(part[0])), examples)
            yield part
            if self.limit is not None and examples >= self.limit:
                return

    def _expected(self, batch: int) -> int:
        """How many elements like the first one will be read, as far as is known."""
        elements = [1 if self._length is None or self._length < 0 else self._length]
        return min(elements if self.limit is None else [*elements, -(-self.limit // max(1, batch))])

    def _check_size(self, size: int, examples: int) -> None:
        if size > self.most:
            raise DataError(
                f"expected at most {self.most / 1e9:g} GB of examples from {self.words}, as data.in_memory says, "
                f"received more ({examples:,} examples read); set data.{self._key}, after which reading stops, raise "
                "data.in_memory, keep the images in a folder, or set task: compiled, which reads pipelines as it trains"
            )

    def _elements(self) -> Iterator[Any]:
        """Elements as arrays of NumPy."""
        given = iter((self.given[i] for i in self._indices()) if self._has_batches else self.given.as_numpy_iterator())
        for number in count():
            explained = partial(self._broken, number)
            with foreign_code(explained):
                element = next(given, _END)
            if element is _END:
                return
            yield element

    def _broken(self, read: int, line: str) -> DataError:
        return DataError(f"expected elements to the end from {self.words}, received {line} after {read}")

    def _indices(self) -> Iterator[int]:
        length = self.given.num_batches
        return count() if length is None else iter(range(length))

    def _part(self, element: Any, words: str) -> tuple[Any, Any]:
        inputs, targets = (_array(side, words) for side in sides(element, words))
        if not self._is_batch(inputs, targets, words):
            return inputs[None], targets[None]
        if inputs.shape[:1] != targets.shape[:1]:
            raise DataError(
                f"expected a target for each input in {words}, received {_both([inputs.shape, targets.shape])}"
            )
        return inputs, targets

    def _is_batch(self, inputs: Any, targets: Any, words: str) -> bool:
        """Whether an element is a batch, by the axes of its inputs; of three axes, by those of its targets as well."""
        axes = inputs.ndim
        if self._has_batches or axes != 3:
            return self._has_batches or axes > 3
        if targets.ndim == 0 or (inputs.shape[0] != targets.shape[0] and not self.series):
            return False
        if self.series:
            return True
        if inputs.shape[-1] <= _CHANNELS:
            return False
        if targets.ndim == 1:
            return True
        raise DataError(
            f"expected batches of images (N, height, width, channels) in {words}, received "
            f"{_both([inputs.shape, targets.shape])}, which may be one image or a batch of grey ones; batch() them, or "
            "add an axis of channels"
        )


def sides(element: Any, words: str) -> tuple[Any, Any]:
    """Inputs and targets of an element ``(x, y)``; of a dictionary with one entry, that.

    words: which element it is, for messages.

    Raises:
        DataError: sample weights, several inputs or targets, or another form.
    """
    if isinstance(element, tuple | list) and len(element) == 3:
        raise DataError(
            f"expected (x, y) in {words}, received sample weights as well; leave them out, or set task: compiled, "
            "which trains with them"
        )
    if not isinstance(element, tuple | list) or len(element) != 2:
        raise DataError(f"expected (x, y), inputs and their targets, in {words}, received {_form(element)}")
    return _single(element[0], words), _single(element[1], words)


def _single(side: Any, words: str) -> Any:
    while isinstance(side, Mapping) and len(side) == 1:
        side = next(iter(side.values()))
    if isinstance(side, Mapping):
        raise _several(side, words)
    return side


def _several(side: Any, words: str) -> DataError:
    return DataError(
        f"expected one array of inputs and one of targets in {words}, received {_form(side)}; choose one of them, or "
        "set task: compiled, which trains with all"
    )


def _array(side: Any, words: str) -> Any:
    """Floating point numbers as float32."""
    if isinstance(side, tuple):
        raise _several(side, words)
    with foreign_code(lambda line: DataError(f"expected arrays in {words}, received {line}")):
        array = np.asarray(side)
    return array.astype(np.float32, copy=False) if array.dtype.kind == "f" else array


def _form(given: Any) -> str:
    if isinstance(given, Mapping):
        return f"a dictionary of {', '.join(map(str, given))}"
    if isinstance(given, tuple | list):
        return f"a {type(given).__name__} of {len(given)}"
    return f"{type(given).__name__} alone"


def _both(shapes: Any) -> str:
    inputs, targets = shapes
    return f"inputs of shape {tuple(inputs)} with targets of shape {tuple(targets)}"


def _joined(parts: list[Any]) -> Any:
    """The parts one after the other, each let go as soon as it is copied: both together may be twice the memory."""
    types = {part.dtype for part in parts}
    joined = np.empty((sum(map(len, parts)), *parts[0].shape[1:]), np.result_type(*types))
    end = len(joined)
    while parts:
        part = parts.pop()
        joined[end - len(part) : end] = part
        end -= len(part)
    return joined
