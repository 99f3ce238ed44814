"""How long a training of the user's own, or one of Keras's fit, goes on, and how."""

import math
from dataclasses import dataclass

from compress.errors import ConfigError


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
