"""The trial benchmark's arithmetic, and that both ways do the work that is timed."""

from types import SimpleNamespace

import numpy as np

from compress.parameters import CompressionParameters
from objectives.network.precision import Precision
from objectives.score.proxy import ProxySettings, ScoreProxy
from scripts.bench.objectives.trial import EVERY, Clock, Ours, Plain, case, cases
from tests.objectives.images import conv_model, dataset, split

PARAMETERS = CompressionParameters({}, {})


def test_medians_and_ratios():
    clock = Clock()
    clock.seconds = {"a": [1.0, 9.0, 3.0]}
    assert clock.median("a") == 3.0
    assert case("x", 10.0, 4.0) == {"name": "x", "plain_seconds": 10.0, "ours_seconds": 4.0, "ratio": 2.5}


def test_cases_say_what_each_way_computed_in():
    clock = Clock()
    clock.seconds = {"plain, float32, 30": [8.0], "plain, float32, 0": [4.0], "plain, mixed_bfloat16, 30": [6.0]}
    clock.seconds |= {"ours, float32, 30": [4.0], "ours, float32, 0": [1.0]}
    clock.seconds |= {"ours, mixed_bfloat16, 30": [2.0], "ours, mixed_bfloat16, 0": [0.5]}
    clock.seconds |= {name + EVERY: [2 * one for one in times] for name, times in clock.seconds.items()}
    result = {made["name"]: made for made in cases(clock, [Precision(), Precision("mixed_bfloat16")])}
    ratios = {
        **{"30 steps": 4.0, "recalibration alone": 8.0, "recalibration alone, against 30 plain steps": 16.0},
        **{"30 steps, float32": 2.0, "recalibration alone, float32": 4.0},
        **{"recalibration alone, against 30 plain steps, float32": 8.0, "30 steps, both mixed_bfloat16": 3.0},
    }
    received = {name: made["ratio"] for name, made in result.items()}
    assert received == ratios | {name + EVERY: ratio / 2 for name, ratio in ratios.items()}
    precisions = [result[name]["ours_precision"] for name in ("30 steps", "30 steps, float32")]
    assert precisions == ["mixed_bfloat16", "float32"]
    assert [made["ratio"] for made in cases(clock, [Precision()])] == [2.0, 4.0, 8.0, 1.0, 2.0, 4.0]


def test_every_part_of_a_trial_is_timed():
    data = dataset(train=split(40, 1))
    proxy = ScoreProxy(data, ProxySettings(recalibration_images=32, validation_images=5, batch_size=16))
    model = conv_model()
    bench = SimpleNamespace(
        data=data,
        model=model,
        config=SimpleNamespace(recipe=("prune",)),
        proxy=lambda **changes: proxy,
        candidate=lambda number: PARAMETERS,
    )
    clock = Clock()
    plain = Plain(bench, Precision("mixed_bfloat16"))
    plain.steps(PARAMETERS, clock)
    plain.recalibration(PARAMETERS, clock)
    scored: list[int] = []
    plainly, proxy.score = proxy.score, lambda repair, part: scored.append(len(part)) or plainly(repair, part)
    for every in (False, True):
        Ours(bench, Precision()).judge(0, 2, clock, every)
    assert scored == [5, len(data.validation)]
    assert list(clock.seconds) == [
        *(f"plain, mixed_bfloat16: {work}" for work in ("build", "fit", "evaluate", "recalibrate")),
        *(
            f"ours, float32: {work}"
            for work in ("load", "steps", "recalibrate", "score as in a search", "score every image")
        ),
    ]
    assert all(np.min(seconds) > 0 for seconds in clock.seconds.values())
