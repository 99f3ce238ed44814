"""Reads and writes compression parameters in every form that a module of this folder has a ``FileFormat`` of."""

from collections.abc import Sequence
from pathlib import Path

from compress.disk.whole_file import replaced
from compress.errors import ParameterError
from compress.graph.channel_graph import ChannelGraph
from compress.graph.model_channels import ModelChannels, ratios_of_original
from compress.parameter_files.format import Contents, FileFormat, ParameterFile
from compress.parameters import DEFAULT_RECIPE, SINGLE_CHANNELS, ChannelStep, CompressionParameters, Stage
from compress.registration import registered


def file_formats() -> list[FileFormat]:
    """Every ``FileFormat`` in this folder's modules, those that recognize their texts first."""
    return sorted(registered("compress.parameter_files", FileFormat), key=lambda form: form.recognizes is None)


def read_parameters(paths: Sequence[Path]) -> ParameterFile:
    """Read and merge parameter files: `.json` as tuckprune's or NetsPresso's JSON, other suffixes as the text listing.

    Raises ParameterError, naming the file, where one is missing, unreadable or malformed, or contradicts another.
    """
    merged = ParameterFile(CompressionParameters.none())
    for path in paths:
        text = _read(path)
        try:
            merged = _merged(merged, _format_of(path.suffix.lower(), text).read(text))
        except ParameterError as error:
            raise ParameterError(f"{str(path)!r}: {error}") from None
    return merged


def _format_of(suffix: str, text: str) -> FileFormat:
    formats = file_formats()
    wanted = suffix if any(suffix == form.suffix for form in formats) else ""
    return next(
        form for form in formats if form.suffix == wanted and (form.recognizes is None or form.recognizes(text))
    )


def write_parameters(
    parameters: CompressionParameters,
    folder: Path,
    graph: ChannelGraph,
    recipe: Sequence[Stage] = DEFAULT_RECIPE,
    step: ChannelStep = SINGLE_CHANNELS,
) -> list[Path]:
    """Write parameters for a model in every form: two listings, JSON for both, and two files for NetsPresso.

    The folder is made if need be; each file appears whole or not at all. Returns the paths in alphabetical order:
    netspresso-FD_TK.json and netspresso-PR_L2.json, whose channels are those that the recipe's stages find,
    parameters.json (ratios and ranks), pruning.txt (the ratios) and ranks.txt (the rank pairs). Files of ratios, or of
    ranks, are written where there are any; those of an earlier call are removed, as they belong to other parameters.
    Ratios of a decomposed model are written by the names of its groups, whatever names they were given by. Raises
    ParameterError where the parameters do not fit the model or the folder cannot be written.
    """
    parameters = _by_own_names(parameters, graph, recipe)
    staged = ModelChannels.at_stages(graph, parameters, recipe, step)
    contents = Contents(parameters, ModelChannels.of(graph), staged)
    files = {name: file for form in file_formats() for name, file in form.files.items()}
    texts = {name: file.text(contents) for name, file in files.items() if file.is_of_use(parameters)}
    try:
        folder.mkdir(parents=True, exist_ok=True)
        for name, text in sorted(texts.items()):
            with replaced(folder / name) as partial:
                partial.write_text(text, encoding="utf-8", newline="\n")
        for name in files.keys() - texts.keys():
            (folder / name).unlink(missing_ok=True)
    except OSError as error:
        raise ParameterError(
            f"expected a writable folder for parameter files, received {str(folder)!r} ({error.strerror}); "
            "choose another or free it"
        ) from None
    return [folder / name for name in sorted(texts)]


def _by_own_names(
    parameters: CompressionParameters, graph: ChannelGraph, recipe: Sequence[Stage]
) -> CompressionParameters:
    """Ratios by the names that groups have: of a decomposed model, a file may say what its layer was called before."""
    own = ratios_of_original(parameters, recipe)
    ratios = {graph.group(name).name if name in own else name: ratio for name, ratio in parameters.ratios.items()}
    return CompressionParameters(ratios, parameters.ranks)


def _merged(first: ParameterFile, second: ParameterFile) -> ParameterFile:
    if None not in (first.made_for, second.made_for) and first.made_for != second.made_for:
        raise ParameterError("expected parameters for one model, received another model's than in the files before")
    return ParameterFile(first.parameters.merged(second.parameters), second.made_for or first.made_for)


def _read(path: Path) -> str:
    try:
        return path.read_text(encoding="utf-8-sig")  # editors may have added a byte order mark
    except OSError as error:
        reason = error.strerror
    except UnicodeDecodeError as error:
        reason = f"not UTF-8: {error.reason}"
    raise ParameterError(f"expected a readable parameter file, received {str(path)!r} ({reason}); check the path")
