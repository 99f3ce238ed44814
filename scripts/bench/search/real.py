"""Search against recommended values, uniform compression and random search: test accuracy after the same fine-tune.

python -m scripts.bench.search.real find configs/resnet20_cifar10.yaml --work /tmp/search
python -m scripts.bench.search.real fine-tune configs/resnet20_cifar10.yaml --work /tmp/search
python -m scripts.bench.search.real summarize configs/resnet20_cifar10.yaml --work /tmp/search

`find` runs a search of each setting, and a random one of as many trials, both with their finals; where there are two
stages also one that searches them one after the other. Recommended values are those that took part in the finals,
uniform ones the start of that name. `fine-tune` brings the candidates of all methods through 1,000 steps of one recipe,
in the order of images of several seeds, and scores them on the test split, which nothing before has read. What is
measured is kept in the work folder, so that an interrupted benchmark goes on; settings, methods and seeds may be
divided between processes.
"""

import argparse
import json
import os
import time
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from types import MappingProxyType
from typing import Any

os.environ.setdefault("TF_ENABLE_ONEDNN_OPTS", "1")  # as in a worker, for a model like this one

import search  # noqa: F401  isort: skip  before TensorFlow, for the environment that it needs
import numpy as np
import tensorflow as tf
from plotly.graph_objects import Bar, Figure

from compress.parameter_files.json_format import dumps, loads
from compress.parameters import CompressionParameters
from configs.load import load_config
from configs.schema.run import RunConfig
from scripts.bench.objectives.proxy import Bench, fine_tuned
from search.pipeline.search import run_search
from search.report.pictures import write_pictures
from search.runs.outcome import SearchOutcome
from search.study.finalist import RECOMMENDED

ROOT = Path(__file__).parents[3]
STEPS, TRIALS = 1000, 60
SIMPLE, UNIFORM, RANDOM, SEARCH, STAGED = "simple", "uniform", "random", "search", "staged"
METHODS = (SIMPLE, UNIFORM, RANDOM, SEARCH, STAGED)
SEARCHES: Mapping[str, tuple[str, ...]] = MappingProxyType(
    {
        SEARCH: ("search.strategy=joint",),
        RANDOM: ("search.strategy=joint", "search.sampler=random", "search.starts=false"),
        STAGED: ("search.strategy=staged",),
    }
)
"""Methods that search, with their own overrides."""
_BOTH_STAGES = ("space.ranks=true", "recipe=[prune,decompose]")


@dataclass(frozen=True)
class Setting:
    """What is compressed and how far.

    Attributes:
        name: as the results call it.
        overrides: of the configuration.
        uniform: name of the start that treats all dimensions alike.
    """

    name: str
    overrides: tuple[str, ...]
    uniform: str = "uniform pruning"

    def config(self, path: Path, work: Path, method: str = SEARCH) -> RunConfig:
        """The configuration of a search."""
        run = self.name.replace(" %", "").replace(" ", "-")
        fixed = [
            f"search.trials={TRIALS}",
            "search.early_stopping=null",
            f"runs={work / 'runs'}",
            f"name={run}-{method}",
        ]
        return load_config(path, [*self.overrides, *SEARCHES[method], *fixed])

    @property
    def searches(self) -> list[str]:
        """The methods that search it; stage by stage only where there are two."""
        return [method for method in SEARCHES if method != STAGED or _BOTH_STAGES[0] in self.overrides]


SETTINGS = (
    Setting("prune 35 %", ("budget.flops=35%",)),
    Setting("prune 50 %", ("budget.flops=50%",)),
    Setting("prune and Tucker 25 %", ("budget.flops=25%", *_BOTH_STAGES), "uniform"),
)


def find(path: Path, work: Path, settings: Sequence[Setting], methods: Sequence[str]) -> None:
    """Run the searches, and keep the best candidate of each method."""
    for setting in settings:
        for method in setting.searches:
            file = _found(work, setting, method)
            if method not in methods or file.exists():
                continue
            started = time.perf_counter()
            outcome = run_search(setting.config(path, work, method))
            seconds = time.perf_counter() - started
            _keep(file, outcome.winner.parameters, len(outcome.trials), seconds, outcome.winner.source)
            if method == SEARCH:
                _keep_others(work, setting, outcome)
            print(f"{setting.name}, {method}: {outcome.winner.source}, {seconds:.0f} s", flush=True)


def _keep_others(work: Path, setting: Setting, outcome: SearchOutcome) -> None:
    """Recommended and uniform values, which a search tries as well."""
    recommended = next(one for one in outcome.finalists if one.source == RECOMMENDED)
    uniform = next(one for one in outcome.trials if one.start == setting.uniform)
    if recommended.parameters is None:
        raise SystemExit(f"{setting.name}: recommended values failed: {recommended.error}")
    _keep(_found(work, setting, SIMPLE), recommended.parameters, 0, 0.0, RECOMMENDED)
    _keep(_found(work, setting, UNIFORM), uniform.parameters, 0, 0.0, setting.uniform)


def _keep(file: Path, parameters: CompressionParameters, trials: int, seconds: float, source: str) -> None:
    record = {"parameters": dumps(parameters), "trials": trials, "seconds": round(seconds), "source": source}
    file.parent.mkdir(parents=True, exist_ok=True)
    file.write_text(json.dumps(record), encoding="utf-8")


