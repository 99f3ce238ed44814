"""What a sweep's drops say about dimensions."""

import numpy as np
import pytest

from search.samplers.sensitivity import Probe, Sensitivity, sensitivity_of, store_probe
from search.study.storage import open_study


def test_drops_without_noise_below_zero():
    """A fiftieth of the largest at least; the middle one of 0.01, 0.2 and 0.5 where nothing is known."""
    result = Sensitivity({"a": 0.5, "b": -0.01, "c": 0.2}, dict.fromkeys("abc", 0.5))
    assert result.robust_drops("abcd") == pytest.approx({"a": 0.5, "b": 0.01, "c": 0.2, "d": 0.2})


def test_where_nothing_is_lost_all_drops_are_alike():
    assert Sensitivity({"a": -0.1, "b": 0.0}, {"a": 0.5, "b": 0.5}).robust_drops("ab") == {"a": 1.0, "b": 1.0}


def test_weights_by_hand():
    """0.5 at a half is 2 per square of what is lost; 0.09 at 0.7 is 1, shared by two that shrank together."""
    result = Sensitivity({"a": 0.5, "in": 0.09, "out": 0.09}, {"a": 0.5, "in": 0.7, "out": 0.7}, {"in": 2, "out": 2})
    np.testing.assert_allclose(result.weights(["a", "in", "out"]), np.array([2, 0.5, 0.5]))
    # Of one that could not be judged, the middle weight: 2, 0.5, 0.5 and 0.5, before they have a mean of 1.
    np.testing.assert_allclose(result.weights(["a", "in", "out", "d"]), np.array([2, 0.5, 0.5, 0.5]) / 0.875)


def test_what_shrank_together_is_counted(tmp_path):
    study = open_study(tmp_path, "run", "journal")
    store_probe(study, Probe("unpruned", (), 1.0, 0.9, 1.0))
    store_probe(study, Probe("group", ("keep:group",), 0.5, 0.7, 1.0))
    store_probe(study, Probe("ranks of layer", ("rank_in:layer", "rank_out:layer"), 0.3, 0.6, 1.0))
    store_probe(study, Probe("broken", ("keep:broken",), 0.5, None, 1.0, "no memory"))
    result = sensitivity_of(study)
    assert result.drops == pytest.approx({"keep:group": 0.2, "rank_in:layer": 0.3, "rank_out:layer": 0.3})
    assert result.together == {"keep:group": 1, "rank_in:layer": 2, "rank_out:layer": 2}
