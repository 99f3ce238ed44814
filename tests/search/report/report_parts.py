"""Records and parameters for tests of the report's figures."""

from compress.parameters import CompressionParameters
from objectives.accuracy.metric import Score
from objectives.cost.cost import Cost
from search.study.trial_record import TrialRecord

COST = Cost(1_000_000, 10, 40)
PARAMETERS = CompressionParameters({"conv1": 0.3, "add": 0.9}, {"conv2": (3, 7)})


def record(number: int, accuracy: float | None, start: str | None = None) -> TrialRecord:
    """A trial, failed where it has no accuracy."""
    state, error = ("complete", None) if accuracy is not None else ("failed", "out of memory")
    return TrialRecord(
        number, state, PARAMETERS, COST, None if accuracy is None else Score(accuracy, 0.5), 1.0, error, start
    )


def by_name(figure):
    """The traces of a figure, by the name in its legend."""
    return {trace.name: trace for trace in figure.data}
