"""The settings and figures of a trial as flat dictionaries, for experiment trackers."""

from search.study.trial_record import TrialRecord


def settings_of(record: TrialRecord) -> dict[str, float]:
    """What a trial was made of, flat: a ratio for each group, two ranks for each decomposed layer."""
    ranks = record.parameters.ranks.items()
    inner = {f"{layer}.in_rank": float(pair[0]) for layer, pair in ranks}
    outer = {f"{layer}.out_rank": float(pair[1]) for layer, pair in ranks}
    return {**{f"{group}.ratio": ratio for group, ratio in record.parameters.ratios.items()}, **inner, **outer}


def metrics_of(record: TrialRecord) -> dict[str, float]:
    """Figures of a trial, as far as it has them: score, cost and the worker's seconds."""
    score = {} if record.score is None else record.score.figures
    cost = {"flops": record.cost.flops, "params": record.cost.params, **record.cost.others}
    figures = {**score, **cost, "seconds": record.seconds}
    return {name: float(value) for name, value in figures.items() if value is not None}
