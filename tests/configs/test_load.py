"""Files, overrides, messages and the way back to YAML."""

import re
from pathlib import Path

import pytest
import yaml
from hypothesis import given
from hypothesis import strategies as st

from compress.errors import ConfigError
from configs.load import _parsed, check_config, difference, dump_config, load_config
from configs.schema.run import RunConfig

CONFIGS = Path(__file__).parents[2] / "configs"
TEXT = """\
name: run
model: {zoo: digits_resnet}
data: {source: digits}
budget: {flops: 4x}
"""


@pytest.fixture
def file(tmp_path: Path) -> Path:
    path = tmp_path / "run.yaml"
    path.write_text(TEXT)
    return path


def message(path: Path, *overrides: str) -> str:
    """The message that loading ends with: one line."""
    with pytest.raises(ConfigError) as caught:
        load_config(path, overrides)
    assert "\n" not in str(caught.value)
    return str(caught.value)


# name: zoo model or file, budget, recipe, ranks, Simple's ratio and calibration; as published.
SHIPPED = {
    "digits": ("digits_resnet", 0.25, ("prune", "decompose"), True, None, 0.0),
    "resnet20_cifar10": ("models/resnet20_cifar10.keras", "35%", ("prune",), False, None, 0.0),
    "clothing_mobilenet": ("models/clothing_mobilenet.keras", "50%", ("prune",), False, None, 0.0),
    "photos_sr": ("edsr", "35%", ("prune",), False, None, 0.0),
    "camvid_unet": ("unet", "35%", ("prune",), False, None, 0.0),
    "resnet50_cifar100": ("resnet50", "224.70M", ("prune", "decompose"), True, 0.5, 0.2),
    "vgg19_cifar100": ("vgg19", "100.09M", ("decompose", "prune"), True, 0.4, 0.0),
    "mobilenetv1_cifar100": ("mobilenetv1", "17.90M", ("decompose", "prune"), True, 0.5, 0.0),
}


def test_every_shipped_file_is_known_here() -> None:
    assert {path.stem for path in CONFIGS.glob("*.yaml")} == set(SHIPPED)


@pytest.mark.parametrize("name", SHIPPED)
def test_a_shipped_file_says_what_its_study_needs(name: str) -> None:
    config = load_config(CONFIGS / f"{name}.yaml")
    model = config.model.zoo or config.model.path
    simple = (config.simple.ratio, config.simple.calibration)
    assert (model, config.budget.flops, config.recipe, config.space.ranks, *simple) == SHIPPED[name]
    assert config.name == name


@pytest.mark.parametrize("name", SHIPPED)
def test_a_shipped_file_is_headed_by_command_duration_and_result(name: str) -> None:
    head = (CONFIGS / f"{name}.yaml").read_text().split("\nname:")[0]
    assert all(f"\n# {word}:" in head for word in ("Command", "Duration", "Result"))


@pytest.mark.parametrize("name", SHIPPED)
def test_dump_and_load_give_an_equal_config(name: str, tmp_path: Path) -> None:
    config = load_config(CONFIGS / f"{name}.yaml")
    (tmp_path / "config.yaml").write_text(dump_config(config))
    assert load_config(tmp_path / "config.yaml") == config


NUMBER_LIKE = re.compile(r"[0-9]{1,3}(\.[0-9])?([eE][+-]?[0-9]{1,2}|:[0-9]{2})?|0x[0-9a-f]|on|null|2024-01-01", re.A)
"""Text that YAML takes for something else where it has no quotes."""


@given(
    flops=st.integers(1, 10**12) | st.floats(1e-6, 1) | st.sampled_from(["4x", "25%", "1e9", "null", "007", "é: #"]),
    source=st.text(min_size=1).filter(lambda text: text.isprintable()) | st.from_regex(NUMBER_LIKE, fullmatch=True),
    name=st.from_regex(NUMBER_LIKE, fullmatch=True) | st.just("run"),
    rate=st.floats(1e-9, 10),
    mean=st.lists(st.floats(-1, 1), min_size=1, max_size=4),
)
def test_any_config_survives_the_way_through_yaml(
    flops: float, source: str, name: str, rate: float, mean: list[float]
) -> None:
    data = {
        "name": name.replace(":", "-").replace("+", "-"),
        "model": {"path": source},
        "data": {"source": source, "scale": 255, "mean": mean, "std": [0.5] * len(mean)},
        "training": {"learning_rate": rate, "augment": {"padding": 2}},
        "budget": {"flops": flops},
    }
    config = check_config(data, "test")
    again = check_config(_parsed(dump_config(config)), "test")
    assert again == config
    assert difference(config, again) == []


