"""Trials for tests of what listens to a search."""

from typing import Any

from compress.parameters import CompressionParameters
from objectives.cost.cost import Cost
from search.study.trial_record import TrialRecord
from tests.search.fixtures.nets import cost
from zoo.tasks.metric import Score

COST: Cost = cost("tiny").cost(CompressionParameters.none())


def record(number: int, **changes: Any) -> TrialRecord:
    """A trial of accuracy 0.5 that leaves the model whole, with these changes."""
    fields = {
        "state": "complete",
        "parameters": CompressionParameters.none(),
        "cost": COST,
        "score": Score({"accuracy": 0.5, "loss": 1.25}),
        "seconds": 2.0,
        "error": None,
        "start": None,
    }
    return TrialRecord(number, **{**fields, **changes})
