"""The channel graph that a search keeps in the run folder, so that commands that only read need no Keras."""

import subprocess
import sys

import pytest

from compress.errors import RunError
from compress.graph import graph_file
from compress.graph.analysis import analyse
from compress.model_files import files
from compress.parameter_files.files import write_parameters
from search.runs import original_graph as module
from search.runs.original_graph import keep_graph, original_graph
from search.runs.outcome import find_run
from search.runs.run_folder import RunFolder
from search.study.identity import keep_image_size, tie_to_model
from search.study.storage import open_study
from tests.search.fixtures.nets import model
from tests.search.fixtures.runs import ROOT, config

WITHOUT_KERAS = """
import sys
sys.modules.update(dict.fromkeys(("tensorflow", "keras"), None))
from search.cli.app import main
main()
"""


def written(graph):
    return graph_file.dumps(graph)


@pytest.fixture
def searched(home):
    """The folder of a run, its configuration and its study, which is tied to the tiny model."""
    given = config(home)
    folder = RunFolder.of(given)
    with folder.opened(given):
        study = open_study(folder.path, given.name, "journal")
        tie_to_model(study, model("tiny"))
        yield folder, given, study


@pytest.fixture
def loads(monkeypatch):
    """The paths of the model files that were loaded."""
    paths, load = [], files.load_model
    monkeypatch.setattr(files, "load_model", lambda path, *given: (paths.append(path), load(path, *given))[1])
    return paths


@pytest.fixture
def kept(searched):
    """The folder, configuration and study of a run whose search has kept the graph."""
    keep_graph(analyse(model("tiny")), *searched)
    return searched


def test_a_kept_graph_is_read(kept, loads):
    assert written(original_graph(*kept)) == written(analyse(model("tiny")))
    assert loads == []


def test_without_a_kept_graph_the_model_is_analysed_and_nothing_written(searched, loads):
    assert written(original_graph(*searched)) == written(analyse(model("tiny")))
    assert len(loads) == 1 and not searched[0].graph.exists()


def test_what_a_graph_follows_from_makes_another(kept, loads):
    folder, given, study = kept
    across = given.model_copy(update={"pruning": given.pruning.model_copy(update={"across_normalization": True})})
    assert original_graph(folder, across, study).across_normalization
    assert not original_graph(folder, given, study).across_normalization
    assert len(loads) == 1
    keep_image_size(study, (8, 8))
    original_graph(folder, given, study)
    assert len(loads) == 2


def test_a_graph_of_another_version_is_not_read(kept, loads, tmp_path, monkeypatch):
    (tmp_path / "other.py").write_text("")
    monkeypatch.setattr(module.compress, "__path__", [str(tmp_path)])
    original_graph(*kept)
    assert len(loads) == 1
    keep_graph(analyse(model("tiny")), *kept)
    original_graph(*kept)
    assert len(loads) == 1


@pytest.mark.parametrize("damage", [b"", b"{}\n{}", b"\xff\xfe", b"[1]\n[]", None])
def test_a_damaged_file_is_not_read(kept, loads, damage):
    file = kept[0].graph
    whole = file.read_bytes()
    file.write_bytes(whole[:-20] if damage is None else damage)
    assert written(original_graph(*kept)) == written(analyse(model("tiny")))
    assert len(loads) == 1
    keep_graph(analyse(model("tiny")), *kept)
    assert file.read_bytes() == whole


def test_another_model_in_the_file_is_refused(kept):
    model("chain").save(kept[1].model.path)
    with pytest.raises(RunError, match="was started with another model"):
        original_graph(*kept)


def test_classes_of_the_users_own_are_analysed_every_time(searched, loads):
    folder, given, study = searched
    own = given.model_copy(update={"model": given.model.model_copy(update={"custom_objects": "string"})})
    keep_graph(analyse(model("tiny")), folder, own, study)
    original_graph(folder, own, study)
    assert len(loads) == 1 and not folder.graph.exists()


def test_export_and_report_need_no_keras(run, tmp_path):
    exported, expected = tmp_path / "exported", tmp_path / "expected"
    for words in (["export", str(run.folder), "--out", str(exported)], ["report", str(run.folder)]):
        subprocess.run([sys.executable, "-c", WITHOUT_KERAS, *words], cwd=ROOT, check=True, capture_output=True)
    write_parameters(find_run(run.folder).winner.parameters, expected, analyse(model("tiny")), config(run.home).recipe)
    assert [path.name for path in sorted(exported.iterdir())] == [path.name for path in sorted(expected.iterdir())]
    assert all(path.read_text() == (expected / path.name).read_text() for path in exported.iterdir())
    page = (run.folder / "report.html").read_text()
    assert "FLOPs of the layers" in page and "Costs of the layers" not in page
