"""SavedModel folders of Keras 2."""

import shutil
from pathlib import Path

import keras
import pytest
from keras import layers

from compress.model_files.files import file_size
from tests.compress.model_files.keras2_edits import DATA, ERAS, refusal


def saved(tmp_path, era="tf2.8"):
    return Path(shutil.copytree(DATA / f"{era}-shared", tmp_path / "saved"))


def test_the_size_of_a_folder(tmp_path):
    folder = saved(tmp_path)
    assert file_size(folder) == sum(
        len(path.read_bytes())
        for path in (
            folder / "saved_model.pb",
            folder / "keras_metadata.pb",
            folder / "variables" / "variables.index",
            folder / "variables" / "variables.data-00000-of-00001",
        )
    )


def test_a_saved_model_without_architecture(tmp_path):
    folder = saved(tmp_path)
    (folder / "keras_metadata.pb").unlink()  # TensorFlow 2.8 stores it nowhere else.
    assert "it holds no architecture, only a TensorFlow graph" in refusal(folder)


def test_an_exported_model(tmp_path):
    model = keras.Sequential([keras.Input((3,)), layers.Dense(2)])
    model.export(tmp_path / "exported", verbose=False)
    assert "give the .keras or .h5 file that it was made from" in refusal(tmp_path / "exported")


@pytest.mark.parametrize("era", ERAS)
@pytest.mark.parametrize("file", ["saved_model.pb", "keras_metadata.pb", "variables/variables.index"])
def test_damaged_saved_models(tmp_path, era, file):
    folder = saved(tmp_path, era)
    if (folder / file).exists() and (era, file) != ("tf2.8", "saved_model.pb"):
        (folder / file).write_bytes(b"no model" * 20)
        refusal(folder)


def test_a_saved_model_without_weights(tmp_path):
    folder = saved(tmp_path)
    shutil.rmtree(folder / "variables")
    refusal(folder)
