"""The layered sampler: a Gaussian process over the fractions that candidates keep of each layer, within the budget."""

from collections import deque
from collections.abc import Mapping, Sequence
from functools import cache
from typing import Any

import numpy as np
from numpy.typing import NDArray
from optuna.distributions import BaseDistribution, FloatDistribution
from optuna.samplers import BaseSampler, RandomSampler
from optuna.study import Study
from optuna.trial import FrozenTrial, TrialState
from threadpoolctl import ThreadpoolController

from search.samplers.acquisition import propose
from search.samplers.sampler import Options, SamplerContext, Samplers, sampler
from search.samplers.study_view import StudyView
from search.samplers.surrogate import Surrogate
from search.space.space import PREFERENCE

Floats = NDArray[np.float64]
RANDOM_TRIALS = 6
"""Default number of trials, starts included, before the surrogate proposes."""

_FEWEST = 2

_REMEMBERED = 256
"""Trials that the surrogate learns from: its cost grows with their square, and at first with their cube."""

_RECENT = 1000
"""Latest trials that are not proposed again, besides the remembered ones; comparing with all would take ever longer."""

_RUNNING_EACH = 32
"""Running trials per additional proposal that is made together with the next one."""


class LayeredSampler(BaseSampler):
    """Proposes the candidate with the largest expected improvement of a Gaussian process over kept fractions.

    A preference alone means little: what it decodes to depends on all others and on the budget. So the surrogate sees
    the fractions that are kept, and the acquisition is maximized among candidates that just meet the budget. A failed
    trial counts as the worst score, a running one as the score that the surrogate expects. The first trials are random.

    Args:
        view: the study: its dimensions, their projection, and what trials kept and scored.
        lowest: the smallest preference; the largest is 1.
        seed: of all random choices, together with the number of the trial.
        random_trials: trials, starts included, before the surrogate proposes.
        ahead: proposals that were made together with an earlier one and are used next; None to make each separately.

    Raises:
        ValueError: fewer random trials than 2.
    """

    def __init__(
        self,
        view: StudyView,
        lowest: float,
        seed: int,
        random_trials: int = RANDOM_TRIALS,
        ahead: deque[Floats] | None = None,
    ) -> None:
        if random_trials < _FEWEST:
            raise ValueError(f"expected random_trials of at least {_FEWEST}, received {random_trials!r}")
        self._view, self._lowest = view, lowest
        self._seed, self._random_trials, self._ahead = seed, random_trials, ahead
        self._independent = RandomSampler(seed=seed)

    def infer_relative_search_space(self, study: Study, trial: FrozenTrial) -> dict[str, BaseDistribution]:
        """All dimensions, from the first trial on."""
        return {name: FloatDistribution(self._lowest, 1.0) for name in self._view.dimensions}

    def sample_relative(
        self, study: Study, trial: FrozenTrial, search_space: Mapping[str, BaseDistribution]
    ) -> dict[str, Any]:
        """Preferences of the next trial by name: random for the first trials, then by the surrogate."""
        rng, names = np.random.default_rng((self._seed, trial.number)), self._view.dimensions
        if self._ahead:
            return dict(zip(names, self._ahead.popleft().tolist(), strict=True))
        done, failed, running = self._tried(study)
        if len(done) + len(failed) + len(running) < self._random_trials or len(done) < _FEWEST:
            wanted = rng.uniform(self._lowest, 1.0, len(names))
        else:
            # On one core: the others belong to the workers, and the sums do not depend on the number of cores.
            with _blas().limit(limits=1, user_api="blas"):
                wanted, *others = self._learned(trial, done, failed, running, rng)
            if self._ahead is not None:
                self._ahead.extend(others)
        return dict(zip(names, wanted.tolist(), strict=True))

    def _learned(
        self,
        trial: FrozenTrial,
        done: Sequence[FrozenTrial],
        failed: Sequence[FrozenTrial],
        running: Sequence[FrozenTrial],
        rng: np.random.Generator,
    ) -> Floats:
        """Preferences (N, D) with the largest expected improvement by a surrogate of the trials.

        N rises with the number of running trials: for a thousand workers, one proposal at a time would be too slow.
        """
        judged = [*done, *failed]
        figures = [self._view.score(one) or 0.0 for one in done]
        scores = np.array(figures + [min(figures)] * len(failed))
        known = remembered(scores)
        latest = np.argsort([one.number for one in judged], kind="stable")[-_RECENT:]
        seen = np.union1d(known, latest)
        kept, is_done = self._kept([judged[one] for one in seen]), seen < len(done)
        surrogate = Surrogate(kept[np.isin(seen, known)], scores[known], self._view.prior)
        expected = surrogate.mean(kept[is_done])
        allowed = np.array([self._view.allows(judged[one], trial) for one in seen[is_done]])
        pending = self._kept(running)
        return propose(
            surrogate.fantasize(pending),
            lambda rows, fill: self._view.project(rows, trial, fill),
            np.concatenate([kept, pending]),
            float(expected[allowed if allowed.any() else slice(None)].max()),
            self._lowest,
            rng,
            1 if self._ahead is None else 1 + len(running) // _RUNNING_EACH,
        )

    def _tried(self, study: Study) -> tuple[list[FrozenTrial], list[FrozenTrial], list[FrozenTrial]]:
        """Trials with a score, trials that failed, and trials without a score yet, of those that are decoded."""
        decoded = [one for one in study.get_trials(deepcopy=False) if self._view.is_decoded(one)]
        done = [one for one in decoded if self._view.score(one) is not None]
        failed = [one for one in decoded if one.state == TrialState.FAIL and self._view.score(one) is None]
        running = [one for one in decoded if one.state == TrialState.RUNNING and self._view.score(one) is None]
        return done, failed, running

    def _kept(self, trials: Sequence[FrozenTrial]) -> Floats:
        """Fractions that trials keep, (n, D)."""
        rows = [self._view.kept(one) for one in trials]
        return np.array(rows).reshape(len(rows), len(self._view.dimensions))

    def sample_independent(
        self, study: Study, trial: FrozenTrial, param_name: str, param_distribution: BaseDistribution
    ) -> Any:
        """A random value for a parameter that is no dimension of the search space."""
        return self._independent.sample_independent(study, trial, param_name, param_distribution)

    def reseed_rng(self) -> None:
        """Seed independent sampling anew; all other random choices follow from the seed and the trial's number."""
        self._independent.reseed_rng()


def remembered(scores: Floats, most: int = _REMEMBERED) -> NDArray[np.intp]:
    """Indices of at most ``most`` scores to learn from, ascending: half of them the best, half spread over the rest."""
    if len(scores) <= most:
        return np.arange(len(scores))
    order, half = np.argsort(-scores, kind="stable"), most // 2
    spread = np.linspace(half, len(scores) - 1, most - half).round().astype(int)
    return np.sort(np.concatenate([order[:half], order[spread]]))


@cache
def _blas() -> ThreadpoolController:
    """The thread pools of this process's libraries; looking for them takes milliseconds."""
    return ThreadpoolController()


@sampler(
    "layered",
    "Gaussian process over what candidates keep of each layer",
    "random_trials",
    needs_projection=True,
)
def layered(context: SamplerContext, options: Options) -> Samplers:
    """All that it learns is in the study; the view remembers what it has read of that."""
    view = StudyView(context.space, context.budget, context.levels, context.sensitivity)
    # Of a front each proposal is for the budget of its own trial.
    ahead: deque[Floats] | None = None if context.levels is not None else deque()
    return lambda trial: LayeredSampler(view, PREFERENCE.low, context.seed, ahead=ahead, **options)
