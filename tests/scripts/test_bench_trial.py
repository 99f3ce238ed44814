"""The trial benchmark's arithmetic, and that both ways do the work that is timed."""

from types import SimpleNamespace

import numpy as np

from compress.parameters import CompressionParameters
from objectives.accuracy import AccuracyProxy, ProxySettings
from objectives.candidates import Candidates
from scripts.bench_trial import Clock, case, plain_recalibration, plain_steps, shared
from tests.objectives.images import conv_model, dataset, split

PARAMETERS = CompressionParameters({}, {})


def test_medians_and_ratios():
    clock = Clock()
    clock.seconds = {"a": [1.0, 9.0, 3.0]}
    assert clock.median("a") == 3.0
    assert case("x", 10.0, 4.0) == {"name": "x", "plain_seconds": 10.0, "ours_seconds": 4.0, "ratio": 2.5}


def test_every_part_of_a_trial_is_timed():
    data = dataset(train=split(40, 1))
    proxy = AccuracyProxy(data, ProxySettings(recalibration_images=32, batch_size=16))
    model = conv_model()
    bench = SimpleNamespace(
        data=data,
        model=model,
        config=SimpleNamespace(recipe=("prune",)),
        proxy=lambda **changes: proxy,
        candidate=lambda number: PARAMETERS,
    )
    clock = Clock()
    plain_steps(bench, PARAMETERS, clock)
    plain_recalibration(bench, PARAMETERS, clock)
    shared(bench, proxy, Candidates(model, proxy, ("prune",)), 0, 2, clock)
    assert list(clock.seconds) == [
        *("plain: build", "plain: fit", "plain: evaluate", "plain: recalibrate"),
        *("ours: load", "ours: steps", "ours: recalibrate", "ours: score"),
    ]
    assert all(np.min(seconds) > 0 for seconds in clock.seconds.values())
