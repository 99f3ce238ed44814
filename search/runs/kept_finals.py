"""Takes a compressed model from the finals of its run, where these have fine-tuned it as compression would now."""

from collections.abc import Callable
from typing import Any

from compress.model_files.files import load_model
from compress.parameters import CompressionParameters
from compress.recipe import SimpleCompression
from configs.schema.run import RunConfig
from search import settings
from search.driver.final_models import FinalModel, FinalModels
from search.runs.run_folder import RunFolder
from search.study.finalist import RECOMMENDED
from search.study.identity import Origin
from zoo.data.dataset import Data

Wanted = Callable[[FinalModel], bool]


def never(model: FinalModel) -> bool:
    """No model at all."""
    return False


def of_recommended(model: FinalModel) -> bool:
    """The one of SLAMP's and VBMF's values."""
    return model.source == RECOMMENDED


def of_parameters(parameters: CompressionParameters) -> Wanted:
    """The one of these values, whether ratios of 0 are written down or not."""
    return lambda model: _changes(model.parameters) == _changes(parameters)


def _changes(parameters: CompressionParameters) -> tuple[dict[str, float], dict[str, tuple[int, int]]]:
    return {name: ratio for name, ratio in parameters.ratios.items() if ratio}, dict(parameters.ranks)


def taken_from_finals(
    config: RunConfig, folder: RunFolder, original: Any, data: Data, wanted: Wanted, log: Callable[[str], None]
) -> SimpleCompression | None:
    """A model of the finals in place of compressing and fine-tuning; None where there is none.

    It was made of this original and these data by this fine-tuning; what else compression depends on cannot change
    within a run folder.

    Args:
        config: of the run.
        folder: of the run.
        original: the original model.
        data: images and their targets, or a task of the user's own.
        wanted: which model it may be.
        log: called with a line on a model that is taken.

    Raises:
        TuckpruneError: a model, or the note of one, that cannot be read.
    """
    if wanted is never or not config.finetune.epochs or not folder.finalists.is_dir():
        return None
    tuning = repr(settings.fine_tuning(config.finetune, config.seed))
    kept = FinalModels(folder.finalists).kept(Origin.of(original, data), tuning, wanted)
    if kept is None:
        return None
    log(f"fine-tuned in the finals of this run already ({kept.source}): '{kept.path}' is taken; --retrain trains anew")
    return SimpleCompression(load_model(kept.path, config.model.custom_objects), kept.parameters)
