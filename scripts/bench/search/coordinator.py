"""What the driver of a search costs: per trial, with many workers, over many trials; and what a second worker gains.

python -m scripts.bench.search.coordinator trial
python -m scripts.bench.search.coordinator workers
python -m scripts.bench.search.coordinator many-workers
python -m scripts.bench.search.coordinator memory
python -m scripts.bench.search.coordinator efficiency --config configs/digits.yaml

Every part adds its figures to the results. All but the last search 69 preferences of ResNet50, all its 37 groups and
16 of its convolutions, at three tenths of its FLOPs, with the study in a journal. `trial`: milliseconds of the driver
per trial around trial 1,000, candidates being judged at once, proposals random, the model of a sampler aside.
`workers` and `many-workers`: the share of their time that 200 and 1,000 workers are busy, trials that sleep a minute,
proposals by the default sampler; the workers are coroutines of four Ray actors. `memory`: kilobytes that the driver
grows by with each trial, from trial 500 to trial 1,050. `efficiency`: how many trials two workers finish in the time
in which one finishes one, over two.
"""

import argparse
import asyncio
import gc
import json
import tempfile
import time
from collections.abc import Callable, Container, Mapping
from dataclasses import dataclass, field, replace
from pathlib import Path
from types import MappingProxyType
from typing import Any

import search  # noqa: F401  isort: skip  before TensorFlow, for the environment that it needs
import ray

from compress.graph.analysis import analyse
from compress.parameters import CompressionParameters
from configs.load import load_config
from objectives.budget.budget import Budget
from objectives.cost.cost_model import CostModel
from scripts.bench.memory import resident_mb
from search.driver.driver import Driver
from search.driver.driver_settings import DriverSettings
from search.driver.listeners.listener import Listener
from search.pipeline.search import run_search
from search.pipeline.training import train_model
from search.runs.run_folder import RunFolder
from search.space.space import SearchSpace
from search.space.space_arrays import SpaceSettings
from search.study.judgement import Judgement
from search.study.storage import find_study, open_study
from search.study.trial_record import TrialRecord
from search.workers.cluster import PoolSettings
from search.workers.pool import WorkerPool
from search.workers.shutdown import Shutdown
from zoo.models.registry import build_model
from zoo.tasks.metric import Score

ROOT = Path(__file__).parents[3]
SHARE, LAYERS = "30%", 16
NAME = "coordinator"
WORKERS, MANY, ACTORS, SECONDS, ROUNDS = 200, 1000, 4, 60.0, 4


def score(parameters: CompressionParameters) -> Judgement:
    """Better the more evenly is pruned."""
    ratios = list(parameters.ratios.values())
    return Judgement(
        Score({"accuracy": 1 - sum((ratio - 0.5) ** 2 for ratio in ratios) / len(ratios), "loss": 1.0}), 0.0
    )


@dataclass
class Instant:
    """A pool of two workers that judge at once."""

    running: dict[int, CompressionParameters] = field(default_factory=dict)
    submitted: int = 0

    @property
    def has_room(self) -> bool:
        """Whether less than two wait."""
        return len(self.running) < 2

    @property
    def starting(self) -> int:
        """None: there is nothing to start."""
        return 0

    def submit(self, parameters: CompressionParameters) -> int:
        """Take a candidate."""
        self.submitted += 1
        self.running[self.submitted] = parameters
        return self.submitted

    def wait(self, seconds: float) -> dict[int, Judgement]:
        """Judge the oldest."""
        key = next(iter(self.running))
        return {key: score(self.running.pop(key))}


class Clock(Listener):
    """Remembers when every trial was settled, and at some the memory of the process."""

    def __init__(self, weighed: Container[int] = ()) -> None:
        self.weighed = weighed
        self.times: list[float] = []
        self.megabytes: list[float] = []

    def settled(self, record: TrialRecord) -> None:
        """One more."""
        self.times.append(time.perf_counter())
        if len(self.times) in self.weighed:
            gc.collect()
            self.megabytes.append(resident_mb())


class Sleeper:
    """Many workers in one process: their trials sleep."""

    async def ready(self) -> None:
        """At once."""

    async def judge(self, parameters: CompressionParameters) -> Judgement:
        """Sleep a minute, some a fifth longer or less."""
        seconds = SECONDS * (0.8 + 0.4 * (hash(str(parameters)) % 1000) / 1000)
        await asyncio.sleep(seconds)
        return replace(score(parameters), seconds=seconds)


