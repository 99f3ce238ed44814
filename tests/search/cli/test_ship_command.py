"""The command ``tuckprune ship``, and ``compress --format``: what they print, write and refuse."""

import json
import subprocess

import keras
import pytest
import typer

from compress.errors import ConfigError, DataError, ModelError
from search.cli.commands.ship import ALL, FORMATS, chosen_formats
from search.environment import ONEDNN
from search.pipeline.formats.format import formats
from search.pipeline.shipment import check_installed, ship
from search.workers.onednn import OFF, ON
from tests.compress.fixtures import models
from tests.search.fixtures.nets import tiny
from tests.search.fixtures.runs import called, config, refused, unwrapped, written

NAMES = ("keras", "h5", "savedmodel", "tflite", "tflite-int8", "onnx")


def test_all_means_every_format_once():
    assert FORMATS == tuple(formats()) == NAMES
    assert chosen_formats([ALL]) == list(NAMES)
    assert chosen_formats(["onnx", "keras", "onnx"]) == ["keras", "onnx"]
    assert chosen_formats(None) == []
    with pytest.raises(typer.BadParameter, match=r"^expected formats out of keras, h5, .*, all, received 'h6'$"):
        chosen_formats(["h6"])


def test_a_package_that_is_missing_is_named_before_anything_is_done(monkeypatch, home):
    monkeypatch.setattr("search.pipeline.formats.format.find_spec", lambda name: None if name == "tf2onnx" else name)
    check_installed(["keras", "tflite"])
    with pytest.raises(ConfigError, match=r"^format onnx needs tf2onnx, .*pip install 'tuckprune\[ship\]', or leave"):
        ship(home / "tiny.keras", config(home), ["keras", "onnx"])
    assert not (home / "runs").exists()


def test_models_of_several_ends_are_refused(home):
    models.several_ends().save(home / "ends.keras")
    with pytest.raises(ModelError, match="expected one input, of images, and one output .*received inputs .*, .*and"):
        ship(home / "ends.keras", config(home), ["keras"])
    models.residual().save(home / "other.keras")
    with pytest.raises(DataError, match=r"expected images of the model's input shape \(8, 8, 3\), received \(8, 8, 1"):
        ship(home / "other.keras", config(home), ["keras"])
    assert not (home / "runs").exists()


def test_the_command_prints_and_writes_the_table(home):
    command = [
        "ship",
        home / "tiny.keras",
        "--config",
        written(home),
        "--format",
        "keras",
        "--format",
        "tflite",
        "--json",
    ]
    ended = called(*command, cwd=home)
    assert ended.returncode == 0, ended.stderr
    rows = json.loads(ended.stdout)
    assert [(row["format"], row["file"], row["agreement"]) for row in rows] == [
        ("keras", "exports/tiny.keras", 1.0),
        ("tflite", "exports/tiny.tflite", 1.0),
    ]
    folder = home / "runs" / "run"
    assert json.loads((folder / "exports.json").read_text()) == rows
    assert [row["bytes"] for row in rows] == [(folder / row["file"]).stat().st_size for row in rows]
    lines = [unwrapped(line) for line in ended.stderr.splitlines()]
    assert f"{home / 'tiny.keras'}: compared on 200 test images" in lines
    for row in rows:
        cells = (
            f"{row['file']} {row['bytes'] / 1e6:.3f} MB 100.00 % {row['max_difference']:.1e} {row['latency_ms']:.3f} ms"
        )
        assert f"{row['format']} {cells}" in lines


def test_a_failing_format_is_exit_code_1(tuckprune, home, monkeypatch):
    monkeypatch.setattr("search.cli.commands.ship.import_tensorflow", lambda threads: None)
    model = tiny()
    x = keras.ops.log(keras.ops.exp(model.output))
    keras.Model(model.input, x, name="odd").save(home / "odd.keras")
    code, out, err = tuckprune("ship", home / "odd.keras", "--config", written(home), "--format", "h5")
    assert code == 1
    assert last_line(err).startswith("error: format h5 cannot be made of model 'odd': ")


def last_line(err):
    """The last line that was printed."""
    return err.strip().splitlines()[-1]


def test_compress_ships_what_it_made_in_a_process_of_its_own(tuckprune, home, monkeypatch):
    started = []

    def run(command, check, stdout, env):
        assert stdout is None and env[ONEDNN] == OFF
        started.append(command)
        return subprocess.CompletedProcess(command, 1)

    monkeypatch.setattr("search.cli.commands.ship.subprocess.run", run)
    monkeypatch.setenv(ONEDNN, ON)  # as `compress` sets it for itself
    (home / "own.txt").write_text("'add' : 0.5\n")
    path = written(home, recipe=["prune"], space={"ranks": False})
    code, out, err = tuckprune(
        *("compress", home / "tiny.keras", "--params", home / "own.txt", "--config", path),
        *("--format", "tflite", "--format", "onnx", "--set", "data.test_limit=150"),
    )
    made = home / "runs" / "run" / "search.keras"
    assert made.is_file() and code == 1
    words = ["ship", str(made), "--config", str(path), "--format", "tflite", "--format", "onnx"]
    assert [command[4:] for command in started] == [[*words, "--set", "data.test_limit=150"]]


def test_compress_without_images_ships_nothing(tuckprune, home):
    code, out, err = tuckprune(
        *("compress", home / "tiny.keras", "--params", home / "own.txt", "--out", home / "s.keras"),
        *("--format", "tflite"),
    )
    assert code == 2 and "--format needs --config" in unwrapped(err)


def test_refusals_write_nothing(tuckprune, home, monkeypatch):
    monkeypatch.setattr("search.cli.commands.ship.import_tensorflow", lambda threads: None)
    line = refused(tuckprune, home, "ship", home / "no.keras", "--config", written(home), "--format", "all")
    assert "no.keras" in line
