"""What an experiment tracker is, and what every tracker shows of a trial."""

from typing import Protocol

from search.study.trial_record import TrialRecord


class Tracker(Protocol):
    """Stores trials in TensorBoard or MLflow; an error that it raises does not stop the search."""

    @property
    def place(self) -> str:
        """The tracker's name and location, for messages."""

    def known(self) -> set[str]:
        """The sources of the trials that it holds already."""

    def add(self, record: TrialRecord) -> None:
        """Keep one more."""


def settings_of(record: TrialRecord) -> dict[str, float]:
    """The parameters of a trial, flat: a ratio for each group, two ranks for each decomposed layer."""
    ranks = record.parameters.ranks.items()
    inner = {f"{layer}.in_rank": float(pair[0]) for layer, pair in ranks}
    outer = {f"{layer}.out_rank": float(pair[1]) for layer, pair in ranks}
    return {**{f"{group}.ratio": ratio for group, ratio in record.parameters.ratios.items()}, **inner, **outer}


def metrics_of(record: TrialRecord) -> dict[str, float]:
    """The figures that a trial has: its score, its cost and the worker's seconds."""
    score = {} if record.score is None else record.score.figures
    cost = {"flops": record.cost.flops, "params": record.cost.params, **record.cost.others}
    figures = {**score, **cost, "seconds": record.seconds}
    return {name: float(value) for name, value in figures.items() if value is not None}