def test_overrides_reach_nested_keys_and_are_read_as_yaml(file: Path) -> None:
    overrides = ["search.trials=10", "search.workers=2", "training.augment.flip=false", "data.image_size=[8, 9]"]
    config = load_config(file, [*overrides, "proxy.learning_rate=1e-3", "budget.flops=25%", "search.address=null"])
    assert config.search.trials == 10
    assert config.search.workers == 2
    assert config.training.augment is not None and config.training.augment.flip is False
    assert config.data.image_size == (8, 9)
    assert config.proxy.learning_rate == 0.001
    assert config.budget.flops == "25%"
    assert config.model.zoo == "digits_resnet"


@pytest.mark.parametrize("text", ["010", "+07", "1:30", "0_7", "1:30.5", "-00"])
def test_numbers_that_yaml_reads_by_another_base_are_refused(file: Path, text: str) -> None:
    """YAML 1.1 reads 010 as 8 and 1:30 as 90."""
    with pytest.raises(ConfigError) as error:
        load_config(file, [f"search.trials={text}"])
    assert f"received {text}, which could be two numbers: write it without" in str(error.value)
    file.write_text(f"name: {text}\n", encoding="utf-8")
    with pytest.raises(ConfigError, match="which could be two numbers"):
        load_config(file)


@pytest.mark.parametrize(
    ("text", "number"), [("0", 0), ("-0", 0), ("0x1f", 31), ("1_000", 1000), ("0.5", 0.5), ("00.5", 0.5), ("1e3", 1000)]
)
def test_other_numbers_are_read(text: str, number: float) -> None:
    assert _parsed(text) == number


@pytest.mark.parametrize(
    ("override", "expected"),
    [
        ("layer1.0.conv1.ratio=0.5", {"layer1.0.conv1": {"ratio": 0.5}}),
        ("layer1.*.rank_in=[2, 8]", {"layer1.*": {"rank_in": [2, 8]}}),
        ("layer1.0.conv1=keep", {"layer1.0.conv1": "keep"}),
        ("layer1.0.conv1={ratio: 0.5, rank: 0.3}", {"layer1.0.conv1": {"ratio": 0.5, "rank": 0.3}}),
        ("conv1.rank=4", {"conv1": {"rank": 4}}),
        ("ratio=keep", {"ratio": "keep"}),
    ],
)
def test_a_layer_s_name_may_hold_dots_in_an_override(file: Path, override: str, expected: dict[str, object]) -> None:
    config = load_config(file, [f"space.layers.{override}"])
    assert config.model_dump(mode="json")["space"]["layers"] == expected


def test_choices_of_one_layer_come_together(file: Path) -> None:
    keys = ("ratio=0.5", "rank_in=2", "rank_out=3")
    config = load_config(file, [f"space.layers.layer1.0.conv1.{key}" for key in keys])
    expected = {"layer1.0.conv1": {"ratio": 0.5, "rank_in": 2, "rank_out": 3}}
    assert config.model_dump(mode="json")["space"]["layers"] == expected


def test_a_misspelt_key_of_a_layer_is_named_with_those_that_there_are(file: Path) -> None:
    told = message(file, "space.layers.layer1.0.conv1.ratoi=0.5")
    assert told.endswith(
        "space.layers.layer1.0.conv1.ratoi: expected keep, or a section with one of ratio, rank, rank_in, rank_out, "
        "received 0.5"
    )


def test_the_last_of_two_overrides_wins(file: Path) -> None:
    assert load_config(file, ["seed=1", "seed=2"]).seed == 2


@pytest.mark.parametrize(
    ("override", "expected"),
    [
        ("search.trials", "override: expected KEY=VALUE such as search.trials=10, received 'search.trials'"),
        ("=3", "override: expected KEY=VALUE such as search.trials=10, received '=3'"),
        ("search..trials=3", "override: expected KEY=VALUE such as search.trials=10, received 'search..trials=3'"),
        ("name.x=3", "override 'name.x=3': expected name to be a section, received 'run'"),
    ],
)
def test_a_bad_override_is_named(file: Path, override: str, expected: str) -> None:
    assert message(file, override) == expected


def test_an_override_that_is_no_yaml_is_named(file: Path) -> None:
    assert message(file, "seed=[1").startswith("override 'seed=[1': expected a YAML value, received ")


