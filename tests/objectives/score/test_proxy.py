"""The proxy as a whole: which images it reads, what it changes, and what it answers."""

import pickle
from dataclasses import replace
from functools import cache
from typing import Any

import keras
import numpy as np
import pytest

from compress.errors import ConfigError, DivergenceError
from objectives.network.distillation import Distillation
from objectives.network.precision import Precision
from objectives.score.proxy import ProxySettings, ScoreProxy
from tests.objectives.images import CLASSES, SHAPE, conv_model, copy, dataset, dense_model, split
from zoo.data.dataset import Normalization, Split
from zoo.tasks.keras_class import KerasClass

SETTINGS = ProxySettings(recalibration_images=40, steps=6, batch_size=16, learning_rate=0.1)


@cache
def shared(precision: Precision | None = SETTINGS.precision) -> ScoreProxy:
    """A proxy that has judged models of other tests before."""
    return ScoreProxy(dataset(), replace(SETTINGS, precision=precision))


class Recorder(Normalization):
    """Remembers the images that went through it, which carry their number as their value."""

    seen: list[list[int]]

    def __call__(self, images: Any) -> Any:
        self.seen.append(images[:, 0, 0, 0].astype(int).tolist())
        return super().__call__(images)


def numbered(first: int, count: int) -> Split:
    images = np.empty((count, *SHAPE), np.float32)
    images[:] = np.arange(first, first + count, dtype=np.float32)[:, None, None, None]
    return Split(images, np.arange(count) % CLASSES)


def test_training_reads_training_images_only_and_scoring_validation_only() -> None:
    recorder = Recorder(1000.0, (0.0, 0.0), (1.0, 1.0))
    object.__setattr__(recorder, "seen", [])
    data = dataset(recorder, train=numbered(0, 50), validation=numbered(100, 21), test=numbered(200, 13))

    ScoreProxy(data, SETTINGS)(conv_model())

    training, recalibration, validation = recorder.seen[:6], recorder.seen[6:8], recorder.seen[8:]
    train = set(range(50))
    assert [len(batch) for batch in recalibration + training] == [16] * 8
    assert len(set(sum(recalibration, []))) == 32
    # Six steps of 16 are two epochs of three whole batches, each image at most once an epoch.
    for epoch in (training[:3], training[3:]):
        assert len(set(sum(epoch, []))) == 48
    assert set(sum(recalibration + training, [])) <= train
    assert training[:3] != training[3:]
    # 21 images in two batches of 11, the second padded by one.
    assert [len(batch) for batch in validation] == [11, 11]
    assert set(sum(validation, [])) == set(range(100, 121))


