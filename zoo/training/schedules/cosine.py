"""A learning rate that falls along half a cosine (Loshchilov & Hutter 2017, "SGDR", equation 5, one period)."""

from compress.errors import ConfigError
from zoo.training.schedule import Rate, ScheduleKind, check_share, warmed_up


def rate(learning_rate: float, steps: int, *, warm_up: float = 0, end: float = 0) -> Rate:
    """From the learning rate to `end` times it, after a linear rise from 0 over a share of the steps.

    Raises:
        ConfigError: a share that leaves no steps, or an end above 1.
    """
    check_share("warm_up", warm_up)
    if end > 1:
        raise ConfigError(f"schedule.options.end: expected at most 1, a share of the learning rate, received {end:g}")
    return warmed_up(learning_rate, steps, warm_up, start=0.0, end=end)


COSINE = ScheduleKind("cosine", "falls along half a cosine", rate)
