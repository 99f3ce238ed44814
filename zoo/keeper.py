"""The callback that keeps a training run, epoch by epoch, and puts it back where it was."""

from collections.abc import Mapping

import keras

from zoo.callbacks import BestWeights
from zoo.checkpoint import Checkpoint, Progress, TrainingState, assign, values


class Keeper(keras.callbacks.Callback):  # type: ignore[misc]
    """Writes the state of a run after every epoch. It stands behind the callbacks whose state it keeps.

    Keras's own BackupAndRestore keeps weights and optimizer, but neither what ReduceLROnPlateau has counted, nor the
    best weights, nor the states of random layers, nor the place in the data.

    Args:
        checkpoint: the file.
        network: the model whose weights are trained, compiled.
        best: keeps the best weights.
        plateau: lowers the learning rate.
    """

    def __init__(
        self,
        checkpoint: Checkpoint,
        network: keras.Model,
        best: BestWeights,
        plateau: keras.callbacks.ReduceLROnPlateau,
    ) -> None:
        super().__init__()
        self._checkpoint, self._network, self._best, self._plateau = checkpoint, network, best, plateau
        self._found: Progress | None = None

    def resume(self) -> int:
        """Put back what the file holds, and say how many whole epochs that is; 0 without a file.

        Raises:
            RunError: the file cannot be read.
        """
        state = self._checkpoint.state()
        if state is None:
            return 0
        network, found = self._network, state.progress
        network.optimizer.build(network.trainable_variables)
        assign(network.variables, state.variables)
        assign(network.optimizer.variables, state.optimizer)
        self._best.put_back(state.best, found.accuracy, found.loss, found.waited)
        self._found = found
        return found.epochs

    def on_train_begin(self, logs: Mapping[str, float] | None = None) -> None:
        """Give ReduceLROnPlateau, which has just forgotten all, its counts back."""
        if self._found is not None:
            self._plateau.best = self._found.plateau_best
            self._plateau.wait = self._found.plateau_waited
            self._plateau.cooldown_counter = self._found.plateau_cooldown

    def on_epoch_end(self, epoch: int, logs: Mapping[str, float] | None = None) -> None:
        """Write the state.

        Raises:
            RunError: the file cannot be written.
        """
        best, plateau, network = self._best, self._plateau, self._network
        progress = Progress(
            epoch + 1,
            best.accuracy,
            best.loss,
            best.waited,
            None if plateau.best is None else float(plateau.best),
            plateau.wait,
            plateau.cooldown_counter,
        )
        state = TrainingState(progress, values(network.variables), values(network.optimizer.variables), best.weights)
        self._checkpoint.write(state)