def test_probes_score_the_same_sample_of_validation_images(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("objectives.score.proxy._PROBE_SCORED", 9)
    monkeypatch.setattr("objectives.score.proxy._PROBE_RECALIBRATED", 32)
    recorder = Recorder(1000.0, (0.0, 0.0), (1.0, 1.0))
    object.__setattr__(recorder, "seen", [])
    proxy = ScoreProxy(dataset(recorder, train=numbered(0, 50), validation=numbered(100, 21)), SETTINGS)
    sampled = []
    for _ in range(2):
        recorder.seen.clear()
        result = proxy.probe(proxy.start(conv_model()))
        sampled.append(set(sum(recorder.seen[2:], [])))
        assert (result.steps, result.recalibration_images) == (0, 32)
        assert set(sum(recorder.seen[:2], [])) <= set(range(50))
    assert sampled[0] == sampled[1] <= set(range(100, 121)) and len(sampled[0]) == 9
    assert sampled[0] != set(range(100, 109))  # The first ones may all be of one class.


@pytest.mark.parametrize(("most", "images"), [(9, 9), (21, 21), (5000, 21), (None, 21)])
def test_every_rung_scores_the_same_validation_images(most: int | None, images: int) -> None:
    recorder = Recorder(1000.0, (0.0, 0.0), (1.0, 1.0))
    object.__setattr__(recorder, "seen", [])
    data = dataset(recorder, train=numbered(0, 50), validation=numbered(100, 21))
    settings = replace(SETTINGS, validation_images=most)
    proxy, drawn = ScoreProxy(data, settings), [100 + number for number in settings.scored(data.validation)]
    assert len(drawn) == images and drawn != list(range(100, 109))  # The first ones may all be of one class.
    repair = proxy.start(conv_model())
    for steps in (0, 6):
        recorder.seen.clear()
        result = proxy.rung(repair, steps)
        scored = [number for batch in recorder.seen for number in batch if number >= 100]
        assert sorted(set(scored)) == drawn
        assert result.score == proxy.score(repair, data.validation.take(settings.scored(data.validation)))


@pytest.mark.parametrize("name", ["float32", "mixed_bfloat16"])
def test_a_machine_judges_in_what_it_is_fastest_in_unless_told(monkeypatch: pytest.MonkeyPatch, name: Any) -> None:
    monkeypatch.setattr("objectives.score.proxy.fast_precision", lambda jit_compile: Precision(name))
    chosen = ScoreProxy(dataset(), replace(SETTINGS, precision=None))
    told, exact = shared(Precision(name)), shared()
    assert chosen.precision == told.precision == Precision(name)
    loss = chosen(conv_model()).score.loss
    assert told(conv_model()).score.loss == loss
    assert (exact(conv_model()).score.loss == loss) is (name == "float32")


def test_the_answer_is_the_accuracy_and_loss_on_the_validation_split() -> None:
    data, model, proxy = dataset(), conv_model(), shared()
    repair = proxy.start(model)
    result = proxy.rung(repair, 6)
    repair.write_to(model)
    probabilities = np.asarray(model(data.normalization(data.validation.images)), np.float64)
    own = probabilities[np.arange(21), data.validation.targets]
    assert result.score.figures["accuracy"] == (probabilities.argmax(1) == data.validation.targets).mean()
    assert result.score.loss == pytest.approx(-np.log(own).mean(), rel=1e-5)
    assert (result.steps, result.recalibration_images) == (6, 32)
    assert result.seconds > 0


def test_steps_teach_the_model() -> None:
    data = dataset(train=split(200, 1), validation=split(200, 2))
    model, proxy = conv_model(), ScoreProxy(data, replace(SETTINGS, steps=100))
    before = proxy.rung(proxy.start(model), 0)
    after = proxy(model)
    assert after.score.figures["accuracy"] > before.score.figures["accuracy"] + 0.2
    assert after.score.loss < before.score.loss


def test_without_steps_only_moving_statistics_change() -> None:
    model = conv_model()
    trainable = [weight.numpy() for weight in model.trainable_variables]
    mean = model.get_layer("bn").moving_mean.numpy()
    proxy = shared()
    repair = proxy.start(model)
    result = proxy.rung(repair, 0)
    repair.write_to(model)
    for weight, old in zip(model.trainable_variables, trainable, strict=True):
        np.testing.assert_array_equal(weight.numpy(), old)
    assert (model.get_layer("bn").moving_mean.numpy() != mean).all()
    assert (result.steps, result.recalibration_images) == (0, 32)


def test_the_caller_s_model_is_not_touched() -> None:
    model = conv_model()
    before = model.get_weights()
    shared()(model)
    for weight, old in zip(model.get_weights(), before, strict=True):
        np.testing.assert_array_equal(weight, old)


def test_a_candidate_is_judged_alike_whoever_was_judged_before() -> None:
    first, second, proxy = conv_model(), conv_model(seed=1), shared()
    alone = ScoreProxy(dataset(), SETTINGS)(first)
    proxy(second)
    assert replace(proxy(first), seconds=0.0) == replace(alone, seconds=0.0)


def test_a_candidate_climbs_from_rung_to_rung_as_in_one_go() -> None:
    model, proxy = conv_model(), shared()
    alone = ScoreProxy(dataset(), SETTINGS)
    whole = alone.rung(alone.start(model), 11)
    repair = proxy.start(model)
    low = proxy.rung(repair, 4)
    with pytest.raises(ConfigError, match="expected at least the 4 steps taken, received 3"):
        proxy.rung(repair, 3)
    high = proxy.rung(repair, 11)
    assert low.score.loss != high.score.loss
    assert replace(high, seconds=0.0) == replace(whole, seconds=0.0)


def test_distillation_pulls_towards_the_original_s_outputs() -> None:
    data = dataset(train=split(200, 1), validation=split(200, 2))
    original, model = conv_model(seed=2), conv_model()
    # The labels say something else than the original, and do not count at a weight of 1.
    expected = np.asarray(original(data.normalization(data.validation.images)))
    plain, mixed, soft = (
        ScoreProxy(data, replace(SETTINGS, distillation=distillation), original)
        for distillation in (None, Distillation(weight=0.5), Distillation(weight=1.0))
    )

    def distance(proxy: ScoreProxy, steps: int = 60) -> float:
        repair = proxy.start(model)
        proxy.rung(repair, steps)
        received = repair.outputs(data.validation)
        return float(np.sum(expected * np.log(expected / received), axis=1).mean())

    assert distance(soft) < 0.5 * distance(plain, steps=0)
    assert distance(soft) < distance(mixed) < distance(plain)


def test_distillation_needs_the_original() -> None:
    with pytest.raises(ConfigError, match="proxy.distillation: expected the original model, received none"):
        ScoreProxy(dataset(), replace(SETTINGS, distillation=Distillation()))


def test_copies_of_a_model_score_alike_and_another_seed_differs() -> None:
    model, data = conv_model(), dataset()
    results = [proxy(copy(model)) for proxy in (shared(), ScoreProxy(data, SETTINGS))]
    other = ScoreProxy(data, replace(SETTINGS, seed=1))(copy(model))
    assert results[0].score == results[1].score
    assert other.score.loss != results[0].score.loss


def test_the_proxy_travels_to_a_worker() -> None:
    proxy, model = ScoreProxy(dataset(), SETTINGS), conv_model()
    twin = copy(model)
    assert pickle.loads(pickle.dumps(proxy))(twin).score == shared()(model).score


def test_arrays_that_cannot_be_written_are_enough() -> None:
    data = dataset()
    for part in (data.train, data.validation):
        part.images.flags.writeable = part.targets.flags.writeable = False
    assert 0 <= ScoreProxy(data, SETTINGS)(conv_model()).score.figures["accuracy"] <= 1


def test_an_absurd_learning_rate_is_a_divergence() -> None:
    inputs = keras.Input(SHAPE)
    x = keras.layers.ReLU()(keras.layers.Conv2D(8, 3)(inputs))
    x = keras.layers.ReLU()(keras.layers.Conv2D(8, 2)(x))
    model = keras.Model(inputs, keras.layers.Dense(CLASSES, activation="softmax")(keras.layers.Flatten()(x)))
    with pytest.raises(DivergenceError, match=r"step \d+ of 30 with learning rate 1e\+06; lower the learning rate"):
        ScoreProxy(dataset(), replace(SETTINGS, steps=30, learning_rate=1e6))(model)


@pytest.mark.parametrize("steps", [0, 1])
def test_a_loss_that_is_not_finite_after_the_last_step_is_a_divergence(steps: int) -> None:
    model = dense_model()
    if steps == 0:
        model.layers[-1].bias.assign([np.nan, 0, 0])
    settings = replace(SETTINGS, steps=steps, learning_rate=3e38)
    with pytest.raises(
        DivergenceError, match=f"expected a finite validation loss, received (nan|inf) after step {steps}"
    ):
        ScoreProxy(dataset(), settings)(model)


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"recalibration_images": 0}, "proxy.recalibration_images: expected an integer of at least 1, received 0"),
        ({"validation_images": 0}, "proxy.validation_images: expected an integer of at least 1, received 0"),
        ({"steps": -1}, "proxy.steps: expected an integer of at least 0, received -1"),
        ({"batch_size": 0}, "proxy.batch_size: expected an integer of at least 1, received 0"),
        ({"learning_rate": 0.0}, "proxy.learning_rate: expected a number above 0, received 0.0"),
        ({"learning_rate": float("nan")}, "proxy.learning_rate: expected a number above 0, received nan"),
        (
            {"optimizer": KerasClass("SGD", {"momentum": 7.0})},
            "proxy.optimizer: expected options that SGD takes, .*momentum",
        ),
        ({"reconstruction_images": -1}, "proxy.reconstruction_images: expected an integer of at least 0, received -1"),
        ({"seed": -1}, "proxy.seed: expected an integer of at least 0, received -1"),
    ],
)
def test_impossible_settings_are_refused(change: dict[str, Any], message: str) -> None:
    with pytest.raises(ConfigError, match=message):
        ProxySettings(**change)
