import os
import stat
from pathlib import Path

import pytest

from compress import parameter_files
from compress.errors import ParameterError
from compress.parameter_files import read_parameters, write_parameters
from compress.parameters import CompressionParameters

PARAMETERS = CompressionParameters({"conv1": 0.7, "größe 层": 0.1}, {"conv1": (3, 4)})


def test_round_trip_by_either_form(tmp_path):
    pruning, ranks, both = write_parameters(PARAMETERS, tmp_path / "new" / "folder")
    assert [path.name for path in (pruning, ranks, both)] == ["pruning.txt", "ranks.txt", "parameters.json"]
    assert read_parameters([pruning]) == CompressionParameters(PARAMETERS.ratios, {})
    assert read_parameters([ranks]) == CompressionParameters({}, PARAMETERS.ranks)
    assert read_parameters([pruning, ranks]) == read_parameters([both]) == PARAMETERS
    assert read_parameters([pruning, ranks, both]) == PARAMETERS
    assert read_parameters([]).is_empty


def test_replaces_files_and_leaves_nothing_else(tmp_path):
    write_parameters(PARAMETERS, tmp_path)
    written = write_parameters(CompressionParameters.none(), tmp_path)
    assert read_parameters(written).is_empty
    assert sorted(path.name for path in tmp_path.iterdir()) == ["parameters.json", "pruning.txt", "ranks.txt"]


def test_files_are_as_readable_as_any_other(tmp_path):
    (tmp_path / "other").touch()
    [path, *_] = write_parameters(PARAMETERS, tmp_path)
    assert stat.S_IMODE(path.stat().st_mode) == stat.S_IMODE((tmp_path / "other").stat().st_mode)


def test_a_failed_write_keeps_the_old_files(tmp_path, monkeypatch):
    paths = write_parameters(PARAMETERS, tmp_path)

    def fail(source, target):
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(parameter_files.os, "replace", fail)
    with pytest.raises(ParameterError, match="No space left on device"):
        write_parameters(CompressionParameters.none(), tmp_path)
    assert read_parameters(paths) == PARAMETERS
    assert len(list(tmp_path.iterdir())) == 3


def test_folder_that_is_a_file(tmp_path):
    (tmp_path / "taken").write_text("mine")
    with pytest.raises(ParameterError, match="expected a writable folder for parameter files, received .*taken"):
        write_parameters(PARAMETERS, tmp_path / "taken")
    assert (tmp_path / "taken").read_text() == "mine"


def test_suffix_in_capitals_and_byte_order_mark(tmp_path):
    source = write_parameters(PARAMETERS, tmp_path)[2]
    os.replace(source, tmp_path / "P.JSON")
    (tmp_path / "noted").write_bytes(b"\xef\xbb\xbf'conv1' : 0.7\r\n")
    assert read_parameters([tmp_path / "P.JSON"]) == PARAMETERS
    assert read_parameters([tmp_path / "noted"]).ratios == {"conv1": 0.7}


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


def test_contradicting_files(tmp_path):
    [pruning, *_] = write_parameters(PARAMETERS, tmp_path)
    other = Path(tmp_path / "other.txt")
    other.write_text("'conv1' : 0.6\n")
    with pytest.raises(ParameterError, match=r"other.txt': 'conv1': expected one ratio, received 0.7 and 0.6"):
        read_parameters([pruning, other])
