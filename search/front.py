"""The front of a run: what is not beaten in score by anything as cheap or cheaper."""

from collections.abc import Iterable, Sequence
from typing import TypeVar

from objectives.limit import Limit
from objectives.quantity import Quantity
from search.finalist import Finalist
from search.trial_record import TrialRecord

Point = TrialRecord | Finalist
"""A point of a front: a trial, judged by a short repair, or a finalist, judged after the whole recipe."""

_Point = TypeVar("_Point", TrialRecord, Finalist)


def front(found: Iterable[_Point], quantity: Quantity) -> list[_Point]:
    """The judged candidates that none dominates, by rising cost and so by rising score.

    One dominates another that costs at least as much and scores at most as much, or was judged at a lower rung. Of
    those that are equal in both, the one of the lower loss stays, and of the same loss the first.
    """
    judged = [point for point in found if point.accuracy is not None and point.cost is not None]
    points: list[_Point] = []
    ranked = sorted(judged, key=lambda point: point.rank, reverse=True)
    for point in sorted(ranked, key=lambda point: cost_of(point, quantity)):
        # The last part of a rank is the loss, which only decides between equals.
        if not points or point.rank[:-1] > points[-1].rank[:-1]:
            points.append(point)
    return points


def points(trials: Sequence[TrialRecord], finalists: Sequence[Finalist], quantity: Quantity) -> list[Point]:
    """What a run offers, by rising cost: the front of its finalists, and that of its trials where none was a finalist.

    Scores after fine-tuning are compared with each other only, and so are those after a short repair.
    """
    tuned = {finalist.source for finalist in finalists if finalist.accuracy is not None}
    repaired = [trial for trial in front(trials, quantity) if trial.source not in tuned]
    # Of equal costs what is fine-tuned comes last: it is the better known, and `best_within` takes the last.
    offered: list[Point] = [*repaired, *front(finalists, quantity)]
    return sorted(offered, key=lambda point: cost_of(point, quantity))


def best_within(offered: Sequence[Point], limit: Limit) -> Point | None:
    """The last of a run's points, by rising cost, that meets a limit; None where none does."""
    meeting = [point for point in offered if point.cost is not None and limit.violation(point.cost) <= 0]
    return meeting[-1] if meeting else None


def cost_of(point: Point, quantity: Quantity) -> float:
    """A judged point's figure of the quantity."""
    return 0.0 if point.cost is None else quantity.of(point.cost)
