"""One learning rate throughout."""

from zoo.training.schedule import Rate, ScheduleKind, check_share, warmed_up


def rate(learning_rate: float, steps: int, *, warm_up: float = 0) -> Rate:
    """The learning rate, after a linear rise from 0 over a share of the steps.

    Raises:
        ConfigError: a share that leaves no steps.
    """
    check_share("warm_up", warm_up)
    return warmed_up(learning_rate, steps, warm_up, start=0.0, end=1.0) if warm_up else learning_rate


CONSTANT = ScheduleKind("constant", "stays as it is", rate)
