"""Bounds of the schema: what is inside is kept as it is, what is outside is refused."""

import copy
import math
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from pydantic import ValidationError

from configs.schema.run import RunConfig

BASE: dict[str, Any] = {
    "name": "run",
    "model": {"zoo": "digits_resnet"},
    "data": {"source": "digits"},
    "budget": {"flops": 0.25},
}


def build(key: str, value: Any) -> RunConfig:
    data = copy.deepcopy(BASE)
    *sections, name = key.split(".")
    section = data
    for part in sections:
        section = section.setdefault(part, {})
    section[name] = value
    return RunConfig.model_validate(data)


def value_at(config: Any, key: str) -> Any:
    for name in key.split("."):
        config = getattr(config, name)
    return config


# key, smallest accepted, largest accepted (as open or closed ends), both written down from the documentation.
INTEGERS = [
    ("seed", 0, 2**31 - 1),
    ("training.epochs", 1, None),
    ("training.batch_size", 1, None),
    ("training.early_stopping", 1, None),
    ("finetune.early_stopping", 1, None),
    ("finetune.devices", 1, None),
    ("finetune.epochs", 0, None),
    ("data.train_limit", 1, None),
    ("data.test_limit", 1, None),
    ("pruning.step", 1, None),
    ("pruning.images", 1, None),
    ("proxy.recalibration_images", 1, None),
    ("proxy.steps", 0, None),
    ("proxy.batch_size", 1, None),
    ("rungs.one_in", 1, None),
    ("search.trials", 1, None),
    ("search.workers", 1, None),
    ("search.niceness", 0, 19),
    ("search.trials_per_worker", 1, None),
]
FLOATS = [  # key, low, low accepted, high, high accepted
    ("data.validation", 0, False, 1, False),
    ("training.learning_rate", 0, False, None, False),
    ("finetune.learning_rate", 0, False, None, False),
    ("finetune.distillation.weight", 0, False, 1, True),
    ("finetune.distillation.temperature", 0, False, None, False),
    ("space.rank_step", 0.001, True, 1, True),
    ("space.ratio_step", 0.001, True, 0.9, True),
    ("proxy.learning_rate", 0, False, None, False),
    ("search.cpus_per_worker", 0, False, None, False),
    ("search.gpus_per_worker", 0, True, None, False),
    ("search.trial_timeout", 0, False, None, False),
    ("search.staged.budget", 0, False, 1, False),
    ("search.staged.trials", 0, False, 1, False),
    ("simple.ratio", 0, True, 1, False),
    ("simple.calibration", -1, True, 1, True),
]


@given(st.sampled_from(INTEGERS), st.integers(-5, 2**33))
def test_integers_are_kept_inside_their_bounds_and_refused_outside(
    row: tuple[str, int, int | None], value: int
) -> None:
    key, low, high = row
    if value >= low and (high is None or value <= high):
        assert value_at(build(key, value), key) == value
    else:
        with pytest.raises(ValidationError):
            build(key, value)


@given(st.sampled_from(FLOATS), st.floats(-3, 3) | st.sampled_from([-1.0, 0.0, 1.0, math.nan, math.inf]))
def test_numbers_are_kept_inside_their_bounds_and_refused_outside(
    row: tuple[str, float, bool, float | None, bool], value: float
) -> None:
    key, low, with_low, high, with_high = row
    above = value > low or (with_low and value == low)
    below = math.isfinite(value) if high is None else value < high or (with_high and value == high)
    if above and below:
        assert value_at(build(key, value), key) == value
    else:
        with pytest.raises(ValidationError):
            build(key, value)


