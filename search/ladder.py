"""The rungs that a trial may climb."""

from dataclasses import dataclass
from itertools import pairwise

from compress.errors import ConfigError


@dataclass(frozen=True)
class Ladder:
    """Rungs from cheap to thorough.

    Attributes:
        steps: SGD steps in all at each rung, rising; every trial is judged at the first.
        one_in: of the trials judged at a rung, one in so many goes on to the next.

    Raises:
        ConfigError: no rung, steps that do not rise, or a factor below 1.
    """

    steps: tuple[int, ...] = (30,)
    one_in: int = 3

    def __post_init__(self) -> None:
        if not self.steps or any(after <= before for before, after in pairwise(self.steps)):
            raise ConfigError(f"rungs: expected steps that rise from rung to rung, received {list(self.steps)}")
        if self.one_in < 1:
            raise ConfigError(f"rungs.one_in: expected an integer of at least 1, received {self.one_in}")

    @property
    def last(self) -> int:
        """Index of the last rung."""
        return len(self.steps) - 1
