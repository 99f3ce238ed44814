"""Data from a function of the user, `module:function`."""

from pathlib import Path

import numpy as np
import pytest

from compress.errors import DataError
from zoo.data.dataset import ImageDataset, Normalization
from zoo.data.load import load_dataset
from zoo.tasks.kinds.classification import Classification
from zoo.tasks.kinds.regression import Regression

_USER_MODULE = """
import numpy as np
from zoo.data.dataset import ImageDataset, Normalization, Split
from zoo.tasks.kinds.classification import Classification

images, labels = np.zeros((20, 4, 4), np.uint8), np.arange(20) % 2
images[labels == 1] = 255
others = np.random.default_rng(0).integers(0, 256, (20, 4, 4, 1), np.uint8)

def arrays():
    return (images, labels), (images[:4], labels[:4])

def whole():
    split = Split(images[..., None], labels.astype(np.int64))
    other = Split(others, split.targets)
    return ImageDataset("mine", split, other, split, Classification(2), Normalization(2.0, (0.0,), (1.0,)))

def overlapping():
    split = Split(others, labels.astype(np.int64))
    return ImageDataset("mine", split, split, split, Classification(2), Normalization(255.0, (0.5,), (0.5,)))

def without_a_class():
    one = Split(others, np.zeros(20, np.int64))
    train, norm = Split(images[..., None], labels), Normalization(255.0, (0.5,), (0.5,))
    return ImageDataset("mine", train, one, one, Classification(2), norm)

def ragged():
    return ([[1, 2], [3]], labels), (images, labels)

def nothing():
    return (None, None), (None, None)

def wrong():
    return images, labels, labels

def fails():
    raise RuntimeError("no\\ndisk")

number = 3
"""


@pytest.fixture
def user_module(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "my_pets.py").write_text(_USER_MODULE)
    (tmp_path / "my_broken.py").write_text("import no_such_package_at_all")
    monkeypatch.chdir(tmp_path)


@pytest.mark.usefixtures("user_module")
def test_a_user_s_function_is_found_in_the_working_directory() -> None:
    dataset = load_dataset("my_pets:arrays", validation=0.2)
    assert [len(part) for part in (dataset.train, dataset.validation, dataset.test)] == [16, 4, 4]
    np.testing.assert_array_equal(dataset.train.images[:, 0, 0, 0] == 255, dataset.train.targets == 1)
    # Half black, half white.
    assert dataset.normalization == Normalization(255.0, (0.5,), (0.5,))


@pytest.mark.usefixtures("user_module")
def test_a_user_s_data_set_keeps_its_own_splits() -> None:
    assert load_dataset("my_pets:whole", validation=0.2).normalization.scale == 2.0
    given = Normalization(255.0, (0.1,), (0.2,))
    dataset = load_dataset("my_pets:whole", normalization=given)
    assert isinstance(dataset, ImageDataset) and dataset.normalization == given and len(dataset.validation) == 20
    assert load_dataset("my_pets:whole", task=Classification()).task == Classification(2)
    with pytest.raises(DataError, match="of classes 3 from 'my_pets:whole', as task.options says, received 2"):
        load_dataset("my_pets:whole", task=Classification(3))
    with pytest.raises(DataError, match="expected an ImageDataset for regression from .*, received one for c"):
        load_dataset("my_pets:whole", task=Regression())


@pytest.mark.usefixtures("user_module")
@pytest.mark.parametrize(
    ("source", "message"),
    [
        ("my_absent:arrays", "'my_absent:arrays', received ModuleNotFoundError: No module named 'my_absent'"),
        ("my_broken:arrays", "No module named 'no_such_package_at_all'"),
        ("my_pets:array", "function 'array' in module 'my_pets', received None"),
        ("my_pets:number", "function 'number' in module 'my_pets', received 3"),
        ("my_pets:fails", "data from 'my_pets:fails', received RuntimeError: no disk"),
        ("my_pets:overlapping", "not trained on in data set 'mine', received 20 of 20 that are in the training split"),
        ("my_pets:without_a_class", "all 2 classes in the validation split of data set 'mine', received none of class"),
        ("my_pets:ragged", "expected an array as my_pets:ragged train images, received ValueError"),
        ("my_pets:nothing", "expected integer labels of shape .* my_pets:nothing train, received object"),
        ("my_pets:wrong", r"expected \(\(x_train, y_train\), .* from 'my_pets:wrong', received tuple"),
        (":arrays", "importable module in ':arrays'"),
    ],
)
def test_a_user_s_error_is_one_line(source: str, message: str) -> None:
    with pytest.raises(DataError, match=message):
        load_dataset(source)
