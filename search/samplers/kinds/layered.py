"""The sampler that knows the layers: it learns from what candidates keep, and proposes only what meets the budget."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from functools import cache
from typing import Any, Self

import numpy as np
from numpy.typing import NDArray
from optuna.distributions import BaseDistribution, FloatDistribution
from optuna.samplers import BaseSampler, RandomSampler
from optuna.study import Study
from optuna.trial import FrozenTrial, TrialState
from scipy.special import log_ndtr, ndtr
from threadpoolctl import ThreadpoolController

from search.samplers.sampler import Options, SamplerContext, Samplers, sampler
from search.samplers.study_view import StudyView
from search.samplers.surrogate import Surrogate
from search.space.space import PREFERENCE

Floats = NDArray[np.float64]
Project = Callable[[Floats, bool], Floats]
"""Preferences (N, D) to the fractions (N, D) that candidates keep, each just within the budget; whether to fill up."""

_ROUNDS, _POPULATION, _ELITES = 10, 160, 20
_FRESH = 40
"""Proposals of the first round that are random; the others descend from the best so far."""

_MIXES = (0.0, 0.0, 0.2, 0.5)
"""Shares of dimensions that a descendant takes from a second parent."""

_CHANGES = (0.15, 0.4, 0.8)
"""Standard deviations of the logarithm by which preferences change."""


@dataclass(frozen=True)
class _Pool:
    """Proposals, what they keep, and what they are worth: (N, D), (N, D) and (N,)."""

    wanted: Floats
    kept: Floats
    worth: Floats

    def best(self, count: int) -> Self:
        """The most worthy, each candidate once."""
        _, first = np.unique(np.round(self.kept, 6), axis=0, return_index=True)
        order = first[np.argsort(-self.worth[first], kind="stable")][:count]
        return type(self)(self.wanted[order], self.kept[order], self.worth[order])

    def joined(self, other: "_Pool") -> Self:
        """The proposals of both pools."""
        pairs = ((self.wanted, other.wanted), (self.kept, other.kept), (self.worth, other.worth))
        return type(self)(*(np.concatenate(pair) for pair in pairs))


def propose(
    surrogate: Surrogate, project: Project, seen: Floats, target: float, lowest: float, rng: np.random.Generator
) -> Floats:
    """Preferences (D,) of the candidate with the largest expected improvement on a target.

    An evolutionary search over candidates that all meet the budget: descendants of the best change a few preferences
    or mix two parents, and are projected.

    Args:
        surrogate: predicts scores.
        project: brings preferences to the budget.
        seen: what the candidates that were tried keep, (n, D).
        target: the score to improve on.
        lowest: the smallest preference; the largest is 1.
        rng: of all random choices.
    """
    parents = seen[np.argsort(-surrogate.mean(seen), kind="stable")[:_ELITES]]

    def pool(wanted: Floats, fill: bool = False) -> _Pool:
        kept = project(wanted, fill)
        return _Pool(wanted, kept, log_expected_improvement(*surrogate.predict(kept), target))

    elites = pool(np.clip(parents, lowest, 1)).joined(pool(rng.uniform(lowest, 1, (_FRESH, seen.shape[1]))))
    for _ in range(_ROUNDS):
        elites = elites.joined(pool(_descendants(elites.kept, lowest, rng))).best(_ELITES)
    full = pool(elites.wanted, fill=True).best(_ELITES)
    # One by one: together they would be a gigabyte after some ten thousand trials.
    fresh = [not (np.abs(seen - kept).max(axis=1) < 1e-9).any() for kept in full.kept]
    return np.asarray(full.wanted[int(np.argmax(fresh))])


def _descendants(parents: Floats, lowest: float, rng: np.random.Generator) -> Floats:
    """Proposals (N, D) from what parents (n, D) keep."""
    shape = (_POPULATION, parents.shape[1])
    first, second = (parents[rng.integers(0, len(parents), _POPULATION)] for _ in range(2))
    mixed = np.where(rng.random(shape) < rng.choice(_MIXES, (_POPULATION, 1)), second, first)
    # Between about one and a third of the dimensions.
    rate = np.exp(rng.uniform(np.log(min(0.35, 1.5 / shape[1])), np.log(0.35), (_POPULATION, 1)))
    change = rng.choice(_CHANGES, (_POPULATION, 1)) * rng.normal(size=shape) * (rng.random(shape) < rate)
    return np.asarray(np.clip(mixed * np.exp(change), lowest, 1))


def log_expected_improvement(mean: Floats, deviation: Floats, target: float) -> Floats:
    """Logarithm of the expected excess over a target, (N,), also where it is too small for a float.

    Ament et al. 2023, "Unexpected Improvements to Expected Improvement for Bayesian Optimization".
    """
    z = (mean - target) / deviation
    density = np.exp(-(z**2) / 2) / np.sqrt(2 * np.pi)
    near = np.log(np.maximum(density + z * ndtr(z), 1e-300))
    # Far below, the excess is the density times 1 + z ndtr / density, about 1 / z squared.
    far = np.minimum(z, -1.0)
    ratio = far * np.exp(log_ndtr(far) + far**2 / 2) * np.sqrt(2 * np.pi)
    tail = -(far**2) / 2 - np.log(np.sqrt(2 * np.pi)) + np.log(np.maximum(1 + ratio, 1 / (far**2 + 3)))
    return np.asarray(np.log(deviation) + np.where(z > -1, near, tail))


RANDOM_TRIALS = 10
"""Trials, starts included, before the surrogate is asked, unless another number is given."""

_FEWEST = 2

_REMEMBERED = 256
"""Trials that the surrogate learns from: its cost grows with their square, and at first with their cube."""


class LayeredSampler(BaseSampler):
    """Proposes the largest expected improvement of a Gaussian process over what candidates keep of each layer.

    Preferences say little by themselves: what they decode to depends on all others and on the budget. So the surrogate
    sees the fractions that are kept, and the acquisition is searched among candidates that just meet the budget. Trials
    that failed count as the worst, running ones as what is expected of them. The first trials are random.

    Args:
        view: the dimensions, how they are projected, what trials kept and scored.
        lowest: the smallest preference; the largest is 1.
        seed: of all random choices, together with the number of the trial.
        random_trials: trials, starts included, before the surrogate is asked.

    Raises:
        ValueError: fewer random trials than 2.
    """

    def __init__(self, view: StudyView, lowest: float, seed: int, random_trials: int = RANDOM_TRIALS) -> None:
        if random_trials < _FEWEST:
            raise ValueError(f"expected random_trials of at least {_FEWEST}, received {random_trials!r}")
        self._view, self._lowest = view, lowest
        self._seed, self._random_trials = seed, random_trials
        self._independent = RandomSampler(seed=seed)

    def infer_relative_search_space(self, study: Study, trial: FrozenTrial) -> dict[str, BaseDistribution]:
        """All dimensions, whatever was tried before."""
        return {name: FloatDistribution(self._lowest, 1.0) for name in self._view.dimensions}

    def sample_relative(
        self, study: Study, trial: FrozenTrial, search_space: Mapping[str, BaseDistribution]
    ) -> dict[str, Any]:
        """Preferences of the next trial: at random before enough is known."""
        rng, names = np.random.default_rng((self._seed, trial.number)), self._view.dimensions
        done, failed, running = self._tried(study)
        if len(done) + len(failed) + len(running) < self._random_trials or len(done) < _FEWEST:
            wanted = rng.uniform(self._lowest, 1.0, len(names))
        else:
            # On one core: the others belong to the workers, and so sums do not depend on how many there are.
            with _blas().limit(limits=1, user_api="blas"):
                wanted = self._learned(trial, done, failed, running, rng)
        return dict(zip(names, wanted.tolist(), strict=True))

    def _learned(
        self,
        trial: FrozenTrial,
        done: Sequence[FrozenTrial],
        failed: Sequence[FrozenTrial],
        running: Sequence[FrozenTrial],
        rng: np.random.Generator,
    ) -> Floats:
        """Preferences (D,) with the largest expected improvement, by a surrogate of the trials."""
        judged = [self._view.score(one) or 0.0 for one in done]
        kept, scores = self._kept([*done, *failed]), np.array(judged + [min(judged)] * len(failed))
        known = remembered(scores)
        surrogate = Surrogate(kept[known], scores[known], self._view.prior_weights)
        expected = surrogate.mean(kept[: len(done)])
        allowed = np.array([self._view.allows(one, trial) for one in done])
        return propose(
            surrogate.fantasize(self._kept(running)),
            lambda rows, fill: self._view.project(rows, trial, fill),
            np.concatenate([kept, self._kept(running)]),
            float(expected[allowed if allowed.any() else slice(None)].max()),
            self._lowest,
            rng,
        )

    def _tried(self, study: Study) -> tuple[list[FrozenTrial], list[FrozenTrial], list[FrozenTrial]]:
        """Trials with a score, trials that failed, and those whose score is not known yet, each decoded."""
        decoded = [one for one in study.get_trials(deepcopy=False) if self._view.kept(one) is not None]
        done = [one for one in decoded if self._view.score(one) is not None]
        failed = [one for one in decoded if one.state == TrialState.FAIL and self._view.score(one) is None]
        running = [one for one in decoded if one.state == TrialState.RUNNING and self._view.score(one) is None]
        return done, failed, running

    def _kept(self, trials: Sequence[FrozenTrial]) -> Floats:
        """What they keep, (n, D)."""
        rows = [kept for one in trials if (kept := self._view.kept(one)) is not None]
        return np.array(rows).reshape(len(rows), len(self._view.dimensions))

    def sample_independent(
        self, study: Study, trial: FrozenTrial, param_name: str, param_distribution: BaseDistribution
    ) -> Any:
        """A random value, of what is no preference of the search."""
        return self._independent.sample_independent(study, trial, param_name, param_distribution)

    def reseed_rng(self) -> None:
        """Random choices follow from the seed and the trial's number alone, also for several processes."""
        self._independent.reseed_rng()


def remembered(scores: Floats, most: int = _REMEMBERED) -> NDArray[np.intp]:
    """Which trials to learn from, ascending: all, or the better half of as many as may be, and the rest evenly."""
    if len(scores) <= most:
        return np.arange(len(scores))
    order, half = np.argsort(-scores, kind="stable"), most // 2
    spread = np.linspace(half, len(scores) - 1, most - half).round().astype(int)
    return np.sort(np.concatenate([order[:half], order[spread]]))


@cache
def _blas() -> ThreadpoolController:
    """The libraries of this process that have threads of their own; looking for them takes milliseconds."""
    return ThreadpoolController()


@sampler(
    "layered",
    "Gaussian process over what candidates keep of each layer",
    "random_trials",
    needs_projection=True,
)
def layered(context: SamplerContext, options: Options) -> Samplers:
    """All that it learns is in the study; the view remembers what it has read of that."""
    sensitivity = context.sensitivity
    measured = None if sensitivity is None else sensitivity.weights(context.space.dimensions)
    view = StudyView(context.space, context.budget, context.levels, measured)
    return lambda trial: LayeredSampler(view, PREFERENCE.low, context.seed, **options)
