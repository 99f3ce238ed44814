"""The folder of one run: ``runs/<name>/``, everything that a search needs to resume and leaves behind."""

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from filelock import FileLock, Timeout

from compress.errors import RunError
from configs.load import difference, dump_config, load_config
from configs.schema import RunConfig

CONFIG_FILE = "config.yaml"
RESUMABLE = (
    *("search.trials", "search.workers", "search.cpus_per_worker", "search.gpus_per_worker", "search.trial_timeout"),
    *("search.address", "search.trials_per_worker", "runs", "finetune.", "simple."),
)
"""Keys, or sections, that may change between two starts of one run: they do not change what a trial measures."""


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
    def results(self) -> Path:
        """One JSON file per model of the comparison table."""
        return self.path / "results"

    def prepare(self, config: RunConfig) -> None:
        """Create the folder with its configuration, or check that it belongs to the same one.

        Raises:
            RunError: the folder cannot be written, or holds a run of another configuration.
        """
        text = dump_config(config)
        if self.config_file.exists():
            self._check(config)
        try:
            self.path.mkdir(parents=True, exist_ok=True)
            self.config_file.write_text(text, encoding="utf-8")
        except OSError as error:
            raise RunError(
                f"run folder '{self.path}' cannot be written ({error.strerror}); choose another with runs:"
            ) from error

    def config(self) -> RunConfig:
        """The configuration of an existing run.

        Raises:
            RunError: this is no run folder.
        """
        if not self.config_file.is_file():
            raise RunError(
                f"'{self.path}' is not a run folder: expected {CONFIG_FILE} in it; run 'tuckprune search' first"
            )
        return load_config(self.config_file)

    @contextmanager
    def locked(self) -> Iterator[None]:
        """Keep every other driver out of the folder.

        Raises:
            RunError: another process holds it.
        """
        lock = FileLock(self.path / ".lock", timeout=0)
        try:
            lock.acquire()
        except Timeout as error:
            raise RunError(
                f"run folder '{self.path}' is in use by another tuckprune process; wait for it to end"
            ) from error
        try:
            yield
        finally:
            lock.release()

    def _check(self, config: RunConfig) -> None:
        changes = [line for line in difference(self.config(), config) if not line.startswith(RESUMABLE)]
        if changes:
            raise RunError(
                f"run folder '{self.path}' belongs to another configuration ({'; '.join(changes[:5])}); "
                "give this one another name:, or restore these values to resume"
            )
