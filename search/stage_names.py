"""The names of a run's studies."""

from compress.errors import RunError
from configs.schema import RunConfig
from configs.staged import STAGED


def first_study(config: RunConfig) -> str:
    """Name of the study of a run's first stage."""
    return f"{config.name}: {config.recipe[0]}"


def study_name(config: RunConfig, stage: str | None) -> str:
    """Name of the study of a stage, None for the second, or for a search that is not staged.

    Raises:
        RunError: a stage that was not searched alone.
    """
    if stage is None:
        return config.name
    known = config.recipe if config.search.strategy == STAGED else ()
    if stage not in known:
        raise RunError(
            f"stage: expected {' or '.join(known) or 'none of a search that is not staged'}, received {stage}"
        )
    return first_study(config) if stage == known[0] else config.name