class SleepingPool(WorkerPool):
    """A pool whose workers share a few processes."""

    _actors: tuple[Any, ...] = ()

    def _new_actor(self) -> Any:
        if not self._actors:
            made = ray.remote(num_cpus=0.001, max_concurrency=MANY // ACTORS)(Sleeper)
            self._actors = tuple(made.remote() for _ in range(ACTORS))
        return self._actors[len(self._slots) % ACTORS]


def searched(folder: Path, sampler: str, trials: int, pool: Any, weighed: Container[int] = ()) -> Clock:
    """Search ResNet50's space."""
    whole = analyse(build_model("resnet50"))
    graph = replace(whole, decomposable=whole.decomposable[:LAYERS])
    space = SearchSpace(CostModel(graph), SpaceSettings(), ("prune", "decompose"))
    budget = Budget.parse({"flops": SHARE}, space.cost.cost(CompressionParameters.none()))
    clock = Clock(weighed)
    study = open_study(folder, NAME, "journal")
    Driver(study, space, budget, DriverSettings(0, sampler, trials, True)).run(pool, clock)
    return clock


def trial(folder: Path) -> dict[str, float]:
    """Milliseconds per trial around trial 1,000."""
    times = searched(folder, "random", 1050, Instant()).times
    return {"ms_per_trial_at_1000": round(10 * (times[1049] - times[949]), 1)}


def workers(folder: Path, count: int = WORKERS) -> dict[str, float]:
    """Busy share of so many workers between the start of the first trial and that of the last one."""
    ray.init(address="local", num_cpus=4, include_dashboard=False, log_to_driver=False)
    pool = SleepingPool(None, PoolSettings(count), print, Shutdown(0.0))  # type: ignore[arg-type]
    searched(folder, "layered", ROUNDS * count, pool)
    pool.close()
    spans = [
        (trial.datetime_complete.timestamp() - trial.user_attrs["seconds"], trial.datetime_complete.timestamp())
        for trial in find_study(folder, NAME).trials
        if trial.datetime_complete is not None
    ]
    first, last = min(begin for begin, _ in spans), max(begin for begin, _ in spans)
    busy = sum(min(end, last) - min(begin, last) for begin, end in spans)
    return {f"busy_fraction_{count}_workers": round(busy / count / (last - first), 3)}


def many_workers(folder: Path) -> dict[str, float]:
    """Busy share of 1,000 workers."""
    return workers(folder, MANY)


def memory(folder: Path) -> dict[str, float]:
    """Kilobytes per trial from trial 500 to trial 1,050."""
    few, many = searched(folder, "random", 1050, Instant(), (500, 1050)).megabytes
    return {"driver_kb_per_trial": round(1000 * (many - few) / 550, 1)}


def efficiency(folder: Path, config: Path) -> dict[str, float]:
    """Trials per second of two workers against one, over two."""
    rates = []
    original = ""
    for count in (1, 2):
        own = [f"runs={folder}", f"name=workers-{count}", f"search.workers={count}", "finals.candidates=0"]
        own.append("search.early_stopping=null")
        loaded = load_config(config, [*own, *([f"model={{path: {original}}}"] if original else [])])
        if loaded.model.zoo is not None:
            train_model(loaded)
            original = str(RunFolder.of(loaded).trained_model)
        trials = find_study(run_search(loaded).folder.path, loaded.name).trials
        ends = sorted(trial.datetime_complete.timestamp() for trial in trials if trial.datetime_complete is not None)
        # Of both, from the trial after the first of every worker, which still traces the network.
        rates.append((len(ends) - 1 - count) / (ends[-1] - ends[count]))
    return {"efficiency_2_workers": round(rates[1] / rates[0] / 2, 3)}


def main() -> None:
    """Measure one part, and add its figures."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("part", choices=(*PARTS, "efficiency"))
    parser.add_argument("--config", type=Path, default=ROOT / "configs" / "digits.yaml")
    parser.add_argument("--out", type=Path, default=ROOT / "docs" / "results" / "coordinator.json")
    arguments = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        measure = PARTS.get(arguments.part, lambda path: efficiency(path, arguments.config))
        figures = measure(Path(folder))
    known = json.loads(arguments.out.read_text(encoding="utf-8")) if arguments.out.exists() else {}
    arguments.out.write_text(json.dumps(known | figures, indent=1) + "\n", encoding="utf-8")
    print(json.dumps(figures))


PARTS: Mapping[str, Callable[[Path], dict[str, float]]] = MappingProxyType(
    {"trial": trial, "workers": workers, "many-workers": many_workers, "memory": memory}
)

if __name__ == "__main__":
    main()
