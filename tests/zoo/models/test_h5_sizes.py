"""Saved .h5 files are as large as the published ones (CIFAR-100, 32-bit weights, no optimizer)."""

import pytest

from compress.model_files.files import file_size, save_model
from compress.parameters import CompressionParameters
from compress.recipe import apply_parameters
from tests.compress.fixtures import published
from zoo.models.registry import build_model


@pytest.mark.parametrize(("name", "megabytes"), [("resnet50", 95.55), ("vgg19", 80.57), ("mobilenetv1", 13.59)])
def test_originals(tmp_path, name, megabytes):
    path = save_model(build_model(name), tmp_path / "model.h5")
    assert file_size(path) / 1e6 == pytest.approx(megabytes, rel=0.02)


def test_resnet50_pruned_and_decomposed(tmp_path):
    """NPTK-Search's published ratios and ranks: 2.17 M parameters, 9.54 MB."""
    smaller = apply_parameters(build_model("resnet50"), CompressionParameters(published.ratios(), published.ranks()))
    path = save_model(smaller, tmp_path / "model.h5")
    assert file_size(path) / 1e6 == pytest.approx(9.54, rel=0.02)
