"""Ties a study on a server, which runs in other folders can reach too, to the configuration that it was made for."""

from typing import Any

import optuna

from compress.errors import RunError
from configs.load import check_config, difference
from configs.schema.run import RunConfig
from configs.schema.storage import is_server
from search.runs.run_folder import RESUMABLE

_CONFIG = "config"
_ELSEWHERE = ("model.", "search.storage")
"""Keys that may differ as well: another machine may have another path of the model, or reach the server differently."""


def tie_to_config(study: optuna.Study, config: RunConfig) -> None:
    """Store the configuration in a new study on a server; refuse another configuration from then on.

    A study in a run folder needs none: the folder contains and compares its configuration.

    Raises:
        RunError: the study was started with another configuration, on this machine or on another one.
    """
    if not is_server(config.search.storage):
        return
    known: dict[str, Any] | None = study.user_attrs.get(_CONFIG)
    if known is None:
        study.set_user_attr(_CONFIG, config.model_dump(mode="json"))
        return
    before = check_config(known, f"the configuration in the study '{study.study_name}'")
    changes = [line for line in difference(before, config) if not line.startswith((*RESUMABLE, *_ELSEWHERE))]
    if changes:
        raise RunError(
            f"the study '{study.study_name}' on the server belongs to another configuration "
            f"({'; '.join(changes[:5])}); give this run another name:, or restore these values to resume"
        )