@pytest.mark.parametrize(
    ("override", "expected"),
    [
        ("search.trails=3", "search.trails: unknown key, did you mean trials? expected one of trials, workers, "),
        ("serch.trials=3", "serch: unknown key, did you mean search? expected one of name, seed, model, "),
        ("training.augment.flips=1", "training.augment.flips: unknown key, did you mean flip? expected one of padding"),
        ("training.augment.layers=[{nam: RandomFlip}]", "training.augment.layers[0].name: expected a value, received "),
        (
            "training.augment.layers=[RandomFlip, 3]",
            "training.augment.layers[1]: expected a section of keys, received 3",
        ),
        ("training.schedule.option=3", "training.schedule.option: unknown key, did you mean options? expected one "),
        ("training.class_weights=all", "training.class_weights: expected 'balanced' or a list, received 'all'"),
        ("search.trials=0", "search.trials: expected at least 1, received 0"),
        ("search.trials=ten", "search.trials: expected an integer, received 'ten'"),
        ("search.workers=all", "search.workers: expected an integer or 'max', received 'all'"),
        ("simple.calibration=-2", "simple.calibration: expected at least -1, received -2"),
        ("space.ratio_max=1", "space.ratio_max: expected below 1, received 1"),
        ("proxy.learning_rate=.nan", "proxy.learning_rate: expected a finite number, received nan"),
        ("data.image_size=[8, x]", "data.image_size[1]: expected an integer, received 'x'"),
        ("training=3", "training: expected a section of keys, received 3"),
        ("budget=null", "budget: expected a section of keys, received None"),
        ("budget={}", "budget: expected at least one of flops, params, size, memory, latency, received none of them"),
        ("budget.params=0", "budget.params: expected at least 1 or above 0 or text, received 0"),
        ("model.path=a.keras", "model: expected exactly one of zoo and path, received zoo='digits_resnet' and "),
        (
            "recipe=[prune]",
            "expected 'decompose' in recipe exactly when space.ranks is true, received recipe ['prune']",
        ),
        ("rungs.steps=[90, 90]", "rungs: expected steps that rise from rung to rung, received [90, 90]"),
        ("rungs.steps=[0]", "rungs.steps[0]: expected at least 1, received 0"),
        (
            "rungs.steps=[30, 90]",
            "expected rungs.steps to go on from the first rung, proxy.steps = 30, received [30, 90]; leave out what is",
        ),
        ('name="a\\nb"', "name: expected a folder name of 1 to 64 letters, digits, dots, dashes or underscores, "),
    ],
)
def test_a_problem_is_told_with_key_expected_and_received(file: Path, override: str, expected: str) -> None:
    assert message(file, override).startswith(f"{file} (with {override}): {expected}")


def test_all_problems_are_told_at_once(tmp_path: Path) -> None:
    path = tmp_path / "bad.yaml"
    path.write_text(TEXT + "seed: -1\nsearch: {trials: 0}\n")
    assert (
        message(path)
        == f"{path}: seed: expected at least 0, received -1; search.trials: expected at least 1, received 0"
    )


def test_an_empty_file_lacks_the_required_sections(tmp_path: Path) -> None:
    path = tmp_path / "empty.yaml"
    path.write_text("")
    nothing = "expected a value, received nothing"
    assert message(path) == f"{path}: name: {nothing}; model: {nothing}; data: {nothing}; budget: {nothing}"


def test_a_missing_file_is_named(tmp_path: Path) -> None:
    assert message(tmp_path / "no.yaml").startswith(f"{tmp_path / 'no.yaml'}: expected a readable YAML file, received ")


@pytest.mark.parametrize(
    ("content", "expected"),
    [
        (b"name: [a\nb: c\n", "expected valid YAML, received "),
        (b"- a\n- b\n", "expected sections such as 'model:' and 'data:', received ['a', 'b']"),
        (b"name: a\nname: b\n", "expected valid YAML, received the key 'name' twice at line 2, column 1"),
        (b"\xff\xfe\x00", "expected a readable YAML file, received "),
        (b"name: !!python/name:os.system x\n", "expected valid YAML, received could not determine a constructor "),
        (b"[a, b]: c\n", "expected valid YAML, received "),
        (b"a: " + b"[" * 60 + b"]" * 60, "expected valid YAML, received maps or lists nested more than 50 deep"),
        (b"a: &a {b: *a}\n", "expected valid YAML, received maps or lists nested more than 50 deep"),
    ],
)
def test_a_file_that_is_no_yaml_mapping_is_refused(tmp_path: Path, content: bytes, expected: str) -> None:
    path = tmp_path / "bad.yaml"
    path.write_bytes(content)
    assert message(path).startswith(f"{path}: {expected}")


def test_a_key_that_is_no_text_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "bad.yaml"
    path.write_text(TEXT + "search:\n  7: 1\n")
    assert message(path) == f"{path}: search.7: expected text as a key, received 7"


def test_differences_are_told_key_by_key(file: Path) -> None:
    a = load_config(file, ["search.trials=20"])
    b = load_config(file, ["search.trials=30", "budget.flops=0.25", "recipe=[decompose, prune]"])
    assert difference(a, a) == []
    assert difference(a, b) == [
        'budget.flops: "4x" -> 0.25',
        'recipe: ["prune", "decompose"] -> ["decompose", "prune"]',
        "search.trials: 20 -> 30",
    ]


def test_a_section_against_none_is_one_difference(file: Path) -> None:
    a, b = load_config(file), load_config(file, ["training.augment={padding: 2}", "finetune.augment=null"])
    assert difference(a, b) == ['training.augment: null -> {"padding": 2, "flip": true, "layers": []}']


def test_python_users_get_the_same_check() -> None:
    with pytest.raises(ConfigError, match="^my settings: name: expected a value, received nothing; "):
        check_config({}, "my settings")
    assert isinstance(check_config(yaml.safe_load(TEXT), "my settings"), RunConfig)
