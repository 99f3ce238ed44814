"""The fine-tuned models of the finals in a run's folder, each with a note of what it was made of and how."""

import hashlib
import json
from collections.abc import Callable
from dataclasses import asdict, dataclass
from pathlib import Path

from compress.disk.whole_file import remove_whole, write_whole
from compress.errors import ParameterError, RunError, typed_line
from compress.parameter_files.json_format import dumps, loads
from compress.parameters import CompressionParameters
from search.study.identity import Origin


@dataclass(frozen=True)
class FinalModel:
    """A kept model of a finalist.

    Attributes:
        source: of the finalist, such as ``trial 17``.
        parameters: its ratios and ranks.
        tuning: the settings of its fine-tuning as text, to compare.
        origin: the original model and the data.
        path: of its ``.keras`` file.
    """

    source: str
    parameters: CompressionParameters
    tuning: str
    origin: Origin
    path: Path


@dataclass(frozen=True)
class FinalModels:
    """Keeps models of finalists, so that the winner need not be fine-tuned once more.

    Attributes:
        folder: in the run's folder, created with the first model.
    """

    folder: Path

    def keep(self, source: str, parameters: CompressionParameters, tuning: str, origin: Origin, content: bytes) -> None:
        """Write a model, the bytes of its file, in the place of an older one of this source.

        The note is written last, with the SHA-256 of the model: a model that a killed process left without one, or
        with that of the older one, is none.

        Raises:
            RunError: the folder cannot be written.
        """
        note = {
            "source": source,
            "parameters": json.loads(dumps(parameters)),
            "tuning": tuning,
            "origin": asdict(origin),
            "sha256": hashlib.sha256(content).hexdigest(),
        }
        path = self._path(source)
        try:
            self.folder.mkdir(parents=True, exist_ok=True)
        except OSError as error:
            raise RunError(f"folder '{self.folder}' cannot be written ({error.strerror}); make room for it") from error
        write_whole(path, content)
        write_whole(path.with_suffix(".json"), json.dumps(note, indent=1) + "\n")

    def forget(self, source: str) -> None:
        """Delete the model of a finalist, if there is one."""
        for suffix in (".json", ".keras"):
            remove_whole(self._path(source).with_suffix(suffix))

    def kept(self, origin: Origin, tuning: str, wanted: Callable[[FinalModel], bool]) -> FinalModel | None:
        """The first wanted model that was made of this origin by this fine-tuning; None where there is none."""
        for note in sorted(self.folder.glob("*.json")):
            model, digest = _read(note)
            if model.tuning == tuning and model.origin.agrees(origin) and wanted(model) and _is_whole(model, digest):
                return model
        return None

    def _path(self, source: str) -> Path:
        return self.folder / f"{source.replace(' ', '-')}.keras"


def _read(note: Path) -> tuple[FinalModel, str]:
    """The model that a note is of, and the SHA-256 that its file should have.

    Raises:
        RunError: the note cannot be read.
    """
    try:
        fields = json.loads(note.read_text(encoding="utf-8"))
        parameters = loads(json.dumps(fields["parameters"])).parameters
        origin, path = Origin(**fields["origin"]), note.with_suffix(".keras")
        return FinalModel(fields["source"], parameters, fields["tuning"], origin, path), fields["sha256"]
    except (OSError, ValueError, KeyError, TypeError, ParameterError) as error:
        raise RunError(f"'{note}' cannot be read ({typed_line(error)}); delete it: its model is made anew") from error


def _is_whole(model: FinalModel, digest: str) -> bool:
    return model.path.is_file() and hashlib.sha256(model.path.read_bytes()).hexdigest() == digest
