"""The pages `own-model`, `widen` and `detector` from the first line to the last, and what they leave behind."""

import re
import shlex
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import keras
import pytest
import yaml

from compress.graph.analysis import analyse
from compress.parameter_files.json_format import loads
from compress.parameters import CompressionParameters
from objectives.cost.cost_model import CostModel
from search.cli.app import main
from search.runs.points import RunPoints
from search.runs.results import read_results
from search.study.trial_record import records
from tests.snippets import TINY, command_lines, merged, snippets, write_tiny

OWN_MODEL, WIDEN, DETECTOR = (f"docs/examples/{name}.md" for name in ("own-model", "widen", "detector"))
TRIALS, MORE = 2, 3

Shell = Callable[[list[str]], str]


@pytest.fixture
def shell(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> Shell:
    """Runs a command in this process and an empty folder; what it printed."""
    monkeypatch.chdir(tmp_path)

    def run(words: list[str]) -> str:
        monkeypatch.setattr(sys, "argv", words)
        capsys.readouterr()
        with pytest.raises(SystemExit) as ended:
            main()
        out, err = capsys.readouterr()
        assert not ended.value.code, f"{shlex.join(words)}: {err}"
        return out

    return run


def flops(path: Path) -> int:
    """Of a saved model."""
    return CostModel(analyse(keras.models.load_model(path))).cost(CompressionParameters.none()).flops


def test_the_pages_from_the_first_line_to_the_last(shell: Shell, tmp_path: Path, local_pool: None) -> None:
    keras.utils.set_random_seed(0)
    names: dict[str, object] = {"__name__": "page"}
    for result in snippets("python", OWN_MODEL):
        exec(compile(result.text.replace('"train": 300', '"train": 100'), OWN_MODEL, "exec"), names)
    (configuration,) = snippets("yaml", OWN_MODEL)
    write_tiny(configuration.text, tmp_path / "configs" / "mine.yaml", recipe=["prune"], space={"ranks": False})
    said = {}
    for result in [*snippets("sh", OWN_MODEL), *snippets("sh", WIDEN)]:
        # Few trials, and no more levels than trials.
        text = result.text.replace("search.trials=40", f"search.trials={MORE}")
        for words in command_lines(text.replace("widest: 60%}", f"widest: 60%, levels: {TRIALS}}}")):
            said[words[1]] = shell(words)
    check_compressed(tmp_path)
    check_resumed(tmp_path)
    check_front(tmp_path, said["front"])


def check_compressed(folder: Path) -> None:
    whole = flops(folder / "models" / "mine.keras")
    original, simple, search = read_results(folder / "runs" / "mine" / "results")
    assert [row.label for row in (original, simple, search)] == ["original", "simple", "search"]
    assert original.flops == whole
    assert 0.2 * whole < simple.flops <= 0.3 * whole and 0.2 * whole < search.flops <= 0.3 * whole
    assert flops(folder / "runs" / "mine" / "search.keras") == search.flops
    assert 0.2 * whole < flops(folder / "models" / "smaller.keras") <= 0.3 * whole
    # What a model has learned, not chance: of three shapes a third would be right.
    assert original.figures["accuracy"] > 0.45


def check_resumed(folder: Path) -> None:
    trials = records(RunPoints.of(folder / "runs" / "mine").study)
    assert [trial.number for trial in trials] == list(range(MORE)) and TRIALS < MORE


def check_front(folder: Path, said: str) -> None:
    whole = flops(folder / "models" / "mine.keras")
    factors = [float(factor) for factor in re.findall(r"(\d+\.\d+)x", said)]
    assert factors == sorted(factors, reverse=True) and 1 / 0.3 <= factors[0] and factors[-1] >= 1 / 0.6
    starts = [trial.start or "" for trial in records(RunPoints.of(folder / "runs" / "wider").study)]
    assert starts[0].startswith("reuse trial ")
    values = loads((folder / "runs" / "wider" / "at-45" / "parameters.json").read_text(encoding="utf-8")).parameters
    graph = analyse(keras.models.load_model(folder / "models" / "mine.keras"))
    made = flops(folder / "models" / "at-45.keras")
    assert made == CostModel(graph).cost(values).flops <= 0.45 * whole


def test_a_detector_with_a_training_of_its_own(
    shell: Shell, tmp_path: Path, local_pool: None, monkeypatch: pytest.MonkeyPatch
) -> None:
    module, script = snippets("python", DETECTOR)
    (tmp_path / "my_detector.py").write_text(module.text)
    monkeypatch.syspath_prepend(tmp_path)
    names: dict[str, Any] = {"__name__": "page"}
    exec(compile(script.text.replace("epochs=15", "epochs=4"), DETECTOR, "exec"), names)
    (configuration,) = snippets("yaml", DETECTOR)
    tiny = {key: value for key, value in TINY.items() if key != "data"}
    written = merged(yaml.safe_load(configuration.text), tiny) | {"rungs": {"steps": [2]}}
    (tmp_path / "detector.yaml").write_text(yaml.safe_dump(written))
    for result in snippets("sh", DETECTOR):
        for words in command_lines(result.text):
            shell(words)
    run = tmp_path / "runs" / "detector"
    original, search = read_results(run / "results")
    assert 0.25 * flops(tmp_path / "detector.keras") < search.flops <= 0.35 * original.flops
    figures = names["detector"].evaluate(keras.models.load_model(run / "search.keras"), "test")
    assert search.figures["mAP"] == pytest.approx(figures["mAP"], abs=1e-3) and search.ranked_by == "mAP"
    assert "mAP" in (run / "report.html").read_text(encoding="utf-8")
    sys.modules.pop("my_detector")
