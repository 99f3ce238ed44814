"""NPTK's models at the FLOPs that NPTK-Search published: its Simple, Simple at that budget, uniform values, searches.

python -m scripts.bench.search.nptk original simple --model MODEL.keras --work /tmp/nptk
python -m scripts.bench.search.nptk search --model MODEL.keras --work /tmp/nptk --set finetune.epochs=20
python -m scripts.bench.search.nptk summarize --model MODEL.keras --work /tmp/nptk

MODEL.keras is what `tuckprune train` has made of the configuration. Every method is fine-tuned as `finetune` says after
both stages, once for each seed, and scored on the test split. What is measured is kept in the work folder by method,
epochs and seed, so that an interrupted benchmark goes on, and is added to when it is called again.
"""

import argparse
import json
import os
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

os.environ.setdefault("TF_ENABLE_ONEDNN_OPTS", "1")  # as in a worker, for models like these

import search  # noqa: F401  isort: skip  before TensorFlow, for the environment that it needs
import numpy as np

from compress.model_files.files import load_model
from compress.parameter_files.json_format import dumps, loads
from compress.recipe import Values, own_values
from configs.load import load_config
from configs.schema.run import RunConfig
from objectives.budget.recommended import stage_values
from scripts.bench.search.tasks import ROOT, compressed, measured, read, uniform, write
from search import settings
from search.pipeline.compression import configured
from search.pipeline.search import run_search

ORIGINAL = "original"


@dataclass(frozen=True)
class Method:
    """Where the values of a compression come from.

    Attributes:
        kind: ``recommended``, ``uniform`` or ``search``.
        changes: of the configuration.
    """

    kind: str
    changes: tuple[str, ...] = ()


_PRUNE_FIRST, _PARAMS = "recipe=[prune,decompose]", "budget.params={params}"
METHODS = {
    "simple-published": Method("recommended"),
    "simple": Method("recommended", ("simple.ratio=null",)),
    "uniform": Method("uniform"),
    "search": Method("search"),
    "search-prune-first": Method("search", (_PRUNE_FIRST,)),
    "search-params": Method("search", (_PARAMS,)),
}
"""By the name that results have. ``simple-published`` takes ratio and calibration of the configuration, as NPTK did."""


@dataclass(frozen=True)
class Bench:
    """A model, its configuration, and where everything is kept.

    Attributes:
        path: of the configuration.
        overrides: of it.
        model: file of the original.
        work: folder.
        params: that NPTK-Search published, for the search under both limits.
    """

    path: Path
    overrides: tuple[str, ...]
    model: Path
    work: Path
    params: str

    def loaded(self, name: str) -> RunConfig:
        """The configuration of a method."""
        changes = [change.format(params=self.params) for change in METHODS[name].changes] if name in METHODS else []
        fixed = ["model.zoo=null", f"model.path={self.model}", f"runs={self.work / 'runs'}"]
        run = load_config(self.path).name
        return load_config(self.path, [*self.overrides, *fixed, *changes, f"name={run}-{name}"])

    def values(self, name: str, original: Any, config: RunConfig) -> Values:
        """Of a method; a search is run, or gone on with, where its result is not kept yet."""
        kind, kept = METHODS[name].kind, self.work / "values" / f"{config.name}.json"
        if kind == "recommended":
            return stage_values(configured(original, config, settings.pruning(config, settings.data(config, original))))
        if not kept.exists():
            started = time.perf_counter()
            parameters = uniform(config) if kind == "uniform" else run_search(config).winner.parameters
            write(kept, {"parameters": dumps(parameters), "seconds": round(time.perf_counter() - started)})
        return own_values(loads(read(kept)["parameters"]).parameters)

    def measure(self, name: str, seeds: Sequence[int]) -> None:
        """Compress by a method, train and score, once for each seed; of the original, score."""
        config = self.loaded(name)
        original = load_model(self.model)
        data = settings.data(config, original)
        if name == ORIGINAL:
            write(self.work / f"{config.name} 0 0.json", self._described(config, measured(original, data, config, 0.0)))
            return
        values = self.values(name, original, config)
        for seed in seeds:
            file = self.work / f"{config.name} {config.finetune.epochs} {seed}.json"
            if not file.exists():
                write(file, self._described(config, compressed(config, original, data, values, seed)))
                print(f"{file.stem}: {read(file)}", flush=True)

    def _described(self, config: RunConfig, record: Mapping[str, Any]) -> dict[str, Any]:
        budget = {name: amount for name, amount in config.budget.amounts.items() if amount is not None}
        return {**record, "recipe": list(config.recipe), "budget": budget, "trials": config.search.trials}

    def summary(self) -> list[dict[str, Any]]:
        """A row for every method and number of epochs that was measured."""
        rows = []
        for name in (ORIGINAL, *METHODS):
            config = self.loaded(name)
            files = sorted(self.work.glob(f"{config.name} *.json"))
            for epochs in sorted({int(file.stem.split()[1]) for file in files}):
                records = [read(file) for file in files if int(file.stem.split()[1]) == epochs]
                kept = self.work / "values" / f"{config.name}.json"
                seconds = read(kept)["seconds"] if kept.exists() else 0
                rows.append(_row(load_config(self.path).name, name, epochs, records, seconds))
        return rows


def _row(
    model: str, name: str, epochs: int, records: Sequence[Mapping[str, Any]], search_seconds: int
) -> dict[str, Any]:
    accuracies = [record["figures"]["accuracy"] for record in records]
    before = [record["before"]["accuracy"] for record in records if record.get("before")]
    return {
        "model": model,
        "method": name,
        "recipe": records[0]["recipe"] if epochs else [],
        "budget": {} if name in (ORIGINAL, "simple-published") else records[0]["budget"],
        "flops": records[0]["flops"],
        "params": records[0]["params"],
        "accuracy_before_finetune": round(float(np.mean(before)), 4) if before else None,
        "accuracy_mean": round(float(np.mean(accuracies)), 4),
        "accuracy_std": round(float(np.std(accuracies, ddof=1)), 4) if len(accuracies) > 1 else 0.0,
        "epochs": epochs,
        "seeds": len(records),
        "seconds": search_seconds + round(float(np.mean([record["seconds"] for record in records]))),
    }


def main() -> None:
    """Measure some methods, or summarize all that was measured."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("methods", nargs="+", choices=(ORIGINAL, *METHODS, "summarize"))
    parser.add_argument("--model", type=Path, required=True, help="the trained original")
    parser.add_argument("--config", type=Path, default=ROOT / "configs" / "mobilenetv1_cifar100.yaml")
    parser.add_argument("--params", default="0.35M", help="that NPTK-Search published")
    parser.add_argument("--work", type=Path, required=True, help="where everything is kept")
    parser.add_argument("--seeds", default="0-1", help="first and last")
    parser.add_argument("--set", dest="overrides", action="append", default=[], help="of the configuration")
    parser.add_argument("--out", type=Path, default=ROOT / "docs" / "results" / "nptk.json")
    given = parser.parse_args()
    bench = Bench(given.config, tuple(given.overrides), given.model, given.work, given.params)
    first, last = map(int, given.seeds.split("-"))
    for name in given.methods:
        if name != "summarize":
            bench.measure(name, range(first, last + 1))
    if "summarize" in given.methods:
        rows = bench.summary()
        given.out.write_text(json.dumps(rows, indent=1) + "\n", encoding="utf-8")
        print(json.dumps(rows, indent=1))


if __name__ == "__main__":
    main()
