"""One search of a front against a search per budget, on synthetic problems.

python -m scripts.bench.search.front docs/results/front.json --trials 60 --seeds 8

Every seed draws a problem of its own (scripts/bench/synthetic_problem.py), whose budget is the tightest; the widest is
2.5 times that. All proposals are by Optuna's TPE, projected. A front gets all trials, two separate searches half of
them each. What counts is the accuracy without noise, at both budgets, of the trial of the highest observed accuracy
there.
"""

import argparse
import json
from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from types import MappingProxyType
from typing import Any

import numpy as np
import optuna

from scripts.bench.synthetic_problem import Floats, SyntheticProblem
from search.space.levels import van_der_corput

LOWEST, WIDER = 0.1, 2.5

Values = Callable[[float, SyntheticProblem, Floats], list[float]]
"""Values of a trial in the study, by its observed accuracy, the problem at its level, and what it keeps, (1, D)."""


def _score(observed: float, problem: SyntheticProblem, kept: Floats) -> list[float]:
    return [observed]


def _allowed(observed: float, problem: SyntheticProblem, kept: Floats) -> list[float]:
    return [observed, problem.budget]


def _exact(observed: float, problem: SyntheticProblem, kept: Floats) -> list[float]:
    return [observed, problem.budget * (1 + float(problem.violation(kept)[0]))]


FRONTS: Mapping[str, tuple[int, Values]] = MappingProxyType(
    {
        "front of 2": (2, _allowed),
        "front of 4": (4, _allowed),
        "front of 4, told the exact cost": (4, _exact),
        "front of 4, told the score alone": (4, _score),
    }
)
"""Levels, and what the study holds of a trial."""


def levels(problem: SyntheticProblem, count: int) -> list[SyntheticProblem]:
    """The problem at budgets up to the widest, in equal factors."""
    return [replace(problem, budget=problem.budget * WIDER ** (level / (count - 1))) for level in range(count)]


def search(problems: Sequence[SyntheticProblem], trials: int, seed: int, values_of: Values) -> list[float]:
    """Accuracy without noise of the trial of the highest observed accuracy, at every level."""
    directions = ["maximize", "minimize"][: len(values_of(0.0, problems[0], np.ones((1, problems[0].dimensions))))]
    sampler = optuna.samplers.TPESampler(seed=seed, n_startup_trials=8)
    study = optuna.create_study(directions=directions, sampler=sampler)
    rng = np.random.default_rng(seed + 1000)
    best = [(-np.inf, -np.inf)] * len(problems)
    for number in range(trials):
        trial, level = study.ask(), int(van_der_corput(number) * len(problems))
        problem = problems[level]
        wanted = [trial.suggest_float(f"x{index}", LOWEST, 1) for index in range(problem.dimensions)]
        kept = problem.project(np.array([wanted]))
        accuracy = float(problem.accuracy(kept)[0])
        observed = accuracy + rng.normal(0, problem.noise)
        study.tell(trial, values_of(observed, problem, kept))
        best[level] = max(best[level], (observed, accuracy))
    return [accuracy for _, accuracy in best]


def measured(trials: int, seeds: int) -> list[dict[str, Any]]:
    """Accuracies of every method at the tightest and the widest budget: mean and standard deviation over the seeds."""
    values: dict[str, list[list[float]]] = {name: [] for name in ("separate searches", *FRONTS)}
    for seed in range(seeds):
        problem = SyntheticProblem.drawn(seed)
        ends = levels(problem, 2)
        values["separate searches"].append([search([end], trials // 2, seed, _score)[0] for end in ends])
        for name, (count, values_of) in FRONTS.items():
            reached = search(levels(problem, count), trials, seed, values_of)
            values[name].append([reached[0], reached[-1]])
    return [_entry(name, np.array(rows), trials) for name, rows in values.items()]


def _entry(name: str, rows: Floats, trials: int) -> dict[str, Any]:
    mean, deviation = rows.mean(axis=0).round(2).tolist(), rows.std(axis=0, ddof=1).round(2).tolist()
    figures = {
        "tightest_mean": mean[0],
        "tightest_std": deviation[0],
        "widest_mean": mean[1],
        "widest_std": deviation[1],
    }
    return {"method": name, "trials": trials, "seeds": len(rows), **figures}


def main() -> None:
    """Measure and write."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("out", type=Path)
    parser.add_argument("--trials", type=int, default=60)
    parser.add_argument("--seeds", type=int, default=8)
    arguments = parser.parse_args()
    optuna.logging.set_verbosity(optuna.logging.ERROR)
    entries = measured(arguments.trials, arguments.seeds)
    arguments.out.write_text(json.dumps(entries, indent=2) + "\n", encoding="utf-8")


if __name__ == "__main__":
    main()
