"""The folder of one run, ``runs/<name>/``: its paths, its lock, and its configuration, which it is tied to."""

import fcntl
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from filelock import BaseFileLock, FileLock, Timeout

from compress.disk.whole_file import replaced
from compress.errors import ModelError, RunError
from configs.load import difference, dump_config, load_config
from configs.schema.run import RunConfig
from configs.schema.search import AUTO, STAGED
from configs.schema.training import FinetuneConfig

CONFIG_FILE, LOCK_FILE = "config.yaml", ".lock"
RESUMABLE = (
    *("search.trials", "search.early_stopping", "search.workers", "search.cpus_per_worker", "search.gpus_per_worker"),
    *(
        "search.trial_timeout",
        "search.memory_per_worker",
        "search.retries",
        "search.grace",
        "search.niceness",
        "search.address",
        "search.trials_per_worker",
        "search.reuse",
    ),
    *("runs", "data.in_memory", "training.timeout", "simple.", "log_to"),
    # Trials train the frozen layers that finetune.unfreeze names.
    *(f"finetune.{key}" for key in FinetuneConfig.model_fields if key != "unfreeze"),
)
"""Keys, or sections, that may differ when a run is resumed: they do not change what a trial measures."""


@dataclass(frozen=True)
class RunFolder:
    """Paths of one run."""

    path: Path

    @classmethod
    def of(cls, config: RunConfig) -> "RunFolder":
        """The folder that a configuration names."""
        return cls(Path(config.runs) / config.name)

    @property
    def config_file(self) -> Path:
        """The resolved configuration."""
        return self.path / CONFIG_FILE

    @property
    def trained_model(self) -> Path:
        """The model that ``tuckprune train`` makes."""
        return self.path / "model.keras"

    @property
    def graph(self) -> Path:
        """The channel graph of the original model, for commands that only read."""
        return self.path / "graph.json"

    @property
    def answers(self) -> Path:
        """Folder of the models' answers to a few test images, one file per model."""
        return self.path / "answers"

    @property
    def middle_model(self) -> Path:
        """The fine-tuned winner of the first stage of a staged search."""
        return self.path / "middle.keras"

    @property
    def finalists(self) -> Path:
        """Folder of the models that the finals fine-tuned."""
        return self.path / "finalists"

    @property
    def results(self) -> Path:
        """Folder of results, one JSON file per model of the comparison table."""
        return self.path / "results"

    @property
    def exports(self) -> Path:
        """Folder of the files that ``tuckprune ship`` writes."""
        return self.path / "exports"

    @property
    def exports_table(self) -> Path:
        """Table of the files that ``tuckprune ship`` wrote last, as JSON."""
        return self.path / "exports.json"

    @property
    def latency_table(self) -> Path:
        """Measured latencies of the model's layers, where the budget limits latency."""
        return self.path / "latency.json"

    @property
    def logs(self) -> Path:
        """Folder of logs, one file of JSON lines per worker."""
        return self.path / "logs"

    @property
    def checkpoints(self) -> Path:
        """Folder of checkpoints, one file per training in progress."""
        return self.path / "checkpoints"

    @property
    def tensorboard(self) -> Path:
        """Folder of TensorBoard's event files, with ``log_to: [tensorboard]``."""
        return self.path / "tensorboard"

    @property
    def is_held(self) -> bool:
        """Whether a process holds the folder, to write to it."""
        try:
            # The folder may be read-only, and FileLock would open the file for writing.
            with (self.path / LOCK_FILE).open("rb") as file:
                fcntl.flock(file, fcntl.LOCK_SH | fcntl.LOCK_NB)
        except FileNotFoundError:
            return False
        except BlockingIOError:
            return True
        return False

    @contextmanager
    def opened(self, config: RunConfig) -> Iterator[None]:
        """Hold the folder within the context, so that no other process writes to it; it is created where it is missing.

        Raises:
            RunError: it belongs to another configuration, cannot be written, or another process holds it.
        """
        config = self.with_kept_strategy(config)
        self.check(config)
        lock = self._acquired()
        try:
            self._write(config)
            yield
        finally:
            lock.release()

    def config(self) -> RunConfig:
        """The configuration of an existing run.

        Raises:
            RunError: the folder has no configuration, so it is no run folder.
        """
        if not self.config_file.is_file():
            raise RunError(
                f"'{self.path}' is not a run folder: expected {CONFIG_FILE} in it; run 'tuckprune search' first"
            )
        return load_config(self.config_file)

    def with_kept_strategy(self, config: RunConfig) -> RunConfig:
        """A configuration in which ``search.strategy: auto`` is replaced by the strategy that the run was begun with.

        Raises:
            RunError: the run was begun as a staged search, which this configuration does not allow.
        """
        if config.search.strategy != AUTO or not self.config_file.exists():
            return config
        before, obstacle = self.config().search.strategy, config.staged_obstacle
        if before == STAGED and obstacle is not None:
            raise RunError(
                f"run folder '{self.path}' holds a staged search: {obstacle}; restore it to resume, or give this run "
                "another name:"
            )
        return config.with_strategy(before)

    def _acquired(self) -> BaseFileLock:
        lock = FileLock(self.path / LOCK_FILE, timeout=0)
        try:
            self.path.mkdir(parents=True, exist_ok=True)
            lock.acquire()
        except Timeout as error:
            raise RunError(
                f"run folder '{self.path}' is in use by another tuckprune process; wait for it to end"
            ) from error
        except OSError as error:
            raise self._unwritable(error) from error
        return lock

    def _write(self, config: RunConfig) -> None:
        """Replace the configuration file in one step: an incomplete file would make the run unusable."""
        try:
            with replaced(self.config_file) as partial:
                partial.write_text(dump_config(config), encoding="utf-8")
        except OSError as error:
            raise self._unwritable(error) from error

    def _unwritable(self, error: OSError) -> RunError:
        return RunError(f"run folder '{self.path}' cannot be written ({error.strerror}); choose another with runs:")

    def holds(self, config: RunConfig) -> bool:
        """Whether the folder has a run that was begun with this configuration."""
        return self.config_file.is_file() and not self._changes(self.with_kept_strategy(config))

    def _changes(self, config: RunConfig) -> list[str]:
        """Differences of a configuration from the run's, without the keys that may differ, one line each."""
        before = self.config()
        if before.search.strategy == AUTO:  # The model was trained, and the search has not begun.
            before = before.with_strategy(config.search.strategy)
        return [line for line in difference(before, config) if not line.startswith(RESUMABLE)]

    def check(self, config: RunConfig) -> None:
        """Refuse a configuration with which the folder's run cannot go on.

        Raises:
            RunError: the run was begun with another one; names the keys.
        """
        if not self.config_file.exists():
            return
        changes = self._changes(config)
        if changes:
            raise RunError(
                f"run folder '{self.path}' belongs to another configuration ({'; '.join(changes[:5])}); "
                "give this one another name:, or restore these values to resume"
            )


def model_path(config: RunConfig, folder: RunFolder | None = None) -> Path:
    """Path of a run's original model.

    Args:
        config: of the run.
        folder: the run's, where it is another one than the configuration names.

    Raises:
        ModelError: a zoo model that has not been trained yet.
    """
    if config.model.path is not None:
        return Path(config.model.path)
    path = (folder or RunFolder.of(config)).trained_model
    if not path.exists():
        raise ModelError(f"'{path}' does not exist: run 'tuckprune train' with this configuration first")
    return path
