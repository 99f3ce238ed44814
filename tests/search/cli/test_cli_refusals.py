"""The command line: one line for whatever is wrong, and nothing is written."""

import json
import re
import subprocess
import zipfile

import keras
import pytest

from compress.graph.model_channels import ModelChannels
from compress.model_files.files import load_model
from compress.parameter_files.json_format import dumps
from compress.parameters import CompressionParameters
from search.runs.run_folder import RunFolder
from search.space.space import SpaceSettings
from tests.search.fixtures.nets import cost, space
from tests.search.fixtures.runs import config, environment, refused, unwrapped, written
from tests.search.fixtures.runs import tuckprune as program

COMMANDS = ("train", "inspect", "recommend", "search", "export", "compress", "report")


@keras.saving.register_keras_serializable("tests.search")
class Subclassed(keras.Model):
    """No layer graph: what it does depends on its images."""

    def __init__(self, **kwargs):
        super().__init__(**kwargs)
        self.head = keras.layers.Dense(10)

    def call(self, inputs):
        outputs = self.head(keras.layers.Flatten()(inputs))
        return outputs if keras.ops.max(inputs) > 0 else -outputs


def test_a_missing_model(tuckprune, home):
    for arguments in (["inspect"], ["compress", "--params", home / "own.txt", "--out", home / "out.keras"]):
        (home / "own.txt").write_text("'add' : 0.5\n")
        line = refused(tuckprune, home, arguments[0], home / "no.keras", *arguments[1:])
        assert "expected a .keras or .h5 file" in line
        assert f"'{home / 'no.keras'}'" in line
    config = written(home, model={"path": str(home / "no.keras")})
    assert "no.keras" in refused(tuckprune, home, "search", config)
    assert "no.keras" in refused(tuckprune, home, "compress", home / "no.keras", "--recommend", "--config", config)


def test_a_model_that_was_not_trained_yet(tuckprune, home):
    config = written(home, model={"zoo": "digits_resnet"})
    assert "run 'tuckprune train' with this configuration first" in refused(tuckprune, home, "search", config)


