"""The lines of a training: figures of every epoch, and the time that is left."""

from types import SimpleNamespace

import pytest

from search.pipeline import resumable_training
from search.pipeline.resumable_training import EpochLines

FIGURES = {"loss": 1.5, "val_loss": 2.0, "val_accuracy": 0.25}


@pytest.fixture
def clock(monkeypatch) -> SimpleNamespace:
    now = SimpleNamespace(seconds=1000.0)
    monkeypatch.setattr(resumable_training.time, "monotonic", lambda: now.seconds)
    return now


def fitted(clock, step_seconds: float, *, steps: int | None, epochs: int, done: int = 0) -> list[str]:
    """The lines of a training whose first step takes a minute more, for it is traced, and validation 5 seconds."""
    said: list[str] = []
    lines = EpochLines(epochs, "accuracy", said.append)
    lines.set_params({"steps": steps})
    lines.set_model(SimpleNamespace(optimizer=SimpleNamespace(learning_rate=0.1)))
    for epoch in range(done, epochs):
        lines.on_epoch_begin(epoch)
        clock.seconds += 60.0 if epoch == done else 0.0
        for batch in range(steps or 10):
            clock.seconds += step_seconds
            lines.on_train_batch_end(batch, FIGURES)
        clock.seconds += 5.0
        lines.on_epoch_end(epoch, FIGURES)
    return said


def test_the_first_steps_say_how_long_it_takes(clock):
    """Steps of 2 seconds: 15 are over after the ninth, when 3 x 100 - 9 are left. An epoch takes
    205, tracing aside."""
    assert fitted(clock, 2.0, steps=100, epochs=3) == [
        "  epoch 1/3: step 9 of 100; about 10 min left",
        "  epoch 1/3: loss 1.5000, validation loss 2.0000, accuracy 0.2500, learning rate 0.1; about 7 min left",
        "  epoch 2/3: loss 1.5000, validation loss 2.0000, accuracy 0.2500, learning rate 0.1; about 3 min left",
        "  epoch 3/3: loss 1.5000, validation loss 2.0000, accuracy 0.2500, learning rate 0.1",
    ]


def test_a_training_that_is_resumed_counts_its_own_epochs(clock):
    said = fitted(clock, 2.0, steps=100, epochs=10, done=8)
    assert said[0] == "  epoch 9/10: step 9 of 100; about 6 min left"
    assert said[1].endswith("; about 3 min left") and said[2].endswith("learning rate 0.1")


def test_short_epochs_and_those_of_unknown_length_are_told_at_their_end(clock):
    for step_seconds, steps in ((1.0, 10), (60.0, None)):
        said = fitted(clock, step_seconds, steps=steps, epochs=2)
        assert [line[:17] for line in said] == ["  epoch 1/2: loss", "  epoch 2/2: loss"]
