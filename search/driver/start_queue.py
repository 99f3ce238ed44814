"""Queues the starts of a run, informed first proposals, in its study: at its budget, or at the levels of its front."""

from collections.abc import Callable, Mapping

import optuna

from compress.parameters import CompressionParameters
from objectives.budget.budget import Budget
from search.space.levels import Levels
from search.space.projection import Projection
from search.space.space import LOWEST_PREFERENCE, Preferences, SearchSpace
from search.study.trial_record import LEVEL, SENSITIVITY_START, START


def enqueue_starts(study: optuna.Study, starts: dict[str, dict[str, float]]) -> None:
    """Queue starts as the first trials; those already in the study are left out.

    Args:
        study: of the run.
        starts: preferences by the name of the start.
    """
    # By name: Optuna compares preferences with those of all trials, which takes seconds per start in a long study.
    known = {trial.user_attrs.get(START) for trial in study.get_trials(deepcopy=False)}
    for name, wanted in starts.items():
        if name not in known:
            study.enqueue_trial(clipped(wanted), user_attrs={START: name}, skip_if_exists=True)


def clipped(wanted: Preferences) -> dict[str, float]:
    """Preferences, clipped to the range that samplers propose from."""
    return {dimension: min(1.0, max(LOWEST_PREFERENCE, value)) for dimension, value in wanted.items()}


Starts = Mapping[str, dict[str, float]]
"""Preferences by the name of the start."""


def distinct(
    starts: Starts, space: SearchSpace, budget: Budget, note: Callable[[str], None]
) -> dict[str, dict[str, float]]:
    """The starts without those that become another one's candidate on the budget, such as ranks that save nothing.

    note: takes a line on those that are left out.
    """
    project = Projection(space, budget)
    tried: dict[str, CompressionParameters] = {}
    same: dict[str, str] = {}
    # The sweep's start keeps its name, by which it takes part in the finals.
    for name in sorted(starts, key=lambda name: name != SENSITIVITY_START):
        parameters = project(space.row(clipped(starts[name]))).parameters
        first = next((known for known, other in tried.items() if other == parameters), None)
        if first is None:
            tried[name] = parameters
        else:
            same[name] = first
    if same:
        pairs = ", ".join(f"'{name}' as '{first}'" for name, first in same.items())
        note(f"starts that are the same candidate at this budget are tried once: {pairs}")
    return {name: wanted for name, wanted in starts.items() if name in tried}


def queue_starts(
    study: optuna.Study, starts_at: Callable[[Budget], Starts], budget: Budget, levels: Levels | None
) -> None:
    """Queue the starts of a budget, or of each level of a front; those already in the study are left out.

    A level of a front gets every second start, its neighbours the others, which leaves most trials to the sampler.
    """
    if levels is None:
        enqueue_starts(study, dict(starts_at(budget)))
        return
    known = {(trial.user_attrs.get(START), trial.user_attrs.get(LEVEL)) for trial in study.get_trials(deepcopy=False)}
    for level, own in enumerate(levels.budgets):
        for name, wanted in list(starts_at(own).items())[level % 2 :: 2]:
            # Equal preferences at two levels are two trials: Optuna's own check would drop the second.
            if (name, level) not in known:
                study.enqueue_trial(clipped(wanted), user_attrs={START: name, **levels.attributes(level)})
