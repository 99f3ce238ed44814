import json
import os
import stat
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from compress import parameter_files
from compress.cloning.rebuild import copy_layer, rebuild
from compress.decomposition.tucker import decompose
from compress.errors import ParameterError
from compress.graph.analysis import analyse
from compress.graph.model_channels import ModelChannels
from compress.parameter_files.files import read_parameters, write_parameters
from compress.parameters import DEFAULT_RECIPE, CompressionParameters
from tests.compress.fixtures import models

PARAMETERS = CompressionParameters({"add_1": 0.5, "größe 层": 0.1}, {"b0.conv2": (3, 4)})
FILES = ["netspresso-FD_TK.json", "netspresso-PR_L2.json", "parameters.json", "pruning.txt", "ranks.txt"]


@pytest.fixture(scope="module")
def graph():
    model = models.residual()
    return analyse(rebuild(model, lambda layer: [copy_layer(layer, name=layer.name.replace("b1.conv1", "größe 层"))]))


def read(*paths):
    return read_parameters(paths).parameters


def test_round_trip_by_every_format(tmp_path, graph):
    paths = write_parameters(PARAMETERS, tmp_path / "new" / "folder", graph)
    assert [path.name for path in paths] == FILES
    netspresso_ranks, netspresso_pruning, both, pruning, ranks = paths
    assert read(pruning) == read(netspresso_pruning) == CompressionParameters(PARAMETERS.ratios, {})
    assert read(ranks) == read(netspresso_ranks) == CompressionParameters({}, PARAMETERS.ranks)
    assert read(pruning, ranks) == read(both) == read(netspresso_pruning, netspresso_ranks) == PARAMETERS
    assert read(*paths) == PARAMETERS
    assert read() == CompressionParameters.none()


def test_only_tuckprunes_json_says_the_model(tmp_path, graph):
    paths = write_parameters(PARAMETERS, tmp_path, graph)
    told = [read_parameters([path]).made_for for path in paths]
    assert told == [None, None, ModelChannels.of(graph), None, None]
    assert read_parameters(paths).made_for == ModelChannels.of(graph)


def test_files_of_two_models_are_refused(tmp_path, graph):
    first = write_parameters(PARAMETERS, tmp_path / "first", graph)
    second = write_parameters(CompressionParameters.none(), tmp_path / "second", analyse(models.chain()))
    with pytest.raises(ParameterError, match=r"second.*expected parameters for one model, received another model's"):
        read_parameters([first[2], *second])


def test_netspresso_channels_are_those_that_the_stage_finds(tmp_path, graph):
    ranks, pruning, *_ = write_parameters(PARAMETERS, tmp_path, graph)
    entries = {entry["name"]: entry for entry in json.loads(ranks.read_text(encoding="utf-8"))["layers"]}
    assert entries["b0.conv2"] == {"name": "b0.conv2", "values": [3, 4], "use": True, "channels": [5, 4]}
    assert entries["b0.conv1"] == {"name": "b0.conv1", "values": [], "use": False, "channels": [8, 5]}
    assert json.loads(pruning.read_text(encoding="utf-8"))["layers"] == [
        {"name": "conv1", "values": [], "use": False, "channels": [8]},
        {"name": "b0.conv1", "values": [], "use": False, "channels": [5]},
        {"name": "größe 层", "values": [0.1], "use": True, "channels": [7]},
        {"name": "add_1", "values": [0.5], "use": True, "channels": [8]},
    ]


@pytest.mark.parametrize(("recipe", "ranks"), [(("prune",), {}), (DEFAULT_RECIPE, {"b1.conv2": (2, 3)})])
def test_ratios_of_a_decomposed_model_are_written_by_its_own_names(tmp_path, recipe, ranks):
    """They may be given by the names that its layers had before."""
    model = decompose(models.residual(), {"b0.conv1": (4, 4)})
    graph = analyse(model)
    given = CompressionParameters({"b1.conv1": 0.25, "b0.conv1": 0.5}, ranks)
    paths = write_parameters(given, tmp_path, graph, recipe)
    named = {"b1.conv1": 0.25, "b0.conv1_tucker_2": 0.5}
    assert read_parameters(paths).parameters == CompressionParameters(named, ranks)
    listed = json.loads((tmp_path / "netspresso-PR_L2.json").read_text(encoding="utf-8"))["layers"]
    assert [entry["name"] for entry in listed] == [group.name for group in graph.groups]
    assert {entry["name"]: entry["values"][0] for entry in listed if entry["use"]} == named


def test_replaces_files_and_leaves_nothing_else(tmp_path, graph):
    write_parameters(PARAMETERS, tmp_path, graph)
    other = CompressionParameters({"conv1": 0.25}, {"b0.conv2": (2, 2)})
    assert read(*write_parameters(other, tmp_path, graph)) == other
    assert sorted(path.name for path in tmp_path.iterdir()) == sorted(FILES)


def test_files_are_as_readable_as_any_other(tmp_path, graph):
    (tmp_path / "other").touch()
    [path, *_] = write_parameters(PARAMETERS, tmp_path, graph)
    assert stat.S_IMODE(path.stat().st_mode) == stat.S_IMODE((tmp_path / "other").stat().st_mode)


def test_a_failed_write_keeps_the_old_files(tmp_path, graph, monkeypatch):
    paths = write_parameters(PARAMETERS, tmp_path, graph)

    def fail(source, target):
        raise OSError(28, "No space left on device")

    monkeypatch.setattr("os.replace", fail)
    with pytest.raises(ParameterError, match="No space left on device"):
        write_parameters(CompressionParameters.none(), tmp_path, graph)
    assert read(*paths) == PARAMETERS
    assert len(list(tmp_path.iterdir())) == len(FILES)


