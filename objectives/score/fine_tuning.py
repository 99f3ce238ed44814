"""Fine-tuning of compressed models: training settings, distillation, and a time limit."""

import math
import time
from collections.abc import Sequence
from dataclasses import dataclass, field

import keras

from objectives.network.distillation import Distillation, Distilling, TrainingLoss, lesson_of
from objectives.score.time_limit import limited
from zoo.data.dataset import Data, ImageDataset
from zoo.tasks.own_class import TrainingBudget
from zoo.tasks.own_task import OwnTask
from zoo.tasks.task import Task
from zoo.training.checkpoint import Checkpoint, TrainingProgress, TrainingState, assign_all, copies_of
from zoo.training.training import TrainingResult, TrainingSettings, train


@dataclass(frozen=True)
class FineTuning:
    """How a compressed model is trained.

    Attributes:
        training: epochs, learning rate and the like.
        distillation: weight and temperature of the original model's outputs; None to train on labels alone.
        timeout: seconds after which a training fails; None for no limit. Left out of ``repr``, as it changes no result.
    """

    training: TrainingSettings
    distillation: Distillation | None = None
    timeout: float | None = field(default=None, repr=False)

    def __call__(
        self,
        model: keras.Model,
        dataset: Data,
        original: keras.Model,
        callbacks: Sequence[keras.callbacks.Callback] = (),
        checkpoint: Checkpoint | None = None,
    ) -> TrainingResult:
        """Train a model in place by `zoo.training.train`, or by a task of the user's own.

        Args:
            model: to train.
            dataset: images and their targets, or a task of the user's own.
            original: the teacher of distillation; it is not modified.
            callbacks: for `train`.
            checkpoint: to resume from and to write; by a task of the user's own it is written only at the end.

        Raises:
            TuckpruneError: as `train` does; TaskError for a training that exceeds the time limit.
        """
        with limited(self.timeout):
            if isinstance(dataset, OwnTask):
                return self._by_own(model, dataset, original, checkpoint)
            return self._by_train(model, dataset, original, callbacks, checkpoint)

    def _by_train(
        self,
        model: keras.Model,
        dataset: ImageDataset,
        original: keras.Model,
        callbacks: Sequence[keras.callbacks.Callback],
        checkpoint: Checkpoint | None,
    ) -> TrainingResult:
        learner = None if self.distillation is None else self._learner(model, original, dataset.task, self.distillation)
        teacher = None if learner is None else original
        return train(model, dataset, self.training, callbacks, learner=learner, teacher=teacher, checkpoint=checkpoint)

    def _by_own(
        self, model: keras.Model, task: OwnTask, original: keras.Model, checkpoint: Checkpoint | None
    ) -> TrainingResult:
        started, epochs = time.perf_counter(), self.training.epochs
        state = None if checkpoint is None else checkpoint.state()
        if state is not None:
            assign_all(model.variables, state.variables)
            return TrainingResult(epochs, 0.0, math.nan)
        training = self.training
        task.fit(
            model,
            TrainingBudget(
                epochs=epochs, learning_rate=training.learning_rate, batch_size=training.batch_size, seed=training.seed
            ),
            lesson_of(task, self.distillation, original),
        )
        if checkpoint is not None:
            progress = TrainingProgress(epochs, math.nan, math.nan, 0, None, 0, 0, None)
            checkpoint.write(TrainingState(progress, copies_of(model.variables), [], []))
        return TrainingResult(epochs, time.perf_counter() - started, math.nan)

    def _learner(self, model: keras.Model, original: keras.Model, task: Task, distillation: Distillation) -> Distilling:
        training = self.training
        loss = TrainingLoss(task.training_loss(model, training.loss, mixed=training.mixes), task, distillation)
        return Distilling(model, original, loss, from_logits=task.loss(original).from_logits)
