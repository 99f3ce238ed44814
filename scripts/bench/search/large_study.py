"""What a study of very many trials costs: to resume it, and to tell its status.

python -m scripts.bench.search.large_study --trials 100000 --preferences 69

A search of 60 trials of ResNet50, which are judged at once, writes a journal as every run does. Its lines are written
again with new numbers, figures and ratios until there are so many trials. The figures are processor seconds, and
megabytes by which a process grows: `open`: the study, read to be gone on with; `resume`: that, the records of all
trials, and ten more trials by the default sampler; `status`: the command `tuckprune status` from its start to its end,
with the file that a driver leaves, and without.
"""

import argparse
import json
import resource
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator, Mapping
from concurrent.futures import ProcessPoolExecutor
from dataclasses import dataclass, replace
from multiprocessing import get_context
from pathlib import Path
from types import MappingProxyType
from typing import Any

import search  # noqa: F401  isort: skip  before TensorFlow, for the environment that it needs
from optuna.storages.journal._storage import JournalOperation

from compress.graph.analysis import analyse
from compress.parameters import CompressionParameters
from configs.load import check_config, dump_config
from objectives.budget.budget import Budget
from objectives.cost.cost_model import CostModel
from scripts.bench.memory import resident_mb
from scripts.bench.search.coordinator import LAYERS, ROOT, Instant
from search.driver.driver import Driver
from search.driver.driver_settings import DriverSettings
from search.driver.listeners.status_writer import StatusWriter
from search.runs.run_folder import RunFolder
from search.space.space import SearchSpace
from search.space.space_arrays import SpaceSettings
from search.study.judgement import Conditions, Judgement
from search.study.storage import JOURNAL_FILE, open_study
from zoo.models.registry import build_model

NAME, REAL, MORE = "large", 60, 10
CONDITIONS = Conditions(0, "float32", 1, "1", "a processor", "2.21.0", "3.15.1", "2.4.6", "0.1.0")
Log = dict[str, Any]


@dataclass(frozen=True)
class Kind:
    """A search by the number of its preferences: what it searches of ResNet50, at which share of its FLOPs."""

    groups: int | None
    layers: int
    share: str


KINDS: Mapping[int, Kind] = MappingProxyType({14: Kind(14, 0, "80%"), 69: Kind(None, LAYERS, "30%")})


class Reporting(Instant):
    """A pool that judges at once, and says as much about it as workers do."""

    def wait(self, seconds: float) -> dict[int, Judgement]:
        """Judge the oldest."""
        return {
            key: replace(judged, seconds=12.3, conditions=CONDITIONS, worker=f"node:{key % 8}")
            for key, judged in super().wait(seconds).items()
        }


def config(folder: Path, trials: int) -> Any:
    """Of a run in this folder."""
    model = {"path": str(folder / "model.keras")}
    fields = {"name": NAME, "runs": str(folder), "model": model, "data": {"source": "digits"}}
    fields |= {"budget": {"flops": 0.5}, "search": {"trials": trials, "strategy": "joint"}}
    return check_config(fields, "benchmark")


def searched(folder: Path, preferences: int, sampler: str, trials: int) -> dict[str, float]:
    """Search to so many trials, from where the run stands; figures of this process, without its imports."""
    kind, whole = KINDS[preferences], analyse(build_model("resnet50"))
    graph = replace(whole, groups=whole.groups[: kind.groups], decomposable=whole.decomposable[: kind.layers])
    space = SearchSpace(CostModel(graph), SpaceSettings(), ("prune", "decompose") if kind.layers else ("prune",))
    budget = Budget.parse({"flops": kind.share}, space.cost.cost(CompressionParameters.none()))
    began, before = time.process_time(), resident_mb()
    study = open_study(folder, NAME, "journal")
    opened, grown = time.process_time() - began, resident_mb() - before
    Driver(study, space, budget, DriverSettings(0, sampler, trials, True)).run(Reporting(), StatusWriter(folder))
    seconds, most = time.process_time() - began, resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * 1024 / 1e6
    figures = {"open_s": opened, "open_mb": grown, "resume_s": seconds, "resume_mb": most - before}
    return {name: round(figure, 1) for name, figure in figures.items()}


