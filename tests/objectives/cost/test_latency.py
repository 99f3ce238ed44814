"""Medians of a clock that is given, and one real measurement of each runtime, compared with nothing but itself."""

from itertools import accumulate, cycle

import keras
import pytest

from compress.errors import ModelError
from objectives.cost.latency import Latency, LatencySettings, measure_latency
from tests.search.fixtures.nets import tiny


def test_median_and_interquartile_range_by_hand():
    # Of 1, 2, 3, 4, 100 microseconds the quartiles are 2, 3 and 4.
    result = Latency.of([4e-6, 1e-6, 100e-6, 2e-6, 3e-6])
    assert (result.low, result.median, result.high, result.spread, result.runs) == pytest.approx(
        (2.0, 3.0, 4.0, 2.0, 5)
    )


@pytest.mark.parametrize("runtime", ["litert", "keras"])
def test_every_run_is_timed_and_no_other(runtime):
    # A clock that is asked before and after each pass, which takes 5, 7 and 9 milliseconds in turn.
    ticks = accumulate(cycle([0.0, 0.005, 1.0, 0.007, 1.0, 0.009]))
    settings = LatencySettings(runtime, warm_up=4, runs=3)
    asked = []
    result = measure_latency(tiny(), settings, lambda: asked.append(next(ticks)) or asked[-1])
    assert len(asked) == 6
    assert (result.median, result.spread) == pytest.approx((7000.0, 2000.0))


@pytest.mark.parametrize("runtime", ["litert", "keras"])
def test_a_real_measurement(runtime):
    result = measure_latency(tiny(), LatencySettings(runtime, threads=1, batch=3, warm_up=1, runs=9))
    assert result.runs == 9 and result.median > 0 and result.spread >= 0


def test_several_inputs():
    inputs = [keras.Input((4, 4, 2)), keras.Input((4, 4, 2))]
    model = keras.Model(inputs, [keras.layers.Add()(inputs), keras.layers.Subtract()(inputs)])
    for runtime in ("litert", "keras"):
        assert measure_latency(model, LatencySettings(runtime, warm_up=0, runs=1)).runs == 1


def test_an_input_of_no_fixed_size_is_refused():
    inputs = keras.Input((None, None, 3))
    model = keras.Model(inputs, keras.layers.Conv2D(2, 1)(inputs), name="wide")
    with pytest.raises(ModelError, match="model 'wide': expected inputs of a fixed size.*received .*None, None, 3"):
        measure_latency(model, LatencySettings())


def test_what_litert_cannot_run_is_told():
    class Numpy(keras.layers.Layer):
        def call(self, x):
            import tensorflow as tf

            return tf.numpy_function(lambda a: a, [x], tf.float32)

        def compute_output_shape(self, shape):
            return shape

    inputs = keras.Input((2,))
    with pytest.raises(ModelError, match="model 'odd' cannot be run by LiteRT: .*; set latency.runtime: keras"):
        measure_latency(keras.Model(inputs, Numpy()(inputs), name="odd"), LatencySettings())
