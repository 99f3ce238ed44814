"""The benchmark of images in files: its crops, both pipelines, and its summary."""

import numpy as np
import pytest
from PIL import Image

from scripts.bench.zoo import streaming
from scripts.bench.zoo.crops import write_crops
from scripts.bench.zoo.streaming import Pace, bare_pipeline, peak_mb, summary
from zoo.data.load import load_dataset


def test_both_pipelines_give_the_same_images(tmp_path, monkeypatch):
    photos, folder = tmp_path / "photos", tmp_path / "crops"
    photos.mkdir()
    for number in range(3):
        Image.fromarray(np.random.default_rng(number).integers(0, 256, (9, 12, 3), np.uint8)).save(
            photos / f"{number}.png"
        )
    write_crops(photos, folder, 200, 8)
    again = tmp_path / "again"
    write_crops(photos, again, 200, 8)
    files = sorted(path.relative_to(folder) for path in folder.rglob("*.jpg"))
    assert len(files) == 200 and all((folder / path).read_bytes() == (again / path).read_bytes() for path in files)
    data = load_dataset(str(folder), in_memory=streaming.IN_MEMORY)
    monkeypatch.setattr(streaming, "BATCH", 4)
    order = np.array([3, 0, 2, 1])
    images, labels = next(iter(bare_pipeline(data.train, order, data.normalization)))
    expected, targets = data.train.at(order)
    assert labels.numpy().tolist() == targets.tolist()
    # TensorFlow's decoder rounds in another way.
    assert np.abs(images.numpy() - data.normalization(expected)).mean() < 0.05
    assert streaming.model(8, 10).output_shape == (None, 10)


def test_the_ratio_is_of_parts_that_followed_each_other():
    results = summary([Pace(1, 3), Pace(2, 3), Pace(10, 4)], [Pace(2, 1), Pace(2, 1), Pace(10, 1)])
    assert (results["images_per_second"], results["bare_images_per_second"], results["ratio"]) == (500, 500, 1)
    assert (results["processor_ms_per_image"], results["bare_processor_ms_per_image"]) == (3, 1)


def test_the_peak_is_of_this_process():
    before = peak_mb()
    held = np.ones(30_000_000)
    assert peak_mb() >= before > 10 and peak_mb() - before < 1000 and held.size


def test_without_photos_there_is_nothing_to_cut(tmp_path):
    with pytest.raises(SystemExit, match="expected photos below"):
        write_crops(tmp_path, tmp_path / "crops", 1, 8)
