"""What a sweep's drops say about dimensions."""

import numpy as np
import pytest

from search.samplers.probes import Probe, store_probe
from search.samplers.sensitivity import Loss, Sensitivity, sensitivity_of
from search.study.storage import open_study


def test_a_loss_goes_through_both_drops():
    """(1 - 0.1) / (1 - 0.5) is 1.8: at the power of three the drop grows 5.832 times."""
    loss = Loss.through({0.5: 0.01, 0.1: 0.05832}, 1)
    assert loss.power == pytest.approx(3)
    np.testing.assert_allclose(loss.at(np.array([1.0, 0.5, 0.1, 0.3])), [0, 0.01, 0.05832, 0.01 * 1.4**3])


def test_a_loss_of_one_drop_grows_with_the_square():
    assert Loss.through({0.5: 0.04}, 1) == Loss(0.04, 0.5, 2)
    assert float(Loss.through({0.5: 0.04}, 1).at(0.0)) == pytest.approx(0.16)


def test_where_all_is_lost_already_the_first_drop_counts():
    """0.6 is less than 3.24 times 0.3: at chance nothing more can be lost."""
    assert Loss.through({0.5: 0.3, 0.1: 0.6}, 1) == Loss(0.3, 0.5, 2)


def test_what_was_noise_at_first_is_taken_from_the_second():
    """0.2 is 2,000 times 0.0001, a power of 13; at most 8 is taken, so that near the second drop it is right."""
    assert Loss.through({0.5: 0.0001, 0.1: 0.2}, 1) == Loss(0.2, 0.1, 8)


def test_those_that_shrank_together_share_the_loss():
    assert Loss.through({0.3: 0.06}, 2) == Loss(0.03, 0.3)
    assert Loss.through({0.3: 0.06, 0.1: 0.6}, 2).drop == pytest.approx(0.3)


def test_the_guess_of_a_sweep_by_hand():
    """0.5 at a half is 2 per square of what is lost; 0.0625 at a half, by the fourth power, is 1.

    At 0.3 they lose 0.98 and 0.2401, 0.61 on average: 0.49 over that is their scale.
    """
    result = Sensitivity({"a": Loss(0.5, 0.5), "b": Loss(0.0625, 0.5, 4.0)}).prior(["a", "b"])
    np.testing.assert_allclose(result.powers, [[2, 4]])
    np.testing.assert_allclose(result.weights, np.array([[2, 1]]) * 0.49 / 0.61005)
    np.testing.assert_allclose(result.of(np.array([[0.3, 0.3]])), [[0.49]])
    # Added: 0.5 and 0.0625, and 0 and the second alone, each half because it is a mean.
    np.testing.assert_allclose(
        result.of(np.array([[0.5, 0.5], [1, 0.5]])), 0.49 / 0.61005 * np.array([[0.28125], [0.03125]])
    )


def test_where_all_losses_are_squares_the_guess_has_weights_of_mean_one():
    """One that could not be judged has the middle weight: 2, 0.5, 0.5 and 0.5, before they have a mean of 1."""
    result = Sensitivity({"a": Loss(0.5, 0.5), "in": Loss(0.045, 0.7), "out": Loss(0.045, 0.7)})
    np.testing.assert_allclose(result.prior(["a", "in", "out"]).weights, [[2, 0.5, 0.5]])
    np.testing.assert_allclose(result.prior(["a", "in", "out", "d"]).weights, np.array([[2, 0.5, 0.5, 0.5]]) / 0.875)


def swept(tmp_path, *made):
    study = open_study(tmp_path, "run", "journal")
    for name, kept, score in (("unpruned", 1.0, 0.9), *made):
        dimensions = {"unpruned": (), "ranks": ("rank_in:x", "rank_out:x")}.get(name, (f"keep:{name}",))
        store_probe(study, Probe(name, dimensions, kept, score, 1.0, "no memory" if score is None else None))
    return sensitivity_of(study)


def test_the_probes_of_a_study(tmp_path):
    result = swept(tmp_path, ("a", 0.5, 0.7), ("ranks", 0.3, 0.6), ("broken", 0.5, None), ("a", 0.1, 0.1))
    assert set(result.losses) == {"keep:a", "rank_in:x", "rank_out:x"}
    assert result.losses["rank_in:x"].drop == pytest.approx(0.15)
    assert float(result.losses["keep:a"].at(0.1)) == pytest.approx(0.8)
    assert float(result.losses["keep:a"].at(0.5)) == pytest.approx(0.2)


def test_drops_without_noise_below_zero(tmp_path):
    """A fiftieth of the largest first drop, 0.5, at least, whatever more is lost at smaller fractions."""
    result = swept(tmp_path, ("a", 0.5, 0.4), ("b", 0.5, 0.91), ("a", 0.1, 0.0), ("ranks", 0.3, 0.895))
    assert result.losses["keep:b"].drop == pytest.approx(0.01)
    assert result.losses["rank_in:x"].drop == pytest.approx(0.005)


def test_where_nothing_is_lost_at_first_the_second_drops_tell_them_apart(tmp_path):
    result = swept(tmp_path, ("a", 0.5, 0.92), ("b", 0.5, 0.9), ("a", 0.1, 0.4), ("b", 0.1, 0.8))
    assert [float(result.losses[name].at(0.1)) for name in ("keep:a", "keep:b")] == pytest.approx([0.5, 0.1])


def test_where_nothing_is_lost_all_losses_are_alike(tmp_path):
    result = swept(tmp_path, ("a", 0.5, 0.92), ("b", 0.5, 0.9))
    assert result.losses == {"keep:a": Loss(1.0, 0.5), "keep:b": Loss(1.0, 0.5)}
