"""Saved .h5 files are as large as the published ones (CIFAR-100, 32-bit weights, no optimizer)."""

import pytest

from compress.model_files.files import file_size, save_model
from tests.zoo.originals import original


@pytest.mark.parametrize(("name", "megabytes"), [("resnet50", 95.55), ("vgg19", 80.57), ("mobilenetv1", 13.59)])
def test_originals(tmp_path, name, megabytes):
    path = save_model(original(name), tmp_path / "model.h5")
    assert file_size(path) / 1e6 == pytest.approx(megabytes, rel=0.02)
