"""The result of one check of a machine."""

from dataclasses import dataclass


@dataclass(frozen=True)
class Check:
    """The result of one check.

    Attributes:
        name: of the check.
        line: the finding.
        advice: what to do; empty where the check passed.
    """

    name: str
    line: str
    advice: str = ""

    @property
    def ok(self) -> bool:
        """Whether the check passed."""
        return not self.advice