def multiplied(real: Path, trials: int) -> Iterator[Log]:
    """The lines of a journal with its trials again and again, each time a little better."""
    of_trials: list[list[Log]] = []
    for line in real.read_text(encoding="utf-8").splitlines():
        log = json.loads(line)
        if log["op_code"] == JournalOperation.CREATE_TRIAL:
            of_trials.append([log])
        elif "trial_id" in log:
            of_trials[log["trial_id"]].append(log)
        else:
            yield log
    for number in range(trials):
        for log in of_trials[number % len(of_trials)]:
            yield changed(log, number, number // len(of_trials))


def changed(log: Log, number: int, again: int) -> Log:
    """A line of a trial as one of another number, whose values and figures differ."""
    log = log | ({"trial_id": number} if "trial_id" in log else {})
    for key in ("user_attr", "user_attrs"):
        attributes = dict(log.get(key, {}))
        if "parameters" in attributes:
            values = json.loads(attributes["parameters"])
            group = next(iter(values["ratios"]))
            values["ratios"][group] += again * 1e-9
            attributes["parameters"] = json.dumps(values, indent=2) + "\n"
        if "figures" in attributes:
            figures = attributes["figures"]
            attributes["figures"] = figures | {"accuracy": figures["accuracy"] + again * 1e-9}
        log |= {key: attributes} if key in log else {}
    return log


def write(lines: Iterator[Log], path: Path) -> None:
    """A journal, each of whose lines says where it begins."""
    with path.open("wb") as file:
        for log in lines:
            begins = file.tell()
            file.write(json.dumps({**log, "at": begins}, separators=(",", ":")).encode() + b"\n")


def seconds(folder: Path) -> float:
    """Of the processor, for `tuckprune status`."""
    before = resource.getrusage(resource.RUSAGE_CHILDREN)
    subprocess.run([sys.executable, "-m", "search", "status", str(folder)], check=True, cwd=ROOT)
    after = resource.getrusage(resource.RUSAGE_CHILDREN)
    return after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime


def measured(folder: Path, preferences: int, trials: int) -> dict[str, float]:
    """All figures of one number of preferences."""
    run = RunFolder(folder / NAME)
    run.path.mkdir()
    run.config_file.write_text(dump_config(config(folder, trials + MORE)), encoding="utf-8")
    in_process(run.path, preferences, "random", REAL)
    real = run.path / JOURNAL_FILE
    write(multiplied(real.rename(folder / "real"), trials), real)
    (run.path / "status.json").unlink()
    figures = {"journal_mb": round(real.stat().st_size / 1e6, 1), "status_without_file_s": round(seconds(run.path), 2)}
    figures |= in_process(run.path, preferences, "layered", trials + MORE)
    return figures | {"status_s": round(seconds(run.path), 2)}


def in_process(*arguments: Any) -> dict[str, float]:
    """What ``searched`` returns, called in a process of its own."""
    with ProcessPoolExecutor(1, get_context("spawn")) as pool:
        return pool.submit(searched, *arguments).result()


def main() -> None:
    """Measure one number of preferences, and add its figures."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--trials", type=int, default=100_000)
    parser.add_argument("--preferences", type=int, choices=tuple(KINDS), default=69)
    parser.add_argument("--out", type=Path, default=ROOT / "docs" / "results" / "large_study.json")
    arguments = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        figures = measured(Path(folder), arguments.preferences, arguments.trials)
    known = json.loads(arguments.out.read_text(encoding="utf-8")) if arguments.out.exists() else {}
    key = f"{arguments.trials} trials of {arguments.preferences} preferences"
    arguments.out.write_text(json.dumps(known | {key: figures}, indent=1) + "\n", encoding="utf-8")
    print(json.dumps(figures))


if __name__ == "__main__":
    main()
