"""Search against recommended values and uniform pruning where a model does not name one class an image.

python -m scripts.bench.search.tasks find --work /tmp/tasks
python -m scripts.bench.search.tasks fine-tune --work /tmp/tasks
python -m scripts.bench.search.tasks summarize --work /tmp/tasks

It is run where configs/camvid_unet.yaml, photos_sr.yaml and clothing_mobilenet.yaml find their data and models. `find`
trains the originals that are missing and runs a search of each setting. `fine-tune` compresses with the values of every
method and trains as the section `finetune` says, once for each seed, and scores on the test split, which nothing before
has read. What is measured is kept in the work folder, so that an interrupted benchmark goes on.
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
import keras
import numpy as np
import tensorflow as tf

from compress.graph.frozen import unfrozen
from compress.model_files.files import load_model
from compress.parameter_files.json_format import dumps, loads
from compress.parameters import CompressionParameters
from compress.recipe import Values, compress_in_stages, own_values
from configs.load import load_config
from configs.schema.run import RunConfig
from scripts.bench.search.drawn_tasks import DRAWN, drawn_config
from search import settings
from search.driver.listeners.listener import Listener
from search.pipeline.measuring import measure
from search.pipeline.search import run_search
from search.pipeline.training import train_model
from search.runs.outcome import SearchOutcome
from search.space.projection import Projection
from search.strategies.preparation import prepared
from search.study.finalist import RECOMMENDED
from search.study.trial_record import SENSITIVITY_START
from zoo.data.dataset import ImageDataset
from zoo.training.evaluation import score_on

ROOT = Path(__file__).parents[3]
ORIGINAL, SIMPLE, UNIFORM, SENSITIVITY, SEARCH = "original", "simple", "uniform", "sensitivity", "search"
METHODS = (SIMPLE, UNIFORM, SENSITIVITY, SEARCH)
_RANKS = ("space.ranks=true", "recipe=[prune,decompose]")


@dataclass(frozen=True)
class Setting:
    """What is compressed and how far.

    Attributes:
        task: as the results call it.
        name: how far, as the results call it.
        config: a shipped configuration, or one of `DRAWN`.
        overrides: of it.
    """

    task: str
    name: str
    config: str
    overrides: tuple[str, ...] = ()

    @property
    def key(self) -> str:
        """For names of files and runs."""
        return f"{self.task} {self.name}".replace(" %", "").replace(" ", "-")

    def path(self, work: Path) -> Path:
        """Of the configuration."""
        shipped = ROOT / "configs" / f"{self.config}.yaml"
        return drawn_config(self.config, work) if self.config in DRAWN else shipped

    def loaded(self, work: Path) -> RunConfig:
        """The configuration of the search, of the original that `original` has made."""
        path = original(self.path(work), work)
        changes = ["model.zoo=null", f"model.path={path}", f"runs={work / 'runs'}", f"name={self.key}"]
        return load_config(self.path(work), [*self.overrides, *changes])


SETTINGS = (
    Setting("segmentation", "prune 35 %", "camvid_unet"),
    Setting("segmentation", "prune and Tucker 25 %", "camvid_unet", ("budget.flops=25%", *_RANKS)),
    Setting("transfer learning", "prune 50 %", "clothing_mobilenet"),
    Setting("super-resolution", "prune 35 %", "photos_sr"),
    Setting("multi-label", "prune 35 %", "multilabel"),
    Setting("regression", "prune 35 %", "regression"),
)


def original(path: Path, work: Path) -> Path:
    """The file of the original model of a configuration; one of the zoo is trained if it has not been."""
    config = load_config(path, [f"runs={work / 'originals'}"])
    if config.model.path is not None:
        return Path(config.model.path)
    trained = work / "originals" / config.name / "model.keras"
    if not trained.exists():
        train_model(config, print)
    return trained


def find(work: Path, chosen: Sequence[Setting]) -> None:
    """Run the searches, and keep the values of each method."""
    for setting in chosen:
        if _values(work, setting, SEARCH).exists():
            continue
        config, started = setting.loaded(work), time.perf_counter()
        outcome = run_search(config)
        seconds = time.perf_counter() - started
        for method, (parameters, source) in _of_methods(outcome, config).items():
            record = {
                "parameters": dumps(parameters),
                "source": source,
                "trials": len(outcome.trials) if method == SEARCH else 0,
                "seconds": round(seconds) if method == SEARCH else 0,
            }
            write(_values(work, setting, method), record)
        print(f"{setting.key}: {outcome.winner.source}, {seconds:.0f} s", flush=True)


def _of_methods(outcome: SearchOutcome, config: RunConfig) -> Mapping[str, tuple[CompressionParameters, str]]:
    """Values and where they come from: recommended ones and starts take part in every search.

    Where ratios and ranks are searched one after the other, a start is of one of them alone: uniform values are then
    made here, and there are none by the sweep.
    """
    recommended = next(one for one in outcome.finalists if one.source == RECOMMENDED)
    if recommended.parameters is None:
        raise SystemExit(f"recommended values failed: {recommended.error}")
    values = {SIMPLE: (recommended.parameters, RECOMMENDED), SEARCH: (outcome.winner.parameters, outcome.winner.source)}
    if config.space.ranks:
        return values | {UNIFORM: (uniform(config), "uniform")}
    even = next(one for one in outcome.trials if (one.start or "").startswith("uniform"))
    swept = next(one for one in outcome.trials if one.start == SENSITIVITY_START)
    return values | {UNIFORM: (even.parameters, even.start or ""), SENSITIVITY: (swept.parameters, SENSITIVITY_START)}


def uniform(config: RunConfig) -> CompressionParameters:
    """All ratios and ranks alike, brought to the budget as proposals are."""
    job = prepared(config, load_model(Path(str(config.model.path))), Listener())
    return Projection(job.space, job.budget)(np.ones(len(job.space.dimensions))).parameters


def fine_tune(work: Path, chosen: Sequence[Setting], methods: Sequence[str], seeds: range) -> None:
    """Compress and train with the values of each method."""
    for setting in chosen:
        config = setting.loaded(work)
        model = load_model(Path(str(config.model.path)))
        data = settings.data(config, model)
        _measure_original(work, setting, config, model, data)
        for seed in seeds:
            for method in methods:
                file, values = _tuned(work, setting, method, seed), _values(work, setting, method)
                if file.exists() or not values.exists():
                    continue
                parameters = loads(read(values)["parameters"]).parameters
                write(file, compressed(config, model, data, own_values(parameters), seed))
                print(f"{setting.key}, {method}, seed {seed}: {read(file)}", flush=True)


def _measure_original(work: Path, setting: Setting, config: RunConfig, model: Any, data: Any) -> None:
    file = _tuned(work, setting, ORIGINAL, 0)
    if not file.exists():
        write(file, measured(model, data, config, 0.0))
        print(f"{setting.key}, original: {read(file)}", flush=True)
    if isinstance(data, ImageDataset) and data.task.name == "super_resolution":
        write(_tuned(work, setting, "bicubic", 0), measured(bicubic(model), data, config, 0.0))


def bicubic(model: Any) -> Any:
    """A model that enlarges images as Pillow does, without a weight."""
    inputs = keras.Input(model.input_shape[1:])
    size = model.output_shape[1:3]
    enlarged = keras.layers.Lambda(lambda x: tf.image.resize(x, size, "bicubic", antialias=True))(inputs)
    return keras.Model(inputs, enlarged, name="bicubic")


def compressed(config: RunConfig, model: Any, data: Any, values: Values, seed: int) -> dict[str, Any]:
    """Figures after the recipe, with as much training after every stage as the configuration says."""
    tuning, started = settings.fine_tuning(config.finetune, seed), time.perf_counter()
    pruning = settings.pruning(config, data)
    source = unfrozen(model, config.recipe, pruning.across_normalization)
    before: dict[str, float] = {}

    def trained(candidate: Any, stage: str) -> None:
        if stage == config.recipe[-1]:
            before.update(score_on("test", candidate, data).figures)
        tuning(candidate, data, model)

    made = compress_in_stages(source, values, config.recipe, fine_tune=trained, pruning=pruning)
    return {**measured(made.model, data, config, time.perf_counter() - started), "before": before}


def measured(model: Any, data: Any, config: RunConfig, seconds: float) -> dict[str, Any]:
    """Figures of a model on the test split, and its cost."""
    result = measure(model, SEARCH, data, config) if model.weights else None
    score = score_on("test", model, data)
    return {
        "figures": {name: float(value) for name, value in score.figures.items()},
        "flops": None if result is None else result.flops,
        "params": None if result is None else result.params,
        "seconds": round(seconds),
    }


def summary(work: Path) -> list[dict[str, Any]]:
    """A row for every setting, method and metric that was measured."""
    rows = []
    for setting in SETTINGS:
        whole = _tuned(work, setting, ORIGINAL, 0)
        if not whole.exists():
            continue
        flops, model = read(whole)["flops"], load_config(setting.path(work)).name
        for method in (ORIGINAL, "bicubic", *METHODS):
            tuned = [read(path) for path in sorted((work / "tuned").glob(f"{setting.key} {method} *.json"))]
            if tuned:
                values = _values(work, setting, method)
                rows += _rows(setting, model, method, tuned, flops, read(values) if values.exists() else {})
    return rows


def _rows(
    setting: Setting,
    model: str,
    method: str,
    tuned: Sequence[Mapping[str, Any]],
    flops: int,
    record: Mapping[str, Any],
) -> list[dict[str, Any]]:
    rows = []
    for metric in tuned[0]["figures"]:
        values = [one["figures"][metric] for one in tuned]
        row = {
            "task": setting.task,
            "model": model,
            "setting": setting.name,
            "method": method,
            "metric": metric,
            "value_mean": round(float(np.mean(values)), 4),
            "value_std": round(float(np.std(values, ddof=1)), 4) if len(values) > 1 else 0.0,
            "flops_fraction": None if tuned[0]["flops"] is None else round(tuned[0]["flops"] / flops, 4),
            "params": tuned[0]["params"],
            "seconds": record.get("seconds", 0) + round(float(np.mean([one["seconds"] for one in tuned]))),
            "seeds": len(values),
        }
        rows.append(row)
    return rows


def _values(work: Path, setting: Setting, method: str) -> Path:
    return work / "values" / f"{setting.key} {method}.json"


def _tuned(work: Path, setting: Setting, method: str, seed: int) -> Path:
    return work / "tuned" / f"{setting.key} {method} {seed}.json"


def read(file: Path) -> dict[str, Any]:
    """A record as it was kept."""
    return dict(json.loads(file.read_text(encoding="utf-8")))


def write(file: Path, record: Mapping[str, Any]) -> None:
    """Keep a record."""
    file.parent.mkdir(parents=True, exist_ok=True)
    file.write_text(json.dumps(record), encoding="utf-8")


def main() -> None:
    """Find, fine-tune, or summarize."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("action", choices=("find", "fine-tune", "summarize"))
    parser.add_argument("--work", type=Path, required=True, help="where everything is kept")
    parser.add_argument("--settings", default="0,1,2,3,4,5", help="numbers of the settings")
    parser.add_argument("--methods", default=",".join(METHODS))
    parser.add_argument("--seeds", default="0-2", help="first and last")
    parser.add_argument("--out", type=Path, default=ROOT / "docs" / "results" / "tasks.json")
    arguments = parser.parse_args()
    chosen = [SETTINGS[int(number)] for number in arguments.settings.split(",")]
    if arguments.action == "find":
        find(arguments.work, chosen)
    elif arguments.action == "fine-tune":
        first, last = map(int, arguments.seeds.split("-"))
        fine_tune(arguments.work, chosen, arguments.methods.split(","), range(first, last + 1))
    else:
        rows = summary(arguments.work)
        arguments.out.write_text(json.dumps(rows, indent=1) + "\n", encoding="utf-8")
        print(json.dumps(rows, indent=1))


if __name__ == "__main__":
    main()
