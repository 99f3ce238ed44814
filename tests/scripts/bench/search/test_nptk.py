"""The table of the benchmark of NPTK's models, of figures that are written by hand."""

import json
from pathlib import Path

import pytest

from scripts.bench.search.nptk import METHODS, Bench
from scripts.bench.search.tasks import ROOT


@pytest.fixture
def bench(tmp_path) -> Bench:
    config = ROOT / "configs" / "mobilenetv1_cifar100.yaml"
    return Bench(config, ("finetune.epochs=20",), tmp_path / "model.keras", tmp_path, "0.35M")


def kept(work: Path, name: str, epochs: int, seed: int, accuracy: float, before: float | None) -> None:
    record = {
        "figures": {"accuracy": accuracy, "loss": 1.0},
        "before": {} if before is None else {"accuracy": before, "loss": 2.0},
        "flops": 17_000_000,
        "params": 300_000,
        "seconds": 100 + seed,
        "recipe": ["decompose", "prune"],
        "budget": {"flops": "17.90M"},
    }
    (work / f"mobilenetv1_cifar100-{name} {epochs} {seed}.json").write_text(json.dumps(record))


def test_a_row_for_every_method_and_number_of_epochs(bench):
    kept(bench.work, "original", 0, 0, 0.66, None)
    kept(bench.work, "simple-published", 2, 0, 0.5, 0.1)
    for seed, accuracy in enumerate((0.60, 0.64)):
        kept(bench.work, "search", 20, seed, accuracy, 0.2 + 0.2 * seed)
    kept(bench.work, "search", 2, 0, 0.55, 0.2)
    (bench.work / "values").mkdir()
    (bench.work / "values" / "mobilenetv1_cifar100-search.json").write_text(json.dumps({"seconds": 3600}))
    original, published, short, search = bench.summary()
    assert (original["method"], original["accuracy_mean"], original["budget"]) == ("original", 0.66, {})
    assert (published["method"], published["budget"], published["seconds"]) == ("simple-published", {}, 100)
    assert (short["epochs"], short["seeds"], short["accuracy_std"]) == (2, 1, 0.0)
    assert search == {
        "model": "mobilenetv1_cifar100",
        "method": "search",
        "recipe": ["decompose", "prune"],
        "budget": {"flops": "17.90M"},
        "flops": 17_000_000,
        "params": 300_000,
        "accuracy_before_finetune": 0.3,
        "accuracy_mean": 0.62,
        "accuracy_std": 0.0283,
        "epochs": 20,
        "seeds": 2,
        "seconds": 3700,
    }


def test_methods_change_the_configuration_as_they_say(bench):
    loaded = {name: bench.loaded(name) for name in METHODS}
    assert {name: config.simple.ratio for name, config in loaded.items()}["simple-published"] == 0.5
    assert loaded["simple"].simple.ratio is None
    assert loaded["search"].recipe == ("decompose", "prune")
    assert loaded["search-prune-first"].recipe == ("prune", "decompose")
    assert loaded["search"].budget.params is None
    assert (loaded["search-params"].budget.flops, loaded["search-params"].budget.params) == ("17.90M", "0.35M")
    assert len({config.name for config in loaded.values()}) == len(METHODS)
