"""The table of the benchmark of tasks, of figures that are written by hand."""

import json
from pathlib import Path

import numpy as np
import pytest

from scripts.bench.search import drawn_tasks
from scripts.bench.search.tasks import SETTINGS, summary


def kept(work: Path, method: str, seed: int, psnr: float, flops: int | None, seconds: int) -> None:
    record = {"figures": {"PSNR": psnr}, "flops": flops, "params": 9, "seconds": seconds}
    (work / "tuned").mkdir(exist_ok=True)
    (work / "tuned" / f"super-resolution-prune-35 {method} {seed}.json").write_text(json.dumps(record))


def test_means_over_seeds_and_the_time_of_the_search(tmp_path):
    kept(tmp_path, "original", 0, 32.0, 200, 0)
    kept(tmp_path, "bicubic", 0, 29.0, None, 0)
    for seed, psnr in enumerate((30.0, 31.0, 32.0)):
        kept(tmp_path, "search", seed, psnr, 70, 100 + seed)
    (tmp_path / "values").mkdir()
    (tmp_path / "values" / "super-resolution-prune-35 search.json").write_text(json.dumps({"seconds": 600}))
    original, bicubic, search = summary(tmp_path)
    assert (original["method"], original["value_mean"], original["flops_fraction"]) == ("original", 32.0, 1.0)
    assert (bicubic["method"], bicubic["flops_fraction"], bicubic["seeds"]) == ("bicubic", None, 1)
    assert search == {
        "task": "super-resolution",
        "model": "photos_sr",
        "setting": "prune 35 %",
        "method": "search",
        "metric": "PSNR",
        "value_mean": 31.0,
        "value_std": 1.0,
        "flops_fraction": 0.35,
        "params": 9,
        "seconds": 701,
        "seeds": 3,
    }


def test_settings_have_names_of_their_own():
    assert len({setting.key for setting in SETTINGS}) == len(SETTINGS)


@pytest.mark.parametrize("name", drawn_tasks.DRAWN)
def test_drawn_images_have_their_targets(name, monkeypatch):
    monkeypatch.setattr(drawn_tasks, "COUNT", 6)
    monkeypatch.setattr(drawn_tasks, "TESTS", 3)
    (images, targets), (others, _) = getattr(drawn_tasks, name)()
    assert (images.shape, targets.shape, others.shape) == ((6, 32, 32, 1), (6, 3), (3, 32, 32, 1))
    if name == "multilabel":
        assert set(np.unique(targets)) <= {0.0, 1.0}
        return
    # The brightest pixels are around the disc's middle.
    for image, (row, column, _) in zip(images[..., 0].astype(float), targets, strict=True):
        around = image[int(32 * row) - 1 : int(32 * row) + 3, int(32 * column) - 1 : int(32 * column) + 3]
        assert around.mean() > image.mean()
