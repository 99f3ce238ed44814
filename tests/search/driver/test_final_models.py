"""Kept models of finalists: only those that are whole, and made as asked for, are given out."""

from dataclasses import replace

import pytest

from compress.errors import RunError
from compress.parameters import CompressionParameters
from search.driver.final_models import FinalModels
from search.study.identity import Origin

HALF = CompressionParameters({"add": 0.5, "conv1": 0.0}, {"conv2": (3, 4)})
ORIGIN = Origin("model", {"pixels": "data"})
TUNING = "10 epochs"


def anything(model):
    return True


@pytest.fixture
def models(tmp_path):
    made = FinalModels(tmp_path / "run" / "finalists")
    made.keep("trial 17", HALF, TUNING, ORIGIN, b"weights")
    return made


def test_what_was_kept_is_given_out(models):
    kept = models.kept(ORIGIN, TUNING, anything)
    assert (kept.source, kept.parameters, kept.tuning, kept.origin) == ("trial 17", HALF, TUNING, ORIGIN)
    assert kept.path == models.folder / "trial-17.keras"
    assert kept.path.read_bytes() == b"weights"


@pytest.mark.parametrize(
    "origin",
    [
        Origin("another", ORIGIN.data),
        Origin(None, ORIGIN.data),
        Origin("model", {"pixels": "others"}),
        Origin("model", {"files": "data"}),
        Origin("model", {}),
        Origin("model", {"pixels": "data", "files": "others"}),
    ],
)
def test_a_model_of_another_origin_or_of_an_unknown_one_is_not(models, origin):
    also_files = replace(ORIGIN, data={**ORIGIN.data, "files": "same"})
    models.keep("trial 17", HALF, TUNING, also_files, b"weights")
    assert models.kept(origin, TUNING, anything) is None


def test_a_model_of_another_tuning_or_that_nobody_wants_is_not(models):
    assert models.kept(ORIGIN, "2 epochs", anything) is None
    assert models.kept(ORIGIN, TUNING, lambda model: model.source == "trial 1") is None


@pytest.mark.parametrize("damage", [lambda path: path.unlink(), lambda path: path.write_bytes(b"weight")])
def test_a_model_that_is_not_whole_is_not(models, damage):
    """As a kill between model and note leaves it, too: the note is of the model before."""
    damage(models.folder / "trial-17.keras")
    assert models.kept(ORIGIN, TUNING, anything) is None


def test_a_model_is_replaced_and_forgotten(models):
    models.keep("trial 17", HALF, "2 epochs", ORIGIN, b"other weights")
    assert models.kept(ORIGIN, TUNING, anything) is None
    assert models.kept(ORIGIN, "2 epochs", anything).path.read_bytes() == b"other weights"
    models.forget("trial 17")
    models.forget("trial 17")
    assert list(models.folder.iterdir()) == []


@pytest.mark.parametrize("text", ["", "[]", "{}", '{"parameters": 3}'])
def test_a_note_that_cannot_be_read_is_named(models, text):
    (models.folder / "trial-17.json").write_text(text)
    with pytest.raises(RunError, match="trial-17.json' cannot be read .*; delete it"):
        models.kept(ORIGIN, TUNING, anything)


def test_a_folder_that_cannot_be_written_is_named(tmp_path):
    (tmp_path / "finalists").write_text("a file")
    with pytest.raises(RunError, match="finalists' cannot be written"):
        FinalModels(tmp_path / "finalists").keep("trial 17", HALF, TUNING, ORIGIN, b"")