@pytest.mark.parametrize(
    ("key", "value"),
    [
        ("search.trials", "10"),
        ("search.trials", True),
        ("search.trials", 10.0),
        ("search.workers", "all"),
        ("search.sampler", ""),
        ("search.storage", "mysql"),
        ("search.strategy", "both"),
        ("search.projection", 1),
        ("space.ranks", "true"),
        ("data.image_size", [32]),
        ("data.image_size", [32, 32, 3]),
        ("data.image_size", [32, 0]),
        ("data.image_size", "32"),
        ("budget.flops", True),
        ("budget.flops", 0),
        ("budget.flops", -0.25),
        ("budget.flops", ""),
        ("budget.flops", math.nan),
        ("budget", {}),
        ("budget", {"flops": None}),
        ("budget.params", 0),
        ("budget.size", ""),
        ("budget.watts", 1),
        ("training.augment", {"padding": -1}),
        ("recipe", []),
        ("recipe", ["prune", "prune"]),
        ("recipe", ["prune", "quantize"]),
        ("recipe", ["prune"]),
        ("space.ranks", False),
        ("space.ratio_step", 0.95),
        ("space.ratio_step", 1e-9),
        ("space.rank_step", 1e-9),
        ("name", ""),
        ("name", "."),
        ("name", "a/b"),
        ("name", "../a"),
        ("name", "a b"),
        ("name", "a\n"),
        ("name", "a" * 65),
        ("model", {}),
        ("model", {"zoo": "a", "path": "b"}),
        ("data.scale", 255),
        ("unknown", 1),
        ("pruning.criterion", "l2"),
        ("pruning.layer_norm", "softmax"),
        ("pruning.policy", "max"),
        ("pruning.group_policy", "count"),
        ("pruning.rounding", "round"),
    ],
)
def test_other_impossible_values_are_refused(key: str, value: Any) -> None:
    with pytest.raises(ValidationError):
        build(key, value)


@given(st.from_regex(r"[A-Za-z0-9][A-Za-z0-9._-]{0,63}", fullmatch=True))
def test_a_folder_safe_name_is_kept(name: str) -> None:
    assert build("name", name).name == name


@pytest.mark.parametrize("value", [0.25, 1, 613430000, "25%", "4x", "403.6M"])
def test_a_budget_keeps_its_type_and_value(value: float | int | str) -> None:
    kept = build("budget.flops", value).budget.flops
    assert kept == value
    assert type(kept) is type(value)


def test_a_budget_may_have_other_keys() -> None:
    assert build("budget", {"params": "2M"}).budget.model_dump(exclude_none=True) == {"params": "2M"}
    assert build("budget", {"memory": "50%", "latency": "12ms"}).budget.latency == "12ms"
    both = build("budget", {"flops": "25%", "size": "2.5MB"}).budget
    assert (both.flops, both.params, both.size) == ("25%", None, "2.5MB")


def test_a_normalization_needs_as_many_deviations_as_means() -> None:
    whole = {"source": "digits", "scale": 255, "mean": [0.5, 0.4, 0.3], "std": [0.2, 0.2, 0.2]}
    assert build("data", whole).data.mean == (0.5, 0.4, 0.3)
    with pytest.raises(ValidationError, match="as many numbers in std as in mean, received 2 and 3"):
        build("data", {**whole, "std": [0.2, 0.2]})


def test_finetune_inherits_training_at_a_tenth_of_its_learning_rate() -> None:
    training = {"epochs": 7, "learning_rate": 0.5, "augment": {"padding": 2, "flip": False}}
    config = build("training", training)
    assert (config.finetune.epochs, config.finetune.learning_rate) == (7, 0.05)
    assert config.finetune.augment == config.training.augment
    assert RunConfig.model_validate(BASE).finetune.learning_rate == 0.01


def test_distillation_is_of_fine_tuning_and_nobody_is_told_unasked() -> None:
    config = RunConfig.model_validate(BASE)
    assert (config.finetune.distillation, config.finetune.early_stopping, config.log_to) == (None, None, ())
    assert config.finetune.unfreeze
    assert build("training", {"early_stopping": 6}).finetune.early_stopping == 6
    assert build("log_to", ["tensorboard", "mlflow"]).log_to == ("tensorboard", "mlflow")
    with pytest.raises(ValidationError, match="distillation"):
        build("training", {"distillation": {}})
    with pytest.raises(ValidationError, match="tensorboard"):
        build("log_to", ["wandb"])


