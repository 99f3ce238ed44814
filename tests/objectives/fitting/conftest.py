"""What tests of trainings record."""

import pytest

from tests.objectives.fitting.two_outputs import Losses


@pytest.fixture
def losses(monkeypatch):
    """The losses of the trainings of tasks, one a step."""
    monkeypatch.setattr(Losses, "seen", [])
    monkeypatch.setattr("objectives.fitting.loop.DivergenceGuard", Losses)
    return Losses.seen
