"""What a form of parameter files is: how it is read, and which files it writes."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass

from compress.graph.model_channels import ModelChannels
from compress.parameters import DECOMPOSE, PRUNE, CompressionParameters, Stage


@dataclass(frozen=True)
class ParameterFile:
    """What parameter files hold: parameters, and the model they were made for, None where no file says it."""

    parameters: CompressionParameters
    made_for: ModelChannels | None = None


@dataclass(frozen=True)
class Contents:
    """What is written.

    Attributes:
        parameters: ratios and ranks.
        original: channels of the model that they are for.
        staged: channels that each stage of the recipe finds, fewer where pruning comes before decomposition.
    """

    parameters: CompressionParameters
    original: ModelChannels
    staged: ModelChannels


@dataclass(frozen=True)
class WrittenFile:
    """A file that a form writes.

    Attributes:
        purpose: what it is for, as a report says it.
        text: of the file.
        stage: whose values alone it holds; without any there is no such file. None for a file that is always written.
    """

    purpose: str
    text: Callable[[Contents], str]
    stage: Stage | None = None

    def is_of_use(self, parameters: CompressionParameters) -> bool:
        """Whether there is anything to write: a ratio above zero, ranks."""
        ratios, ranks = any(parameters.ratios.values()), bool(parameters.ranks)
        return self.stage is None or {PRUNE: ratios, DECOMPOSE: ranks}[self.stage]


@dataclass(frozen=True)
class FileFormat:
    """One form of parameter files; a module of this folder that holds one adds it.

    Attributes:
        suffix: of the files that it reads, in small letters; empty for those whose suffix no other form has.
        read: parameters from a file's text; raises ParameterError.
        files: what it writes, by file name.
        recognizes: whether a text is of this form, where several forms share a suffix; None to take what others leave.
    """

    suffix: str
    read: Callable[[str], ParameterFile]
    files: Mapping[str, WrittenFile]
    recognizes: Callable[[str], bool] | None = None
