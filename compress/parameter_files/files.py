"""Parameter files: compression parameters in a folder, as text listings, JSON, and in NetsPresso's form."""

import os
from collections.abc import Sequence
from pathlib import Path
from uuid import uuid4

from compress.errors import ParameterError
from compress.graph.channel_graph import ChannelGraph
from compress.graph.model_channels import ModelChannels
from compress.parameter_files import json_format, netspresso_format, text_format
from compress.parameter_files.json_format import ParameterFile, parsed_object
from compress.parameters import DEFAULT_RECIPE, SINGLE_CHANNELS, ChannelStep, CompressionParameters, Stage

RATIOS_FILE = "pruning.txt"
RANKS_FILE = "ranks.txt"
JSON_FILE = "parameters.json"
NETSPRESSO_RATIOS_FILE = f"netspresso-{netspresso_format.PRUNING}.json"
NETSPRESSO_RANKS_FILE = f"netspresso-{netspresso_format.DECOMPOSITION}.json"


def read_parameters(paths: Sequence[Path]) -> ParameterFile:
    """Read and merge parameter files: `.json` as tuckprune's or NetsPresso's JSON, other suffixes as the text listing.

    Raises ParameterError, naming the file, where one is missing, unreadable or malformed, or contradicts another.
    """
    merged = ParameterFile(CompressionParameters.none())
    for path in paths:
        text = _read(path)
        try:
            merged = _merged(merged, _loads(text, json=path.suffix.lower() == ".json"))
        except ParameterError as error:
            raise ParameterError(f"{str(path)!r}: {error}") from None
    return merged


def write_parameters(
    parameters: CompressionParameters,
    folder: Path,
    graph: ChannelGraph,
    recipe: Sequence[Stage] = DEFAULT_RECIPE,
    step: ChannelStep = SINGLE_CHANNELS,
) -> list[Path]:
    """Write parameters for a model in every form: two listings, JSON for both, and two files for NetsPresso.

    The folder is made if need be; each file appears whole or not at all. Returns the five paths: pruning.txt (the
    ratios), ranks.txt (the rank pairs), parameters.json (both), netspresso-PR_L2.json and netspresso-FD_TK.json, whose
    channels are those that the recipe's stages find.
    Raises ParameterError where the parameters do not fit the model or the folder cannot be written.
    """
    found = ModelChannels.at_stages(graph, parameters, recipe, step)
    contents = {
        RATIOS_FILE: text_format.dump_ratios(parameters.ratios),
        RANKS_FILE: text_format.dump_ranks(parameters.ranks),
        JSON_FILE: json_format.dumps(parameters, ModelChannels.of(graph)),
        NETSPRESSO_RATIOS_FILE: netspresso_format.dump_ratios(parameters.ratios, found.groups),
        NETSPRESSO_RANKS_FILE: netspresso_format.dump_ranks(parameters.ranks, found.layers),
    }
    try:
        folder.mkdir(parents=True, exist_ok=True)
        for name, text in contents.items():
            _replace(folder / name, text)
    except OSError as error:
        raise ParameterError(
            f"expected a writable folder for parameter files, received {str(folder)!r} ({error.strerror}); "
            "choose another or free it"
        ) from None
    return [folder / name for name in contents]


def _loads(text: str, *, json: bool) -> ParameterFile:
    if not json:
        return ParameterFile(text_format.loads(text))
    document = parsed_object(text)
    if netspresso_format.is_netspresso(document):
        return ParameterFile(netspresso_format.load(document))
    return json_format.load(document)


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


def _replace(path: Path, text: str) -> None:
    """Write beside `path`, then rename over it. The name is unique across nodes that share the folder."""
    temporary = path.with_name(f".{path.name}.{uuid4().hex}.tmp")
    try:
        with temporary.open("w", encoding="utf-8", newline="\n") as file:
            file.write(text)
            file.flush()
            os.fsync(file.fileno())
        os.replace(temporary, path)
    finally:
        temporary.unlink(missing_ok=True)