@pytest.mark.parametrize("content", ["text", "zip", "cut", "empty"])
def test_a_corrupt_model(tuckprune, home, content):
    path = home / "tiny.keras"
    whole = path.read_bytes()
    path.write_bytes({"text": b"no model", "cut": whole[: len(whole) // 2], "empty": b"", "zip": b""}[content])
    if content == "zip":
        with zipfile.ZipFile(path, "w") as archive:
            archive.writestr("config.json", "{}")
    assert f"model file '{path}' cannot be read: " in refused(tuckprune, home, "inspect", path)
    assert "cannot be read" in refused(tuckprune, home, "search", written(home))


def test_a_subclassed_model(tuckprune, home):
    subclassed = Subclassed()
    subclassed(keras.ops.zeros((1, 8, 8, 1)))
    subclassed.save(home / "tiny.keras")
    for arguments in (["inspect", home / "tiny.keras"], ["search", written(home)]):
        assert "the subclassed Subclassed" in refused(tuckprune, home, *arguments)


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("'conv11' : 0.5", "unknown layer or group 'conv11'; nearest: '"),
        ("'ad' : 0.5", "unknown layer or group 'ad'; nearest: 'add'"),
        ("'conv1' : 0.5", "belongs to the group 'add'"),
        ("'block.convv1' : [3, 3]", "unknown convolution 'block.convv1'; nearest: 'block.conv1'"),
        ("'add' : 1.0", "[0, 1)"),
        ("'add' : -0.1", "[0, 1)"),
        ("'conv2' : [17, 3]", "In Rank of 'conv2': expected at most its 16 input channels, received 17"),
        ("'conv2' : [3, 25]", "Out Rank of 'conv2': expected at most its 24 output channels, received 25"),
        ("'add' : 0.5\n'conv2' : [9, 3]", "expected at most the 8 channels that pruning leaves, received 9"),
        ("# nothing", "expected a ratio above 0 or a rank pair, received none in '"),
        ("'add' : 0", "expected a ratio above 0 or a rank pair, received none in '"),
    ],
)
def test_bad_parameter_files(tuckprune, home, text, expected):
    (home / "own.txt").write_text(text + "\n")
    config = written(home)
    for rest in (["--out", home / "out.keras"], ["--config", config]):
        line = refused(tuckprune, home, "compress", home / "tiny.keras", "--params", home / "own.txt", *rest)
        assert expected in line


def test_a_model_without_a_fixed_image_size(tuckprune, home):
    inputs = keras.Input((None, None, 3))
    x = keras.layers.GlobalAveragePooling2D()(keras.layers.Conv2D(8, 3, name="conv1")(inputs))
    keras.Model(inputs, keras.layers.Dense(2, name="linear")(x)).save(home / "any.keras")
    (home / "own.txt").write_text("'conv1' : 0.5\n")
    code, out, err = tuckprune("inspect", home / "any.keras")
    assert code == 1 and "conv1" in out and "it is an output of the model" in out
    assert "--input-size 224 or 224x160" in err
    code, out, err = tuckprune("recommend", home / "any.keras", "--flops", "50%")
    assert code == 1 and "--input-size 224 or 224x160" in err
    assert "received '0x4'" in unwrapped(tuckprune("inspect", home / "any.keras", "--input-size", "0x4")[2])
    code, out, err = tuckprune("inspect", home / "any.keras", "--input-size", "2")
    assert code == 1 and "layer 'conv1' (Conv2D) cannot be called on an input of 2: " in err
    code, out, err = tuckprune("inspect", home / "any.keras", "--input-size", "5x4", "--json")
    # 3x3 of 3 channels into 8 and a bias at 3 x 2 positions; pooling; 8 to 2 and a bias.
    assert code == 0 and json.loads(out)["total"]["flops"] == (2 * 27 + 1) * 8 * 6 + 6 * 8 + (2 * 8 + 1) * 2
    # Values of one's own need no FLOPs, and so no size.
    arguments = ("compress", home / "any.keras", "--params", home / "own.txt", "--out")
    code, out, err = tuckprune(*arguments, home / "out.keras", "--json")
    assert code == 0 and json.loads(out)["flops"] is None and "FLOPs unknown without --input-size" in err
    assert load_model(home / "out.keras").input_shape == (None, None, None, 3)
    code, out, _ = tuckprune(*arguments, home / "sized.keras", "--input-size", "5x4", "--json")
    assert code == 0 and json.loads(out)["flops"] == (2 * 27 + 1) * 4 * 6 + 6 * 4 + (2 * 4 + 1) * 2


def test_parameters_of_another_model(tuckprune, home):
    here = ModelChannels.of(cost("tiny").graph)
    made_for = ModelChannels({**here.groups, "conv2": 32}, here.layers)
    own = home / "own.json"
    own.write_text(dumps(CompressionParameters({"add": 0.5}, {}), made_for))
    for rest in (["--out", home / "out.keras"], ["--config", written(home)]):
        line = refused(tuckprune, home, "compress", home / "tiny.keras", "--params", own, *rest)
        assert "received another one: group 'conv2' has 24 channels here, 32 channels in the file" in line


def test_a_missing_parameter_file(tuckprune, home):
    line = refused(
        tuckprune, home, "compress", home / "tiny.keras", "--params", home / "no.txt", "--out", home / "out.keras"
    )
    assert "no.txt" in line


@pytest.mark.parametrize("flops", [1000, "0.1%", "5000x"])
def test_an_impossible_budget_names_the_smallest(tuckprune, home, flops):
    line = refused(tuckprune, home, "search", written(home, budget={"flops": flops}))
    assert f"expected at least {space('tiny').smallest().flops} FLOPs, the smallest that this search space" in line


def test_the_smallest_flops_follow_the_space(tuckprune, home):
    config = written(home, budget={"flops": "5%"}, space={"ratio_max": 0.5, "rank_step": 0.5})
    smallest = space("tiny", settings=SpaceSettings(ratio_max=0.5, rank_step=0.5)).smallest().flops
    assert f"expected at least {smallest} FLOPs" in refused(tuckprune, home, "search", config)


def test_the_limit_that_cannot_be_met_is_named(tuckprune, home):
    line = refused(tuckprune, home, "search", written(home, budget={"flops": "50%", "params": "20"}))
    assert f"budget.params: expected at least {space('tiny').smallest().params} parameters, the smallest that" in line
    line = refused(tuckprune, home, "search", written(home, budget={}))
    assert "budget: expected at least one of flops, params, size, memory, latency, received none of them" in line


def test_a_budget_above_the_model(tuckprune, home):
    assert "nothing to compress" in refused(tuckprune, home, "search", written(home, budget={"flops": "9G"}))


@pytest.mark.parametrize("blocked", ["runs", "runs/run"])
def test_an_unwritable_run_folder(tuckprune, home, blocked):
    (home / blocked).parent.mkdir(exist_ok=True)
    (home / blocked).write_text("mine")
    (home / "own.txt").write_text("'add' : 0.5\n")
    config = written(home)
    for arguments in (
        ["search", config],
        ["compress", home / "tiny.keras", "--params", home / "own.txt", "--config", config],
    ):
        assert "cannot be written" in refused(tuckprune, home, *arguments)


@pytest.mark.parametrize("out", ["there.keras", "no.suffix", "there.keras/out.keras"])
def test_an_out_file_that_cannot_be(tuckprune, home, out):
    (home / "own.txt").write_text("'add' : 0.5\n")
    (home / "there.keras").write_text("mine")
    line = refused(tuckprune, home, "compress", home / "tiny.keras", "--params", home / "own.txt", "--out", home / out)
    assert str(home / out) in line


def test_a_run_folder_of_another_configuration(tuckprune, home):
    given = config(home)
    with RunFolder.of(given).opened(given):
        pass
    line = refused(tuckprune, home, "search", written(home, budget={"flops": 0.4}))
    assert "belongs to another configuration (budget.flops: 0.5 -> 0.4)" in line
    (home / "own.txt").write_text("'add' : 0.5\n")
    other = written(home, seed=5)
    line = refused(tuckprune, home, "compress", home / "tiny.keras", "--params", home / "own.txt", "--config", other)
    assert "(seed: 0 -> 5)" in line


@pytest.mark.parametrize(
    ("changes", "expected"),
    [
        ({"serach": {}}, "unknown key, did you mean search?"),
        ({"search": {"trails": 3}}, "search.trails: unknown key, did you mean trials?"),
        ({"search": {"trials": 0}}, "search.trials: expected at least 1, received 0"),
        ({"space": {"ratio_max": 1.0}}, "space.ratio_max: expected below 1, received 1.0"),
        ({"name": "../run"}, "name: expected a folder name"),
    ],
)
def test_bad_configurations(tuckprune, home, changes, expected):
    config = written(home, **changes)
    compress = ["compress", home / "tiny.keras", "--recommend", "--config", config]
    for arguments in (["search", config], ["train", config], compress):
        assert expected in refused(tuckprune, home, *arguments)


@pytest.mark.parametrize("key", ["memory_per_worker", "cpus_per_worker", "gpus_per_worker", "trial_timeout", "grace"])
def test_resources_beyond_any_machine(tuckprune, home, key):
    """No figure of the search is so large that a sum or a product with it breaks off."""
    line = refused(tuckprune, home, "search", written(home), "--set", f"search.{key}=1e308")
    assert f"search.{key}: expected at most 1e+0" in line and "received 1e+308" in line


def test_an_override_that_cannot_be(tuckprune, home):
    config = written(home)
    assert "unknown key" in refused(tuckprune, home, "search", config, "--set", "search.trails=3")
    assert "expected KEY=VALUE" in refused(tuckprune, home, "search", config, "--set", "search.trials")


def test_bad_zoo_models_and_data(tuckprune, home):
    assert "one of resnet20" in refused(tuckprune, home, "train", written(home, model={"zoo": "resnet21"}))
    for command, model in (("train", {"zoo": "digits_resnet"}), ("search", {"path": str(home / "tiny.keras")})):
        config = written(home, model=model, data={"source": "digit"})
        assert "did you mean digits?" in refused(tuckprune, home, command, config)
    assert "is already trained" in refused(tuckprune, home, "train", written(home))


@pytest.mark.parametrize("command", ["export", "report"])
def test_no_run(tuckprune, home, command):
    assert "is not a run folder" in refused(tuckprune, home, command, home / "runs" / "no")


def test_missing_and_broken_configurations(tuckprune, home):
    assert "no.yaml" in refused(tuckprune, home, "search", home / "no.yaml")
    (home / "bad.yaml").write_text("name: [")
    assert "expected valid YAML" in refused(tuckprune, home, "search", home / "bad.yaml")
    for deep in ("[" * 20_000 + "]" * 20_000, "".join(f"{' ' * depth}a:\n" for depth in range(3000))):
        (home / "bad.yaml").write_text(deep)
        assert "nest" in refused(tuckprune, home, "search", home / "bad.yaml")
    line = refused(tuckprune, home, "search", written(home), "--set", f"name={'[' * 2000}{']' * 2000}")
    assert "nest" in line and len(line) < 250
    (home / "bad.yaml").write_bytes(b"\xff\xfe\x00")
    assert "bad.yaml" in refused(tuckprune, home, "search", home / "bad.yaml")


@pytest.mark.parametrize(
    "arguments",
    [
        ["compress", "m.keras"],
        ["compress", "m.keras", "--recommend"],
        ["compress", "m.keras", "--recommend", "--params", "p.txt", "--config", "c.yaml"],
        ["compress", "m.keras", "--params", "p.txt"],
        ["compress", "m.keras", "--params", "p.txt", "--config", "c.yaml", "--out", "o.keras"],
        ["search"],
        ["unknown"],
    ],
)
def test_wrong_usage_is_exit_code_2(tuckprune, arguments):
    code, _, err = tuckprune(*arguments)
    assert code == 2
    assert "Traceback" not in err
    assert "tuckprune" in err


def test_a_process_of_its_own_prints_nothing_but_the_line(home):
    """Neither TensorFlow nor Ray adds to it."""
    command = program("inspect", home / "no.keras")
    ended = subprocess.run(command, cwd=home, env=environment(), capture_output=True, text=True, check=False)
    assert (ended.returncode, ended.stdout) == (1, "")
    assert re.fullmatch(r"error: expected a \.keras or \.h5 file, [^\n]+\n", ended.stderr)
