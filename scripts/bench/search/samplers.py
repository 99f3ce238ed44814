"""Samplers on synthetic problems: best feasible value against trials, and the cost of a proposal.

python -m scripts.bench.search.samplers measure --work /tmp/samplers --methods 'layered|TPE' --seeds 0-9
python -m scripts.bench.search.samplers summarize --work /tmp/samplers

Every seed draws a problem of its own (scripts/bench/synthetic_problem.py), the same for all methods. A plain method
proposes fractions as they are; those over the budget are told with a penalty and no accuracy or, to samplers that take
constraints, with their accuracy and their violation. Methods with projection propose preferences, which are scaled to
the budget first. The value of a search after n trials is the accuracy without noise of the feasible trial of the
highest observed accuracy. Runs are kept in the work folder, a file each, so that an interrupted benchmark goes on.
Samplers other than the default need the extra `samplers`; pictures need chromium.
"""

import argparse
import json
import time
import warnings
from collections.abc import Callable, Mapping, Sequence
from dataclasses import asdict, dataclass
from functools import cached_property
from pathlib import Path
from types import MappingProxyType
from typing import Any

import numpy as np
import optuna
from optuna.samplers import BaseSampler
from optuna.trial import FrozenTrial, TrialState
from plotly.graph_objects import Figure, Scatter

from scripts.bench.synthetic_problem import Floats, SyntheticProblem
from search.report.pictures import write_pictures
from search.samplers.kinds.layered import LayeredSampler
from search.samplers.study_view import StudyView, cost_shares
from search.samplers.surrogate import PriorLosses

ROOT = Path(__file__).parents[3]
TRIALS, LOWEST = 200, 0.1
KEPT = "kept"
DEFAULT = "layered"

PENALTY = 100.0
"""Points per violation that an infeasible trial is told with, to samplers without constraints."""


class SyntheticView(StudyView):
    """What the layered sampler sees of a problem."""

    def __init__(self, problem: SyntheticProblem) -> None:
        self.problem = problem

    @cached_property
    def prior(self) -> PriorLosses:
        """That all dimensions matter alike, and that they matter as they cost."""
        ones = np.ones(self.problem.dimensions)
        kept = self.problem.scaled(ones[None])
        costs = cost_shares(lambda rows: self.problem.violation(self.problem.snap(rows)), kept)
        return PriorLosses.squares(np.array([ones, costs]))

    @property
    def dimensions(self) -> Sequence[str]:
        """Their names."""
        return [f"x{index}" for index in range(self.problem.dimensions)]

    def project(self, wanted: Floats, trial: FrozenTrial, fill: bool) -> Floats:
        """Within the problem's budget."""
        return self.problem.project(wanted, fill)

    @staticmethod
    def is_decoded(trial: FrozenTrial) -> bool:
        """Whether the trial remembers it."""
        return KEPT in trial.user_attrs

    def kept(self, trial: FrozenTrial) -> Floats:
        """As the trial remembers it."""
        return np.array(trial.user_attrs[KEPT])

    def allows(self, done: FrozenTrial, trial: FrozenTrial) -> bool:
        """All that are projected do."""
        return True

    def score(self, trial: FrozenTrial) -> float | None:
        """The observed accuracy."""
        return trial.value if trial.state == TrialState.COMPLETE else None


@dataclass(frozen=True)
class Method:
    """A way to search.

    Attributes:
        sampler: by problem and seed.
        projected: whether proposals are scaled to the budget.
        constrained: whether the sampler is told of violations.
    """

    sampler: Callable[[SyntheticProblem, int], BaseSampler]
    projected: bool = False
    constrained: bool = False


def _layered(problem: SyntheticProblem, seed: int) -> BaseSampler:
    return LayeredSampler(SyntheticView(problem), LOWEST, seed)


def _optuna(kind: Callable[..., BaseSampler]) -> Callable[[SyntheticProblem, int], BaseSampler]:
    return lambda problem, seed: kind(seed=seed)


_RANDOM, _TPE = _optuna(optuna.samplers.RandomSampler), _optuna(optuna.samplers.TPESampler)
_CMAES, _NSGAII = _optuna(optuna.samplers.CmaEsSampler), _optuna(optuna.samplers.NSGAIISampler)

PLAIN: Mapping[str, Method] = MappingProxyType(
    {
        "random": Method(_RANDOM),
        "TPE": Method(_TPE),
        "TPE, constraint": Method(_TPE, constrained=True),
        "GP, constraint": Method(_optuna(optuna.samplers.GPSampler), constrained=True),
        "CMA-ES": Method(_CMAES),
        "NSGA-II, constraint": Method(_NSGAII, constrained=True),
    }
)
METHODS: Mapping[str, Method] = MappingProxyType(
    {
        **PLAIN,
        "random, projected": Method(_RANDOM, projected=True),
        "TPE, projected": Method(_TPE, projected=True),
        "CMA-ES, projected": Method(_CMAES, projected=True),
        "NSGA-II, projected": Method(_NSGAII, projected=True),
        DEFAULT: Method(_layered, projected=True),
    }
)


@dataclass(frozen=True)
class Run:
    """One search, figures by trial.

    Attributes:
        observed: accuracy with noise, in points.
        accuracy: without.
        feasible: whether the budget was met.
        ask_ms: processor milliseconds of the proposal.
    """

    method: str
    seed: int
    observed: list[float]
    accuracy: list[float]
    feasible: list[bool]
    ask_ms: list[float]

    @property
    def best(self) -> Floats:
        """Accuracy without noise of the best feasible trial so far, as observed; nan before there is one, (trials,)."""
        curve, best, high = np.full(len(self.observed), np.nan), np.nan, -np.inf
        for index, observed in enumerate(self.observed):
            if self.feasible[index] and observed > high:
                best, high = self.accuracy[index], observed
            curve[index] = best
        return curve


