"""Proposals for ResNet50 (CIFAR-100) at NPTK's published budgets: how near to the budget, and what each costs.

python -m scripts.bench.search.proposals

No model is trained: trials score by a made-up function of what they keep. All groups and all decomposable convolutions
are searched, on NPTK's grid of 0.1. All but the last ten trials are random, which costs nothing; those are the default
sampler's.
"""

import argparse
import json
import time
from pathlib import Path
from typing import Any

import numpy as np
import optuna
from optuna.trial import TrialState

from compress.graph.analysis import analyse
from compress.parameters import DEFAULT_RECIPE, CompressionParameters
from objectives.budget.budget import Budget
from objectives.cost.cost_model import CostModel
from search.samplers.registry import samplers
from search.samplers.sampler import SamplerContext
from search.space.projection import Projection
from search.space.space import SearchSpace, suggested
from search.space.space_arrays import SpaceSettings
from search.study.judgement import Judgement, Rung, keep_rung
from search.study.trial_record import describe, finish
from zoo.models.registry import build_model
from zoo.tasks.metric import Score

ROOT = Path(__file__).parents[3]
BUDGETS = ("403.6M", "224.7M")
DEFAULT = "layered"
LEARNED = 10


def run(space: SearchSpace, amount: str, trials: int) -> dict[str, Any]:
    """Search a budget with the default sampler: cost of the last proposals, and of all what they leave unused."""
    budget = Budget.parse({"flops": amount}, space.cost.cost(CompressionParameters.none()))
    sampler = samplers(DEFAULT, {"random_trials": trials - LEARNED}, SamplerContext(0, space, budget))
    study = optuna.create_study(direction="maximize")
    weights = np.exp(np.random.default_rng(0).normal(size=len(space.dimensions)))
    seconds, used = [], []
    for number in range(trials):
        started = time.process_time()
        study.sampler = sampler(number)
        trial = study.ask()
        candidate = Projection(space, budget)(suggested(trial, space.dimensions))
        seconds.append(time.process_time() - started)
        used.append(1 + budget.violation(candidate.cost))
        describe(trial, candidate.parameters, candidate.cost, None)
        kept = space.arrays.fractions(*space.cost.candidate(candidate.parameters))[0]
        score = Score({"accuracy": float(1 - (1 - kept) ** 2 @ weights / weights.sum()), "loss": 1.0})
        keep_rung(trial, Rung(0, score, score.figures["accuracy"]))
        finish(study, trial, Judgement(score, 0.0))
    done = len(study.get_trials(deepcopy=False, states=(TrialState.COMPLETE,)))
    return {
        "budget": amount,
        "trials": done,
        "dimensions": len(space.dimensions),
        "least_used": round(min(used), 4),
        "most_used": round(max(used), 4),
        "ask_and_decode_ms": round(1000 * float(np.median(seconds[-LEARNED:])), 1),
    }


def main() -> None:
    """Measure, and write the figures."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--trials", type=int, default=500)
    parser.add_argument("--out", type=Path, default=ROOT / "docs" / "results" / "proposals.json")
    arguments = parser.parse_args()
    optuna.logging.set_verbosity(optuna.logging.ERROR)
    space = SearchSpace(CostModel(analyse(build_model("resnet50"))), SpaceSettings(), DEFAULT_RECIPE)
    results = [run(space, amount, arguments.trials) for amount in BUDGETS]
    arguments.out.write_text(json.dumps(results, indent=1) + "\n", encoding="utf-8")
    print(json.dumps(results, indent=1))


if __name__ == "__main__":
    main()
