"""The training of compressed models: its settings, and what the original model teaches."""

from collections.abc import Sequence
from dataclasses import dataclass

import keras

from objectives.network.distillation import Distillation, Distilling, TrainingLoss
from zoo.data.dataset import ImageDataset
from zoo.tasks.task import Task
from zoo.training.checkpoint import Checkpoint
from zoo.training.training import TrainingResult, TrainingSettings, train


@dataclass(frozen=True)
class FineTuning:
    """How a compressed model is trained.

    Attributes:
        training: epochs, learning rate and the like.
        distillation: how much the original model's outputs count, or None for the labels alone.
    """

    training: TrainingSettings
    distillation: Distillation | None = None

    def __call__(
        self,
        model: keras.Model,
        dataset: ImageDataset,
        original: keras.Model,
        callbacks: Sequence[keras.callbacks.Callback] = (),
        checkpoint: Checkpoint | None = None,
    ) -> TrainingResult:
        """Train `model` in place, as `zoo.training.train` does; the original is not modified.

        Raises:
            TuckpruneError: what `train` raises.
        """
        learner = None if self.distillation is None else self._learner(model, original, dataset.task, self.distillation)
        return train(model, dataset, self.training, callbacks, learner=learner, checkpoint=checkpoint)

    def _learner(self, model: keras.Model, original: keras.Model, task: Task, distillation: Distillation) -> Distilling:
        training = self.training
        loss = TrainingLoss(task.training_loss(model, training.loss, mixed=training.mixes), task, distillation)
        return Distilling(model, original, loss, from_logits=task.loss(original).from_logits)
