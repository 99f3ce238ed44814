"""One rise and one fall of the learning rate (Smith & Topin 2018, "Super-Convergence"), from and to PyTorch's ends.

The momentum stays: Keras's optimizers take no schedule of it.
"""

from zoo.training.schedule import Rate, ScheduleKind, check_share, warmed_up

_START, _END = 1 / 25, 4e-6
"""Where the rise begins and the fall ends, as shares of the learning rate."""


def rate(learning_rate: float, steps: int, *, rise: float = 0.3) -> Rate:
    """Up to the learning rate over a share of all steps, linearly, then down along half a cosine.

    Raises:
        ConfigError: a share that leaves no steps for the fall.
    """
    check_share("rise", rise)
    return warmed_up(learning_rate, steps, rise, start=_START, end=_END)


ONE_CYCLE = ScheduleKind("one_cycle", "rises from a 25th of itself, then falls along half a cosine", rate)
