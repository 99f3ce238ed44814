"""A class of the user's own, ``module:Class``, which other processes get with its code; and the budget of its fit."""

import importlib
import inspect
import math
from dataclasses import dataclass
from typing import Any, Self

from compress.errors import ConfigError, excerpt, foreign_code, working_directory_importable
from zoo.tasks.by_value import ByValue, code_digest, packed, unpacked

_METHODS = {"fit": "fit(model, budget)", "evaluate": "evaluate(model, split)"}


@dataclass(frozen=True)
class TrainingBudget:
    """How long ``fit`` of a task of your own trains a model, and how.

    Attributes:
        steps: gradient steps to take, for a trial; None for a final model.
        epochs: passes over the training data, for a final model; None for a trial.
        done: steps that the model has taken before, where a trial goes on.
        learning_rate: of the configuration's section ``proxy`` for a trial, ``finetune`` for a final model.
        batch_size: examples per step, of the same section.
        seed: of the configuration.

    Raises:
        ConfigError: both of steps and epochs, or none.
    """

    steps: int | None = None
    epochs: int | None = None
    learning_rate: float = 0.01
    batch_size: int = 128
    seed: int = 0
    done: int = 0

    def __post_init__(self) -> None:
        if (self.steps is None) == (self.epochs is None):
            raise ConfigError(f"expected either steps or epochs, received steps {self.steps} and epochs {self.epochs}")

    def steps_on(self, examples: int) -> int:
        """Gradient steps to take with so many training examples, the last batch of an epoch a smaller one."""
        return self.steps if self.steps is not None else (self.epochs or 0) * math.ceil(examples / self.batch_size)


@dataclass(frozen=True)
class OwnClass(ByValue):
    """A class with the methods ``fit(model, budget)`` and ``evaluate(model, split)``, ``module:Class``."""

    @classmethod
    def load(cls, reference: str) -> Self:
        """Import the module, from the working directory too.

        Raises:
            ConfigError: no such module or class, a method that is missing, or code that cannot be sent.
        """
        kind = _imported(reference)
        explained = f"task: expected a class that can be sent to workers as {reference}"
        with foreign_code(lambda line: ConfigError(f"{explained}, received {line}")):
            return cls(reference, packed(kind), code_digest(kind))

    @property
    def kind(self) -> Any:
        """The class; in the process that loaded it the module's own."""
        return unpacked(self.content)


@dataclass(frozen=True)
class BuiltIn:
    """A class of this product that trains and scores as one of a user's does; other processes have it.

    Attributes:
        reference: the name of the task.
        kind: the class.
    """

    reference: str
    kind: type


def _imported(reference: str) -> Any:
    module_name, _, name = reference.partition(":")
    explained = f"task: expected an importable module in {reference!r}"
    with working_directory_importable(), foreign_code(lambda line: ConfigError(f"{explained}, received {line}")):
        module = importlib.import_module(module_name)
    kind = getattr(module, name, None)
    if not inspect.isclass(kind):
        raise ConfigError(f"task: expected a class {name!r} in module {module_name!r}, received {excerpt(kind)}")
    wrong = [text for method, text in _METHODS.items() if not _takes_two(getattr(kind, method, None))]
    if wrong:
        raise ConfigError(
            f"task: expected {' and '.join(_METHODS.values())} of {reference}, received a class without "
            f"{' and '.join(wrong)}; add {'them' if len(wrong) > 1 else 'it'}"
        )
    return kind


def _takes_two(method: Any) -> bool:
    """Whether a method of a class takes two arguments."""
    if not callable(method):
        return False
    try:
        inspect.signature(method).bind(None, None, None)
    except TypeError:
        return False
    return True
