"""What one look at a machine has shown."""

from dataclasses import dataclass


@dataclass(frozen=True)
class Check:
    """The result of one check.

    Attributes:
        name: of what was looked at.
        line: what was seen.
        advice: what to do; empty where all is well.
    """

    name: str
    line: str
    advice: str = ""

    @property
    def ok(self) -> bool:
        """Whether there is nothing to do."""
        return not self.advice
