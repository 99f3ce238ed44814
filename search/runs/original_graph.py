"""The channel graph of a run's original model, which a search keeps so that commands that only read need no Keras."""

import hashlib
import json
from pathlib import Path
from typing import Any

import optuna

import compress
from compress.disk.whole_file import write_whole
from compress.graph import graph_file
from compress.graph.channel_graph import ChannelGraph
from configs.schema.run import RunConfig
from search.environment import import_tensorflow
from search.runs.run_folder import RunFolder, model_path
from search.study.identity import check_same_model, known_digest, known_image_size


def keep_graph(graph: ChannelGraph, folder: RunFolder, config: RunConfig, study: optuna.Study) -> None:
    """Write the graph of the model that a search has loaded to ``graph.json``, with all that the graph follows from.

    Raises:
        RunError: the file cannot be written.
    """
    made_of = _made_of(folder, config, study)
    if made_of is not None and _kept(folder.graph, made_of) is None:
        write_whole(folder.graph, json.dumps(made_of) + "\n" + graph_file.dumps(graph) + "\n")


def original_graph(folder: RunFolder, config: RunConfig, study: optuna.Study) -> ChannelGraph:
    """The channel graph of the model that a study was started with: the one kept, or else of the model, analysed anew.

    Raises:
        RunError: the file holds another model than the one that was searched.
        ModelError: the model cannot be read.
    """
    made_of = _made_of(folder, config, study)
    kept = None if made_of is None else _kept(folder.graph, made_of)
    return _analysed(model_path(config, folder), config, study) if kept is None else kept


def _made_of(folder: RunFolder, config: RunConfig, study: optuna.Study) -> dict[str, Any] | None:
    """All that a graph follows from; None where that is not known, as a module of the user's own is part of it."""
    path, size = model_path(config, folder), known_image_size(study)
    if config.model.custom_objects is not None or not path.is_file():
        return None
    return {
        "code": _digest(sorted(Path(compress.__path__[0]).rglob("*.py"))),
        "model": _digest([path]),
        "searched": known_digest(study),
        "across_normalization": config.pruning.across_normalization,
        "image_size": size and list(size),
    }


def _analysed(path: Path, config: RunConfig, study: optuna.Study) -> ChannelGraph:
    import_tensorflow()
    from compress.graph.analysis import analyse
    from compress.model_files.files import load_model

    model = load_model(path, config.model.custom_objects)
    check_same_model(study, model)
    return analyse(model, config.pruning.across_normalization, known_image_size(study))


def _kept(path: Path, made_of: dict[str, Any]) -> ChannelGraph | None:
    """The graph in a file, if it was made of the same; None where there is none, or it cannot be read."""
    try:
        head, _, text = path.read_text(encoding="utf-8").partition("\n")
        return graph_file.loads(text) if json.loads(head) == made_of else None
    except (OSError, ValueError, TypeError, KeyError):
        return None


def _digest(paths: list[Path]) -> str:
    """SHA-256 of the contents of files, in this order."""
    digest = hashlib.sha256()
    for path in paths:
        with path.open("rb") as file:
            digest.update(hashlib.file_digest(file, "sha256").digest())
    return digest.hexdigest()
