"""The surrogate against formulas written out, and what its prior claims."""

from dataclasses import replace

import numpy as np
import pytest
from scipy.optimize import approx_fprime

from search.samplers.surrogate import Hyperparameters, PriorLosses, Surrogate, _Grams, _negative_log_posterior

ALIKE = PriorLosses.squares(np.ones((1, 6)))


def data(count=20, dimensions=6, noise=0.0, seed=0):
    rng = np.random.default_rng(seed)
    kept = rng.uniform(0.1, 1, (count, dimensions))
    weights = np.exp(rng.normal(size=dimensions))
    return kept, 80 - 10 * (1 - kept) ** 2 @ weights + rng.normal(0, noise, count)


def test_covariance_by_hand():
    """Two candidates of two dimensions that lose (0.5, 0) and (0.5, 1), both believed to matter alike.

    Trend (1, 3 x mean square loss) = (1, 0.375), (1, 1.875): 4 + 0.375 x 1.875 together. Linear 4/2 x 0.25 = 0.5,
    quadratic 4/2 x 0.0625 = 0.125, squared distance 12/2 x 1 = 6.
    """
    one, other = np.array([[0.5, 1.0]]), np.array([[0.5, 0.0]])
    grams = _Grams.of(one, other, PriorLosses.squares(np.ones((1, 2))))
    assert grams.trend.item() == pytest.approx(4 + 0.375 * 1.875)
    assert (grams.linear.item(), grams.quadratic.item()) == pytest.approx((0.5, 0.125))
    assert grams.distance.item() == pytest.approx(6)
    parts = Hyperparameters(linear=2, quadratic=3, joint=0.5, length=2, noise=0.1)
    r = np.sqrt(5 * 6 / 4)
    expected = 4 + 0.375 * 1.875 + 2 * 0.5 + 3 * 0.125 + 0.5 * (1 + r + r**2 / 3) * np.exp(-r)
    assert grams.covariance(parts).item() == pytest.approx(expected)


def test_beliefs_weigh_the_trend():
    """Of losses (0.5, 0) and (0.5, 1) a belief in the second dimension alone sees the second."""
    one, other = np.array([[0.5, 1.0]]), np.array([[0.5, 0.0]])
    grams = _Grams.of(one, other, PriorLosses.squares(np.array([[0.0, 2.0], [2.0, 0.0]])))
    # 3 x mean of 2 x (0, 0) and (0, 1) is 0 and 3; of 2 x (0.25, 0) twice 0.75.
    assert grams.trend.item() == pytest.approx(4 + 0 * 3 + 0.75 * 0.75)


def test_data_tell_which_belief_is_true():
    """Forty dimensions, of which the odd ones matter: with that among the guesses, few scores suffice."""
    rng = np.random.default_rng(0)
    kept, odd = rng.uniform(0.1, 1, (60, 40)), np.arange(40) % 2 * 2.0
    scores = 80 - (1 - kept) ** 2 @ odd
    alike = np.ones((1, 40))
    result = [
        np.corrcoef(Surrogate(kept[:12], scores[:12], PriorLosses.squares(weights)).mean(kept[12:]), scores[12:])[0, 1]
        for weights in (alike, np.concatenate([alike, odd[None]]))
    ]
    assert result[0] < 0.7 < 0.85 < result[1]


def test_where_the_guess_is_expected_to_leave_little_it_is_believed_sooner():
    """Four scores that a guess of ten dimensions explains: far from them it is followed."""
    rng = np.random.default_rng(1)
    kept, weights = rng.uniform(0.5, 1, (4, 10)), rng.uniform(0, 2, (1, 10))
    guess = PriorLosses.squares(weights)
    sure = replace(guess, rest=Hyperparameters(linear=0.03, quadratic=0.03, joint=0.1))
    scores, far = 80 - guess.of(kept)[:, 0], rng.uniform(0.1, 0.4, (20, 10))
    plain, believing = (Surrogate(kept, scores, prior).predict(far) for prior in (guess, sure))
    np.testing.assert_allclose(believing[0], 80 - guess.of(far)[:, 0], atol=1.5)
    assert (believing[1] < plain[1]).all()


