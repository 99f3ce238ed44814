"""The command line: what it prints when all is well."""

import re

import pytest
from typer.testing import CliRunner

from compress.model_files.files import load_model
from search.cli.app import app
from search.runs.results import read_results
from tests.objectives.cost import synthetic_latency as synthetic
from tests.search.driver.interrupted_run import TRIALS
from tests.search.fixtures.nets import cost, space, tiny
from tests.search.fixtures.runs import written

COMMANDS = ("train", "inspect", "recommend", "search", "export", "compress", "ship", "report", "doctor", "init")


def test_help_teaches_every_command():
    runner = CliRunner()
    overview = runner.invoke(app, ["--help"])
    assert overview.exit_code == 0
    for command in COMMANDS:
        assert command in overview.output
        shown = runner.invoke(app, [command, "--help"])
        assert shown.exit_code == 0
        assert f"tuckprune {command}" in shown.output or f" {command} [OPTIONS]" in shown.output


def test_inspect_shows_what_can_be_compressed_and_what_it_costs(tuckprune, home):
    code, out, err = tuckprune("inspect", home / "tiny.keras")
    assert (code, err) == (0, "")
    rows = [re.sub(r"[^\w.,=*()' ]+", " ", line).split() for line in out.splitlines()]
    assert ["add", "16", "conv1,", "block.conv2"] in rows
    assert ["block.conv1", "16", "16"] in rows
    assert ["conv2", "16", "24"] in rows
    assert any(row[:2] == ["conv1", "decomposed"] and "of only 1 channels" in " ".join(row) for row in rows)
    assert any(row[:2] == ["linear", "pruned"] and "softmax" in row for row in rows)
    # conv1: 2 * 9 * 16 multiply-accumulates at 64 positions and 16 biases each; 9 * 16 + 16 parameters.
    # Alive there: 8 * 8 * 1 inputs and 8 * 8 * 16 outputs of 4 bytes.
    macs = 9 * 16 * 64
    assert ["conv1", "Conv2D", f"{2 * macs + 16 * 64:,}", f"{macs:,}", "160", f"{256 + 4096:,}"] in rows
    total = cost("tiny").cost(space("tiny").decode(space("tiny").row(dict.fromkeys(space("tiny").dimensions, 1.0))))
    # The residual branch needs its input, its output and what is added to it: 3 * 8 * 8 * 16 * 4 bytes.
    assert ["total", f"{total.flops:,}", f"{total.macs:,}", f"{total.params:,}", f"{3 * 4096:,}"] in rows


def test_inspect_shows_latency_where_it_is_asked_for(tuckprune, home, monkeypatch):
    monkeypatch.setattr("objectives.cost.latency_fit.measured_table", lambda *_, **__: synthetic.table("tiny"))
    code, out, err = tuckprune("inspect", home / "tiny.keras", "--latency")
    assert (code, err) == (0, "")
    rows = [re.sub(r"[^\w.,=*()' ]+", " ", line).split() for line in out.splitlines()]
    latencies = {row[0]: row[-1] for row in rows if row}
    conv1 = synthetic.SCALE * synthetic.of_layer(tiny().get_layer("conv1"))
    assert latencies["conv1"] == f"{conv1:,.1f}"
    assert latencies["total"] == f"{synthetic.microseconds(tiny()):,.1f}"
    runtimes = [row for row in rows if row[:1] in (["litert"], ["keras"])]
    assert len(runtimes) == 2 and all(float(figure) >= 0 for row in runtimes for figure in row[1:])


def test_compress_with_own_values_and_without_data(tuckprune, home):
    (home / "own.txt").write_text("'add' : 0.5\n'conv2' : [4, 6]\n")
    code, out, err = tuckprune("compress", home / "tiny.keras", "--params", home / "own.txt", "--out", home / "s.keras")
    assert (code, err) == (0, "")
    assert "not fine-tuned" in out
    made = load_model(home / "s.keras")
    assert made.get_layer("conv1").filters == 8
    assert [made.get_layer(f"conv2_tucker_{i}").filters for i in range(3)] == [4, 6, 24]


def test_compress_with_a_configuration_fills_the_table(tuckprune, home):
    config = written(home, finetune={"epochs": 1}, recipe=["prune"], space={"ranks": False})
    (home / "own.txt").write_text("'add' : 0.5\n")
    model = home / "tiny.keras"
    before = model.read_bytes()
    assert tuckprune("compress", model, "--recommend", "--config", config)[0] == 0
    code, out, err = tuckprune("compress", model, "--params", home / "own.txt", "--config", config)
    assert (code, err) == (0, "")
    assert "fine-tuning for 1 epoch\n" in out
    original, simple, search = read_results(home / "runs" / "run" / "results")
    assert [row.label for row in (original, simple, search)] == ["original", "simple", "search"]
    assert (original.flops, original.params, original.size) == (
        cost("tiny").cost(space("tiny").decode(space("tiny").row(dict.fromkeys(space("tiny").dimensions, 1.0)))).flops,
        tiny().count_params() - 64 - 32,
        pytest.approx(len(before), rel=0.01),
    )
    assert 0.45 * original.flops < simple.flops <= 0.5 * original.flops
    assert load_model(home / "runs" / "run" / "search.keras").get_layer("conv1").filters == 8
    assert model.read_bytes() == before


def test_train_keeps_a_model_that_is_there(tuckprune, home, small_zoo):
    config = written(
        home,
        model={"zoo": "digits_resnet"},
        data={"source": "digits", "train_limit": 64, "test_limit": 50},
    )
    trained = home / "runs" / "run" / "model.keras"
    code, out, err = tuckprune("train", config)
    assert (code, err) == (0, "")
    assert f"{trained}: test accuracy" in out
    content = trained.read_bytes()
    code, out, err = tuckprune("train", config)
    assert (code, err) == (0, "")
    assert f"{trained} is there already" in out
    assert trained.read_bytes() == content


def test_a_finished_search_says_so_again_and_reports(tuckprune, run):
    code, out, err = tuckprune("search", run.config)
    assert (code, err) == (0, "")
    assert re.search(
        rf"winner of {TRIALS} trials: (trial \d|recommended values), validation accuracy 0\.\d{{4}}, ", out
    )
    code, out, err = tuckprune("export", run.folder)
    assert (code, err) == (0, "")
    assert [line.rsplit("/")[-1] for line in out.splitlines()] == [
        "netspresso-FD_TK.json",
        "netspresso-PR_L2.json",
        "parameters.json",
        "pruning.txt",
        "ranks.txt",
    ]
    code, out, err = tuckprune("report", run.folder)
    assert (code, err) == (0, "")
    assert "report.html" in out


def test_an_interrupted_compression_says_what_is_kept(tuckprune, home, monkeypatch):
    def interrupted(*arguments, **options):
        raise KeyboardInterrupt

    monkeypatch.setattr("search.pipeline.compression.compress_own", interrupted)
    (home / "own.txt").write_text("'add' : 0.5\n")
    command = ("compress", home / "tiny.keras", "--params", home / "own.txt", "--config", written(home))
    code, out, err = tuckprune(*command)
    assert (code, err) == (130, "")
    assert out == "interrupted; finished epochs are kept. Resume with the same 'tuckprune compress' command\n"
