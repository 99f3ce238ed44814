"""A task of the user's own in a configuration: what it needs, and what it would not heed."""

from typing import Any

import pytest
from pydantic import ValidationError

from configs.schema.run import RunConfig
from tests.configs.test_schema import BASE

OWN = {"task": "my_module:MyTask", "model": {"path": "m.keras"}, "data": None}


def test_a_task_of_the_user_s_own_needs_no_data() -> None:
    config = RunConfig.model_validate({**BASE, **OWN, "finetune": {"epochs": 3}})
    assert config.own_task is not None and config.source == "my_module:MyTask"
    assert RunConfig.model_validate(config.model_dump(mode="json")) == config


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"task": "segmentation"}, "expected a value, received nothing"),
        ({"data": {"source": "digits"}}, "data: expected none with task my_module:MyTask, which has its own"),
        ({"model": {"zoo": "resnet20"}}, "model.zoo: expected a model.path with task my_module:MyTask"),
        (
            {"finetune": {"early_stopping": 2}},
            "finetune.early_stopping: expected none with task .*, whose fit decides it",
        ),
        ({"training": {"optimizer": "AdamW"}}, "finetune.optimizer: expected none"),
        ({"proxy": {"momentum": 0.5}}, "proxy.momentum: expected none .* received 0.5; remove it"),
    ],
)
def test_what_a_task_of_the_user_s_own_would_not_heed(change: dict[str, Any], message: str) -> None:
    with pytest.raises(ValidationError, match=message):
        RunConfig.model_validate({**BASE, **OWN, **change})
