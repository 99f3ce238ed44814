"""Tasks that run on built models in a configuration: what they need, and what they would not heed."""

from typing import Any

import pytest
from pydantic import ValidationError

from configs.schema.run import RunConfig
from tests.configs.test_schema import BASE

FITTED = {"task": "compiled", "model": {"path": "m.keras"}, "data": {"source": "my_module:data"}}
OUTPUTS = {"name": "outputs", "options": {"outputs": {"kind": "classification"}}}
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
        ({"proxy": {"optimizer": "AdamW"}}, "proxy.optimizer: expected none .* received .*AdamW.*; remove it"),
    ],
)
def test_what_a_task_of_the_user_s_own_would_not_heed(change: dict[str, Any], message: str) -> None:
    with pytest.raises(ValidationError, match=message):
        RunConfig.model_validate({**BASE, **OWN, **change})


def test_tasks_of_keras_s_fit_take_data_of_a_function() -> None:
    tuning = {"epochs": 3, "schedule": "cosine", "early_stopping": 2, "distillation": {}}
    given = {**BASE, **FITTED, "finetune": tuning}
    config = RunConfig.model_validate({**given, "data": {"source": "my_module:data", "validation": 0.2}})
    assert config.own_task is None and config.task is not None and config.task.is_fitted
    outputs = {**given, "task": OUTPUTS, "proxy": {"optimizer": "AdamW"}, "finetune": {**tuning, "optimizer": "AdamW"}}
    assert RunConfig.model_validate(outputs).finetune.optimizer.name == "AdamW"


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"data": None}, "expected a value, received nothing"),
        ({"data": {"source": "digits"}}, "data.source: expected module:function with task compiled, received 'digits'"),
        ({"data": {"source": "gs://photos"}}, "expected module:function with task compiled, received 'gs://photos'"),
        (
            {"data": {"source": "m:f", "test_limit": 5}},
            "data.test_limit: expected none with task compiled, where the f",
        ),
        ({"model": {"zoo": "resnet20"}}, "model.zoo: expected a model.path with task compiled"),
        ({"finetune": {"optimizer": "AdamW"}}, "finetune.optimizer: expected none with task compiled"),
        ({"finetune": {"devices": "all"}}, "finetune.devices: expected none with task compiled"),
        ({"proxy": {"optimizer": "AdamW"}}, "proxy.optimizer: expected none with task compiled"),
        ({"task": OUTPUTS, "finetune": {"loss": "Dice"}}, "finetune.loss: expected none with task outputs, where the"),
        ({"proxy": {"validation_images": 9}}, "proxy.validation_images: expected none with task compiled"),
        ({"task": OUTPUTS, "proxy": {"jit_compile": True}}, "proxy.jit_compile: expected none with task outputs"),
    ],
)
def test_what_tasks_of_keras_s_fit_would_not_heed(change: dict[str, Any], message: str) -> None:
    with pytest.raises(ValidationError, match=message):
        RunConfig.model_validate({**BASE, **FITTED, **change})