def search(problem: SyntheticProblem, name: str, seed: int, trials: int = TRIALS) -> Run:
    """One run of a method."""
    method = METHODS[name]
    study = optuna.create_study(direction="maximize", sampler=method.sampler(problem, seed))
    noise = np.random.default_rng(seed).normal(0, problem.noise, trials)
    run = Run(name, seed, [], [], [], [])
    for number in range(trials):
        started = time.process_time()
        trial = study.ask()
        wanted = np.array([[trial.suggest_float(f"x{d}", LOWEST, 1.0) for d in range(problem.dimensions)]])
        kept = problem.project(wanted) if method.projected else problem.snap(wanted)
        run.ask_ms.append(1000 * (time.process_time() - started))
        accuracy, violation = float(problem.accuracy(kept)[0]), float(problem.violation(kept)[0])
        run.accuracy.append(accuracy)
        run.observed.append(accuracy + float(noise[number]))
        run.feasible.append(violation <= 0)
        trial.set_user_attr(KEPT, kept[0].tolist())
        if method.constrained:
            trial.set_constraint("budget", violation)
        judged = violation <= 0 or method.constrained
        study.tell(trial, run.observed[-1] if judged else -PENALTY * violation)
    return run


def measure(work: Path, names: Sequence[str], seeds: range) -> None:
    """Run what has not been run yet."""
    optuna.logging.set_verbosity(optuna.logging.ERROR)
    warnings.filterwarnings("ignore", module="optuna")
    work.mkdir(parents=True, exist_ok=True)
    for seed in seeds:
        for name in names:
            path = work / f"{name} {seed}.json"
            if not path.exists():
                run = search(SyntheticProblem.drawn(seed), name, seed)
                path.write_text(json.dumps(asdict(run)), encoding="utf-8")
                print(f"{name}, seed {seed}: {run.best[-1]:.2f}", flush=True)


def read_runs(work: Path) -> dict[str, list[Run]]:
    """Runs by method, in the order of their seeds."""
    all_runs = [Run(**json.loads(path.read_text(encoding="utf-8"))) for path in work.glob("*.json")]
    return {name: sorted((r for r in all_runs if r.method == name), key=lambda run: run.seed) for name in METHODS}


def summary(runs: Mapping[str, Sequence[Run]]) -> list[dict[str, Any]]:
    """A row per method: its best values, and the trials after which its mean reaches the best plain method's last."""
    curves = {name: np.nanmean([run.best for run in own], axis=0) for name, own in runs.items() if own}
    rival = max(float(curves[name][-1]) for name in PLAIN if name in curves)
    return [_row(name, runs[name], curve, rival) for name, curve in curves.items()]


def _row(name: str, runs: Sequence[Run], curve: Floats, rival: float) -> dict[str, Any]:
    last = [run.best[-1] for run in runs]
    reached = np.flatnonzero(curve >= rival)
    return {
        "method": name,
        "default": name == DEFAULT,
        "seeds": len(runs),
        "best_mean": round(float(np.mean(last)), 2),
        "best_std": round(float(np.std(last, ddof=1)) if len(last) > 1 else 0.0, 2),
        "feasible_fraction": round(float(np.mean([run.feasible for run in runs])), 3),
        "trials_to_best_rival": int(reached[0]) + 1 if reached.size else None,
        "ask_ms_at_200": round(float(np.median([run.ask_ms[-10:] for run in runs])), 1),
    }


def picture(runs: Mapping[str, Sequence[Run]]) -> Figure:
    """Mean of the best value against trials, a line per method."""
    figure = Figure()
    for name, own in runs.items():
        if own:
            curve = np.nanmean([run.best for run in own], axis=0)
            dash = "solid" if name == DEFAULT else "dash" if METHODS[name].projected else "dot"
            line = {"width": 4 if name == DEFAULT else 2, "dash": dash}
            figure.add_trace(Scatter(x=np.arange(1, len(curve) + 1), y=curve, name=name, line=line))
    figure.update_xaxes(title="trials").update_yaxes(title="accuracy of the best feasible trial, points")
    return figure.update_layout(template="plotly_white", margin={"t": 20})


def main() -> None:
    """Measure, or summarize what was measured."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("action", choices=("measure", "summarize"))
    parser.add_argument("--work", type=Path, required=True, help="where runs are kept")
    parser.add_argument("--methods", default="|".join(METHODS), help="names, separated by |")
    parser.add_argument("--seeds", default="0-9", help="first and last")
    parser.add_argument("--out", type=Path, default=ROOT / "docs" / "results" / "search_synthetic.json")
    parser.add_argument("--picture", type=Path, default=ROOT / "docs" / "samplers.png")
    arguments = parser.parse_args()
    if arguments.action == "measure":
        first, last = map(int, arguments.seeds.split("-"))
        measure(arguments.work, arguments.methods.split("|"), range(first, last + 1))
        return
    runs = read_runs(arguments.work)
    rows = summary(runs)
    arguments.out.write_text(json.dumps(rows, indent=1) + "\n", encoding="utf-8")
    write_pictures({arguments.picture: picture(runs)})
    print(json.dumps(rows, indent=1))


if __name__ == "__main__":
    main()