def test_finetune_keeps_what_it_is_given() -> None:
    data = {
        **BASE,
        "training": {"epochs": 7, "optimizer": "AdamW", "augment": {"layers": ["MixUp"]}},
        "finetune": {"epochs": 0, "learning_rate": 0.3},
    }
    finetune = RunConfig.model_validate(data).finetune
    assert (finetune.epochs, finetune.learning_rate, finetune.optimizer.name) == (0, 0.3, "AdamW")
    assert [layer.name for layer in finetune.augment.layers] == ["MixUp"]


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"recipe": ["prune"], "space": {"ranks": False}}, "a recipe of two stages .* received recipe .'prune'.;"),
        (
            {"finetune": {"epochs": 0}},
            "finetune.epochs of at least 1 .* received 0; .* set search.strategy: joint",
        ),
        ({"search": {"strategy": "staged", "trials": 1}}, "search.trials of at least 2 .* received 1"),
        ({"front": {"widest": "60%"}}, "front null for a staged search, received a front; change it"),
    ],
)
def test_a_staged_search_needs_two_stages_and_fine_tuning(changes: dict[str, Any], message: str) -> None:
    data = {**BASE, "search": {"strategy": "staged"}}
    assert RunConfig.model_validate(data).search.strategy == "staged"
    with pytest.raises(ValidationError, match=message):
        RunConfig.model_validate({**data, **changes})


def test_the_strategy_is_left_open_by_default() -> None:
    search = RunConfig.model_validate({**BASE, "finetune": {"epochs": 0}}).search
    assert (search.strategy, search.staged.budget, search.staged.trials) == ("auto", 0.5, 0.5)


def test_a_config_cannot_be_changed() -> None:
    config = RunConfig.model_validate(BASE)
    with pytest.raises(ValidationError, match="frozen"):
        config.search.trials = 3  # type: ignore[misc]


@pytest.mark.parametrize("name", ["accuracy", "loss", "AUC"])
def test_a_metric_may_be_a_name_alone(name: str) -> None:
    metric = build("search.metric", name).search.metric
    assert metric == build("search.metric", {"name": name}).search.metric
    assert metric.model_dump() == name


def test_a_metric_may_be_a_section() -> None:
    section = {"name": "F1Score", "options": {"average": "macro"}, "labels": "one_hot", "direction": "maximize"}
    assert build("search.metric", section).search.metric.model_dump() == section
    for wrong in ({"direction": "up"}, {"labels": "names"}, {"option": {}}, {"name": ""}, {"options": [1]}):
        with pytest.raises(ValidationError):
            build("search.metric", {**section, **wrong})


def test_a_front_trades_a_quantity_that_the_budget_limits() -> None:
    front = build("front", {"widest": "60%"}).front
    assert front is not None
    assert (front.quantity, front.widest, front.levels) == ("flops", "60%", 4)
    assert RunConfig.model_validate(BASE).front is None
    for wrong in ({}, {"widest": ""}, {"widest": 0.5, "levels": 1}, {"widest": 0.5, "quantity": "watts"}):
        with pytest.raises(ValidationError):
            build("front", wrong)
    with pytest.raises(
        ValidationError, match=r"that the budget limits, received params; add budget\.params, the tight"
    ):
        build("front", {"widest": 0.5, "quantity": "params"})
    with pytest.raises(ValidationError, match=r"expected search\.projection true, .* received false; change one"):
        RunConfig.model_validate({**BASE, "front": {"widest": 0.5}, "search": {"projection": False, "sampler": "tpe"}})


def test_every_level_of_a_front_gets_a_trial() -> None:
    RunConfig.model_validate({**BASE, "front": {"widest": 0.5, "levels": 5}, "search": {"trials": 5}})
    with pytest.raises(ValidationError, match=r"as many levels as search\.trials = 4, received 5, of which some would"):
        RunConfig.model_validate({**BASE, "front": {"widest": 0.5, "levels": 5}, "search": {"trials": 4}})


def test_another_run_can_only_be_reused_with_projection() -> None:
    assert build("search.reuse", "runs/other").search.reuse == "runs/other"
    with pytest.raises(ValidationError, match=r"reuse: expected projection true, .* received false; change one"):
        build("search", {"reuse": "runs/other", "projection": False})
    with pytest.raises(ValidationError):
        build("search.reuse", "")
