"""A task of the user's own: a class that trains and scores models itself, by any loop, loss, data and metrics."""

import math
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, replace
from functools import cached_property
from typing import Any, Literal, Self

import numpy as np

from compress.errors import ConfigError, DivergenceError, TaskError, excerpt, foreign_code, working_directory_importable
from zoo.tasks.metric import LOSS, Direction, Metric, Score
from zoo.tasks.own_class import BuiltIn, OwnClass, TrainingBudget
from zoo.tasks.task import Array, Shown

SplitName = Literal["train", "validation", "test"]

_IMAGES = "calibration_images"
_DIRECTIONS = ("maximize", "minimize")


@dataclass(frozen=True, eq=False)
class OwnTask:
    """A class of the user's with ``fit(model, budget)`` and ``evaluate(model, split)``, and an object of it.

    Another process gets the class with its code and makes an object of its own. A class of this product takes the
    place of the user's where a task runs on built models, too; its ``fit`` also takes what the original model teaches.

    Attributes:
        own_class: the class, as it is sent.
        options: its arguments.
        metrics: what ``evaluate`` returns, the first one ranks; empty before a model was evaluated.
        image_shape: of one image that ``calibration_images`` returns; None without that method.
        undirected: names of metrics of which a configuration must say whether more is better, to rank by them.
    """

    own_class: OwnClass | BuiltIn
    options: Mapping[str, Any]
    metrics: tuple[Metric, ...] = ()
    image_shape: tuple[int, ...] | None = None
    undirected: frozenset[str] = frozenset()

    @classmethod
    def load(cls, reference: str, options: Mapping[str, Any] | None = None) -> Self:
        """The task of a class ``module:Class``, with an object of it.

        Raises:
            ConfigError: no such class, a method that is missing, or metrics that are none.
            TaskError: the class cannot be made with these options.
        """
        loaded = cls(OwnClass.load(reference), dict(options or {}))
        loaded._declared()  # Whatever is wrong with it is said here.
        return loaded

    @cached_property
    def user(self) -> Any:
        """The object of the user's class."""
        with self._foreign(f"expected an object of {self.name} with options {dict(self.options)}"):
            return self.own_class.kind(**self.options)

    def __getstate__(self) -> dict[str, Any]:
        """All but the object, which may hold what cannot be sent."""
        return {name: value for name, value in vars(self).items() if name != "user"}

    @property
    def task(self) -> Self:
        """The task of its data, which are its own."""
        return self

    @property
    def name(self) -> str:
        """The class, for messages."""
        return self.own_class.reference

    @property
    def image_size(self) -> tuple[int, ...] | None:
        """Height and width of its images; None where it has none to give."""
        return None if self.image_shape is None else self.image_shape[:-1]

    @property
    def digest(self) -> str | None:
        """SHA-256 of what trials train and are validated on; None where it is not known, as of a user's class."""
        return None if self.is_own else self.user.digest

    @property
    def is_own(self) -> bool:
        """Whether the class is the user's."""
        return isinstance(self.own_class, OwnClass)

    def fitted(self, model: Any) -> Self:
        """The task that knows its metrics, from evaluating a model on the validation split.

        Raises:
            ConfigError: metrics that the class declares are none.
            TaskError: ``evaluate`` fails or returns no figures, or images do not fit the model.
            DivergenceError: a figure is not finite.
        """
        if not self.is_own:
            with self._foreign(f"expected data that fit model {model.name!r}"):
                self.user.check(model)
        shape = self.images(1).shape[1:] if self.has_images else None
        if shape is not None and not _fits(shape, model):
            raise TaskError(
                f"expected images of the model's input shape {model.input_shape[1:]} from {_IMAGES} of "
                f"{self.name}, received {shape}"
            )
        if shape is None and any(None in tensor.shape[1:] for tensor in model.inputs):
            raise TaskError(
                self._without_images(f"as {model.name!r} takes images of any size and costs are counted at one")
            )
        declared = self._declared()
        figures = replace(self, metrics=declared)._with(self.user).evaluate(model, "validation").figures
        metrics = declared or self._declared() or tuple(LOSS if name == LOSS.name else Metric(name) for name in figures)
        undirected = frozenset() if self.is_own else self.user.undirected
        return replace(self, metrics=metrics, image_shape=shape, undirected=undirected)._with(self.user)

    def _with(self, user: Any) -> Self:
        vars(self)["user"] = user
        return self

    def _declared(self) -> tuple[Metric, ...]:
        """The metrics that an attribute ``metrics`` of the object gives with their directions; none without it."""
        given = getattr(self.user, "metrics", None)
        if given is None:
            return ()
        if not self.is_own:
            return tuple(given)
        if not isinstance(given, Mapping) or not given or any(way not in _DIRECTIONS for way in given.values()):
            raise ConfigError(
                f"task: expected metrics of {self.name} to be a mapping of names to maximize or minimize, "
                f"received {excerpt(given)}"
            )
        return tuple(Metric(str(name), way) for name, way in given.items())

    def metric(self, name: str | None, direction: Direction | None = None) -> Metric:
        """What candidates are ranked by: the metric of this name, or the first one.

        Raises:
            ConfigError: none of that name, with those that there are, or a direction against the declared one.
        """
        known = {metric.name: metric for metric in self.metrics}
        chosen = self.metrics[0] if name is None else known.get(name)
        if chosen is None:
            raise ConfigError(
                f"search.metric: expected one of {', '.join(known)}, which evaluate of {self.name} returns, "
                f"received {name!r}"
            )
        undirected = chosen.name in self.undirected
        if direction is None and undirected:
            raise ConfigError(
                f"search.metric.direction: expected maximize or minimize to rank by {chosen.name}, of which Keras says "
                "neither, received none; give it"
            )
        if direction not in (None, chosen.direction) and self._declared() and not undirected:
            raise ConfigError(
                f"search.metric.direction: expected {chosen.direction} for {chosen.name}, as metrics of "
                f"{self.name} says, received {direction}; leave it out"
            )
        return replace(chosen, direction=direction or chosen.direction)

    def fit(self, model: Any, budget: TrainingBudget, lesson: object | None = None) -> None:
        """Train a model in place.

        lesson: what the original model teaches, for a class that is not the user's; None for nothing.

        Raises:
            TaskError: ``fit`` fails.
            DivergenceError: it leaves a weight that is not finite.
        """
        import keras

        keras.utils.set_random_seed(budget.seed + budget.done)
        with self._foreign(f"expected fit of {self.name} to train the model"):
            self.user.fit(model, budget, *(() if lesson is None else (lesson,)))
        broken = [one.path for one in model.weights if not np.isfinite(keras.ops.convert_to_numpy(one)).all()]
        if broken:
            raise DivergenceError(
                f"expected finite weights after fit of {self.name}, received NaN or infinity in '{broken[0]}' "
                f"({len(broken)} of {len(model.weights)}) with learning rate {budget.learning_rate:g}; lower it"
            )

    def evaluate(self, model: Any, split: SplitName) -> Score:
        """The figures of a model on a split.

        Raises:
            TaskError: ``evaluate`` fails, or returns no figures, or others than before.
            DivergenceError: a figure is not finite.
        """
        import keras

        keras.utils.set_random_seed(0)
        with self._foreign(f"expected figures from evaluate of {self.name}"):
            received = self.user.evaluate(model, split)
        figures = self._figures(received)
        broken = [f"{name} {figure}" for name, figure in figures.items() if not math.isfinite(figure)]
        if broken:
            raise DivergenceError(
                f"expected finite figures from evaluate of {self.name} on the {split} split, received "
                f"{', '.join(broken)}"
            )
        return Score(figures)

    def _figures(self, received: Any) -> dict[str, float]:
        expected = f"expected a mapping of names to numbers from evaluate of {self.name}"
        if not isinstance(received, Mapping) or not received:
            raise TaskError(f"{expected}, received {excerpt(received)}")
        figures: dict[str, float] = {}
        for name, value in received.items():
            try:
                figures[str(name)] = float(value)
            except Exception as error:  # Whatever a value of the user's raises.
                raise TaskError(f"{expected}, received {excerpt(value)} as {name!r}") from error
        names = [metric.name for metric in self.metrics]
        if names and set(figures) != set(names):
            raise TaskError(
                f"expected {', '.join(names)} from evaluate of {self.name}, as for the original model, received "
                f"{', '.join(figures)}"
            )
        return {name: figures[name] for name in names or figures}

    def shown(self, model: Any, count: int) -> Shown | None:
        """At most so many test examples and a model's answers; None for a class of the user's own, and without images.

        Raises:
            TaskError: the data fail.
        """
        if self.is_own:
            return None
        with self._foreign(f"expected test examples of {self.name}"):
            shown: Shown | None = self.user.shown(model, count)
        return shown

    @property
    def has_images(self) -> bool:
        """Whether the class gives images, for what needs some."""
        return callable(getattr(self.user, _IMAGES, None))

    def images(self, count: int) -> Array:
        """At most so many training images as the model takes them, (N, ...), float32.

        Raises:
            ConfigError: the class gives none.
            TaskError: they are none.
        """
        if not self.has_images:
            raise ConfigError(
                self._without_images("for pruning.criterion nuclear_norm, proxy.reconstruction_images and ship")
            )
        with self._foreign(f"expected images from {_IMAGES} of {self.name}"):
            images = np.asarray(getattr(self.user, _IMAGES)(count), np.float32)[:count]
        if images.ndim < 3 or 0 in images.shape or not np.isfinite(images).all():
            raise TaskError(
                f"expected finite images (N, ..., channels) from {_IMAGES} of {self.name}, received shape "
                f"{images.shape}"
            )
        return images

    def _without_images(self, purpose: str) -> str:
        if self.is_own:
            return (
                f"expected a method {_IMAGES}(n) of {self.name}, which returns n training images as the model takes "
                f"them, {purpose}, received a class without; add it"
            )
        return f"expected a model with one input for task {self.name}, {purpose}, received several inputs"

    def inputs(self, count: int, batch_size: int) -> Iterator[Any]:
        """Training inputs in batches as the model takes them, of about so many examples in all; none without images.

        Raises:
            TaskError: the class fails, or returns no images.
        """
        if not self.is_own:
            with self._foreign(f"expected training inputs of {self.name}"):
                yield from self.user.calibration_batches(count, batch_size)
        elif self.has_images:
            images = self.images(count)
            yield from (images[start : start + batch_size] for start in range(0, len(images), batch_size))

    @contextmanager
    def _foreign(self, expected: str) -> Iterator[None]:
        """Run code of the user; whatever it raises, or its end of the process, is an error in one line."""
        with working_directory_importable(), foreign_code(lambda line: TaskError(f"{expected}, received {line}")):
            yield


def _fits(shape: tuple[int, ...], model: Any) -> bool:
    expected = tuple(model.inputs[0].shape[1:])
    return len(expected) == len(shape) and all(e in (None, s) for e, s in zip(expected, shape, strict=True))