def _found(work: Path, setting: Setting, method: str) -> Path:
    return work / "found" / f"{setting.name} {method}.json"


def _tuned(work: Path, setting: Setting, method: str, seed: int) -> Path:
    return work / "tuned" / f"{setting.name} {method} {seed}.json"


def fine_tune(path: Path, work: Path, settings: Sequence[Setting], methods: Sequence[str], seeds: range) -> None:
    """Bring every kept candidate through the long fine-tune."""
    (work / "tuned").mkdir(parents=True, exist_ok=True)
    for setting in settings:
        bench = Bench(setting.config(path, work), STEPS)
        for seed in seeds:
            proxy = bench.proxy(seed=seed, distillation=None)
            candidates = bench.candidates(proxy)
            for method, file in _missing(work, setting, methods, seed):
                parameters = loads(json.loads(_found(work, setting, method).read_text())["parameters"]).parameters
                result = fine_tuned(bench, proxy, partial(candidates.start, parameters))
                flops = [bench.space.cost.cost(p).flops for p in (parameters, CompressionParameters.none())]
                file.write_text(json.dumps(result | {"flops_fraction": flops[0] / flops[1]}), encoding="utf-8")
                print(f"{setting.name}, {method}, seed {seed}: {result['test_accuracy']:.4f}", flush=True)


def _missing(work: Path, setting: Setting, methods: Sequence[str], seed: int) -> Iterator[tuple[str, Path]]:
    for method in methods:
        file = _tuned(work, setting, method, seed)
        if not file.exists() and _found(work, setting, method).exists():
            yield method, file


def summary(work: Path) -> list[dict[str, Any]]:
    """A row for every setting and method that was fine-tuned."""
    rows = []
    for setting in SETTINGS:
        for method in METHODS:
            files = sorted((work / "tuned").glob(f"{setting.name} {method} *.json"))
            if files:
                record = json.loads(_found(work, setting, method).read_text(encoding="utf-8"))
                rows.append(_row(setting, method, record, [json.loads(f.read_text(encoding="utf-8")) for f in files]))
    return rows


def _row(setting: Setting, method: str, record: dict[str, Any], tuned: Sequence[dict[str, Any]]) -> dict[str, Any]:
    accuracies = [result["test_accuracy"] for result in tuned]
    return {
        "setting": setting.name,
        "method": method,
        "trials": record["trials"],
        "seconds": record["seconds"],
        "flops_fraction": round(tuned[0]["flops_fraction"], 4),
        "accuracy_mean": round(float(np.mean(accuracies)), 4),
        "accuracy_std": round(float(np.std(accuracies, ddof=1)), 4) if len(accuracies) > 1 else 0.0,
        "seeds": len(accuracies),
        "source": record["source"],
    }


def picture(rows: Sequence[dict[str, Any]]) -> Figure:
    """Mean accuracy and its deviation, bars by setting and method."""
    figure = Figure()
    for method in METHODS:
        own = [row for row in rows if row["method"] == method]
        figure.add_trace(
            Bar(
                x=[row["setting"] for row in own],
                y=[100 * row["accuracy_mean"] for row in own],
                error_y={"array": [100 * row["accuracy_std"] for row in own]},
                text=[f"{100 * row['accuracy_mean']:.1f}" for row in own],
                textposition="inside",
                insidetextanchor="end",
                name=method,
            )
        )
    lowest = min(100 * row["accuracy_mean"] for row in rows)
    figure.update_yaxes(title="test accuracy after 1,000 steps, %", range=[max(0, lowest - 5), None])
    return figure.update_layout(template="plotly_white", margin={"t": 20}, barmode="group")


def main() -> None:
    """Find, fine-tune, or summarize."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("action", choices=("find", "fine-tune", "summarize"))
    parser.add_argument("config", type=Path, help="a run's configuration, its model trained")
    parser.add_argument("--work", type=Path, required=True, help="where everything is kept")
    parser.add_argument("--settings", default="0,1,2", help="numbers of the settings")
    parser.add_argument("--methods", default=",".join(METHODS))
    parser.add_argument("--seeds", default="0-2", help="first and last")
    parser.add_argument("--out", type=Path, default=ROOT / "docs" / "results" / "search_real.json")
    parser.add_argument("--picture", type=Path, default=ROOT / "docs" / "search.png")
    arguments = parser.parse_args()
    settings = [SETTINGS[int(number)] for number in arguments.settings.split(",")]
    methods = arguments.methods.split(",")
    if arguments.action == "find":
        find(arguments.config, arguments.work, settings, methods)
    elif arguments.action == "fine-tune":
        tf.config.threading.set_intra_op_parallelism_threads(1)
        tf.config.threading.set_inter_op_parallelism_threads(1)
        first, last = map(int, arguments.seeds.split("-"))
        fine_tune(arguments.config, arguments.work, settings, methods, range(first, last + 1))
    else:
        rows = summary(arguments.work)
        arguments.out.write_text(json.dumps(rows, indent=1) + "\n", encoding="utf-8")
        write_pictures({arguments.picture: picture(rows)})
        print(json.dumps(rows, indent=1))


if __name__ == "__main__":
    main()