@pytest.mark.parametrize(
    ("parameters", "left"),
    [
        (CompressionParameters(PARAMETERS.ratios, {}), [*FILES[1:4]]),
        (CompressionParameters({"conv1": 0.0}, PARAMETERS.ranks), [FILES[0], FILES[2], FILES[4]]),
        (CompressionParameters.none(), [FILES[2]]),
    ],
    ids=["ratios", "ranks", "nothing"],
)
def test_only_what_there_is_is_written(tmp_path, graph, parameters, left):
    """And what an earlier call has left of the rest goes: it belongs to other parameters."""
    (tmp_path / "mine.txt").write_text("mine")
    write_parameters(PARAMETERS, tmp_path, graph)
    paths = write_parameters(parameters, tmp_path, graph)
    assert [path.name for path in paths] == left
    assert sorted(path.name for path in tmp_path.iterdir()) == sorted([*left, "mine.txt"])
    assert all(path.read_text().strip() for path in paths)


def test_folder_that_is_a_file(tmp_path, graph):
    (tmp_path / "taken").write_text("mine")
    with pytest.raises(ParameterError, match="expected a writable folder for parameter files, received .*taken"):
        write_parameters(PARAMETERS, tmp_path / "taken", graph)
    assert (tmp_path / "taken").read_text() == "mine"


def test_suffix_in_capitals_and_byte_order_mark(tmp_path, graph):
    source = write_parameters(PARAMETERS, tmp_path, graph)[2]
    os.replace(source, tmp_path / "P.JSON")
    (tmp_path / "noted").write_bytes(b"\xef\xbb\xbf'conv1' : 0.7\r\n")
    assert read(tmp_path / "P.JSON") == PARAMETERS
    assert read(tmp_path / "noted").ratios == {"conv1": 0.7}


@pytest.mark.parametrize(
    ("content", "message"),
    [
        (None, "No such file or directory"),
        (b"\xff\xfe", "not UTF-8"),
        (b"'a' : 1.5", "line 1: 'a': expected a pruning ratio"),
    ],
)
def test_bad_file_is_named(tmp_path, content, message):
    path = tmp_path / "pruning.txt"
    if content is not None:
        path.write_bytes(content)
    with pytest.raises(ParameterError) as caught:
        read_parameters([path])
    assert str(path) in str(caught.value) and message in str(caught.value)
    assert "\n" not in str(caught.value)


def test_folder_instead_of_file(tmp_path):
    with pytest.raises(ParameterError, match="Is a directory"):
        read_parameters([tmp_path])


def test_contradicting_files(tmp_path, graph):
    pruning = write_parameters(PARAMETERS, tmp_path, graph)[3]
    other = Path(tmp_path / "other.txt")
    other.write_text("'add_1' : 0.6\n")
    with pytest.raises(ParameterError, match=r"other.txt': 'add_1': expected one ratio, received 0.5 and 0.6"):
        read_parameters([pruning, other])


json_values = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(),
    lambda inner: st.lists(inner) | st.dictionaries(st.text(), inner),
    max_leaves=8,
)
json_documents = st.fixed_dictionaries(
    {},
    optional={
        "format": st.sampled_from(["tuckprune", 1]) | json_values,
        "version": st.sampled_from([1, 2, True]) | json_values,
        "model": st.fixed_dictionaries({"groups": json_values, "layers": json_values}) | json_values,
        "ratios": json_values,
        "ranks": json_values,
        "compression_method": st.sampled_from(["PR_L2", "FD_TK"]) | json_values,
        "layers": json_values
        | st.lists(
            st.fixed_dictionaries(
                {"name": st.sampled_from(["a", "b"]), "values": st.lists(st.floats(0, 1) | st.integers(0, 9))},
                optional={"use": st.booleans() | json_values, "channels": st.lists(st.integers(0, 9)) | json_values},
            )
        ),
    },
)


@given(document=json_documents)
def test_json_is_read_or_rejected_in_one_line(tmp_path_factory, document):
    path = tmp_path_factory.getbasetemp() / "any.json"
    path.write_text(json.dumps(document), encoding="utf-8")
    try:
        read_parameters([path])
    except ParameterError as error:
        assert len(str(error).splitlines()) == 1


def test_a_format_is_one_file(tmp_path, graph, monkeypatch):
    (tmp_path / "csv_format.py").write_text(
        "from compress.parameter_files.format import FileFormat, ParameterFile, WrittenFile\n"
        "from compress.parameters import CompressionParameters\n"
        "def read(text):\n"
        "    pairs = [line.split(',') for line in text.splitlines()]\n"
        "    return ParameterFile(CompressionParameters({name: float(ratio) for name, ratio in pairs}, {}))\n"
        "def text(contents):\n"
        "    return ''.join(f'{name},{ratio}\\n' for name, ratio in contents.parameters.ratios.items())\n"
        "FORMAT = FileFormat('.csv', read, {'ratios.csv': WrittenFile('its ratios as a table', text)})\n"
    )
    monkeypatch.setattr(parameter_files, "__path__", [*parameter_files.__path__, str(tmp_path)])
    paths = write_parameters(PARAMETERS, tmp_path / "out", graph)
    assert [path.name for path in paths] == [*FILES[:4], "ranks.txt", "ratios.csv"]
    assert read(paths[-1]).ratios == PARAMETERS.ratios
    assert read(*paths) == PARAMETERS