def test_gradient_is_that_of_the_value():
    kept, scores = data(noise=1.0)
    grams, targets = _Grams.of(kept, kept, ALIKE), (scores - scores.mean()) / scores.std()
    for logs in (Hyperparameters().logs, np.array([-1.0, 0.5, 0.2, 0.4, -2.0])):
        _, gradient = _negative_log_posterior(logs, grams, targets, ALIKE.rest)
        numeric = approx_fprime(logs, lambda x: _negative_log_posterior(x, grams, targets, ALIKE.rest)[0], 1e-6)
        np.testing.assert_allclose(gradient, numeric, rtol=1e-3, atol=1e-3)


def test_prediction_is_that_of_the_formula():
    """Rasmussen & Williams, equations 2.25 and 2.26, with the matrices inverted as they stand."""
    kept, scores = data(noise=0.5)
    new = np.random.default_rng(1).uniform(0.1, 1, (5, 6))
    surrogate = Surrogate(kept, scores, ALIKE)
    parts, ones = surrogate._parts, ALIKE
    own = _Grams.of(kept, kept, ones).covariance(parts) + (parts.noise + 1e-6) * np.eye(20)
    cross, prior = _Grams.of(new, kept, ones).covariance(parts), _Grams.of(new, new, ones).covariance(parts)
    targets = (scores - scores.mean()) / scores.std()
    mean, deviation = surrogate.predict(new)
    np.testing.assert_allclose(mean, cross @ np.linalg.inv(own) @ targets * scores.std() + scores.mean(), rtol=1e-6)
    variance = np.diag(prior - cross @ np.linalg.inv(own) @ cross.T)
    np.testing.assert_allclose(deviation, np.sqrt(variance) * scores.std(), rtol=1e-4)


def test_scores_without_noise_are_remembered():
    kept, scores = data()
    mean, deviation = Surrogate(kept, scores, ALIKE).predict(kept)
    np.testing.assert_allclose(mean, scores, atol=0.5)
    far = Surrogate(kept, scores, ALIKE).predict(np.full((1, 6), 0.1))[1]
    assert deviation.max() < far.item()


def test_it_ranks_unseen_candidates():
    kept, scores = data(count=70, dimensions=40, noise=0.5)
    surrogate = Surrogate(kept[:50], scores[:50], PriorLosses.squares(np.ones((1, 40))))
    assert np.corrcoef(surrogate.mean(kept[50:]), scores[50:])[0, 1] > 0.8


def test_with_hardly_any_scores_whole_candidates_are_thought_better():
    kept = np.array([[0.5, 0.4, 0.6], [0.6, 0.6, 0.7]])
    mean = Surrogate(kept, np.array([10.0, 20.0]), PriorLosses.squares(np.ones((1, 3)))).mean(
        np.array([[0.2, 0.2, 0.2], [0.9, 0.9, 0.9]])
    )
    assert mean[1] - mean[0] > 5


def test_dead_candidates_do_not_stretch_the_scale():
    """Two of chance accuracy among twenty: nobody else's prediction changes by how dead they are."""
    kept, scores = data(noise=0.5)
    dead, deader = scores.copy(), scores.copy()
    dead[:2], deader[:2] = -500.0, -5000.0
    new = np.random.default_rng(1).uniform(0.1, 1, (5, 6))
    np.testing.assert_array_equal(Surrogate(kept, dead, ALIKE).mean(new), Surrogate(kept, deader, ALIKE).mean(new))


def test_equal_scores_are_no_error():
    kept, _ = data()
    mean, deviation = Surrogate(kept, np.full(20, 0.5), ALIKE).predict(kept)
    np.testing.assert_allclose(mean, 0.5, atol=1e-6)
    assert np.isfinite(deviation).all()


def test_belief_changes_no_expectation_and_lowers_curiosity():
    kept, scores = data(noise=0.5)
    surrogate, new = Surrogate(kept, scores, ALIKE), np.random.default_rng(1).uniform(0.1, 1, (3, 6))
    fantasize = surrogate.fantasize(new[:1])
    (mean, deviation), (after, certain) = surrogate.predict(new), fantasize.predict(new)
    np.testing.assert_allclose(after, mean, rtol=1e-6)
    assert certain[0] < 0.7 * deviation[0] and np.all(certain <= deviation + 1e-9)
    assert surrogate.fantasize(np.empty((0, 6))) is surrogate
