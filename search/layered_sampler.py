"""The sampler that knows the layers: it learns from what candidates keep, and proposes only what meets the budget."""

from collections.abc import Mapping, Sequence
from typing import Any, Protocol

import numpy as np
from numpy.typing import NDArray
from optuna.distributions import BaseDistribution, FloatDistribution
from optuna.samplers import BaseSampler, RandomSampler
from optuna.study import Study
from optuna.trial import FrozenTrial, TrialState

from search.acquisition import propose
from search.surrogate import Surrogate

Floats = NDArray[np.float64]

RANDOM_TRIALS = 10
"""Trials, starts included, before the surrogate is asked."""


class Landscape(Protocol):
    """What the sampler has to know of a search."""

    @property
    def dimensions(self) -> Sequence[str]:
        """Names of the D preferences."""

    @property
    def relevance(self) -> Floats | None:
        """How much each dimension is thought to matter, (D,), or None."""

    def project(self, wanted: Floats, trial: FrozenTrial, fill: bool) -> Floats:
        """What proposals (N, D) keep of every dimension, (N, D), within the budget of this trial."""

    def kept(self, trial: FrozenTrial) -> Floats | None:
        """What a trial kept, (D,); None where it was never decoded."""

    def score(self, trial: FrozenTrial) -> float | None:
        """What is maximized, comparable between all trials; None where it is not known yet."""


class LayeredSampler(BaseSampler):
    """Proposes the largest expected improvement of a Gaussian process over what candidates keep of each layer.

    Preferences say little by themselves: what they decode to depends on all others and on the budget. So the surrogate
    sees the fractions that are kept, and the acquisition is searched among candidates that just meet the budget. Trials
    that failed count as the worst, running ones as what is expected of them. The first trials are random.

    Args:
        landscape: the dimensions, how they are projected, what trials kept and scored.
        lowest: the smallest preference; the largest is 1.
        seed: of all random choices.
    """

    def __init__(self, landscape: Landscape, lowest: float, seed: int) -> None:
        self._landscape, self._lowest = landscape, lowest
        self._seed = seed
        self._random = RandomSampler(seed=seed)

    def infer_relative_search_space(self, study: Study, trial: FrozenTrial) -> dict[str, BaseDistribution]:
        """All dimensions, whatever was tried before."""
        return {name: FloatDistribution(self._lowest, 1.0) for name in self._landscape.dimensions}

    def sample_relative(
        self, study: Study, trial: FrozenTrial, search_space: Mapping[str, BaseDistribution]
    ) -> dict[str, Any]:
        """Preferences of the next trial; none before enough is known, so that they are drawn at random."""
        done, running = self._tried(study)
        if len(done) + len(running) < RANDOM_TRIALS or len(done) < 2:
            return {}
        kept = np.array([found for found, _ in done])
        surrogate = Surrogate(kept, np.array([score for _, score in done]), self._landscape.relevance)
        wanted = propose(
            surrogate.believing(np.array(running).reshape(-1, kept.shape[1])),
            lambda rows, fill: self._landscape.project(rows, trial, fill),
            np.concatenate([kept, *(row[None] for row in running)]),
            self._lowest,
            np.random.default_rng((self._seed, trial.number)),
        )
        return dict(zip(self._landscape.dimensions, wanted.tolist(), strict=True))

    def _tried(self, study: Study) -> tuple[list[tuple[Floats, float]], list[Floats]]:
        """What trials kept and scored, those that failed at the lowest score; and what unfinished ones keep."""
        done, failed, running = [], [], []
        for trial in study.get_trials(deepcopy=False):
            kept = self._landscape.kept(trial)
            if kept is None:
                continue
            score = self._landscape.score(trial)
            if score is not None:
                done.append((kept, score))
            elif trial.state == TrialState.FAIL:
                failed.append(kept)
            elif trial.state == TrialState.RUNNING:
                running.append(kept)
        worst = min((score for _, score in done), default=0.0)
        return done + [(kept, worst) for kept in failed], running

    def sample_independent(
        self, study: Study, trial: FrozenTrial, param_name: str, param_distribution: BaseDistribution
    ) -> Any:
        """A random preference."""
        return self._random.sample_independent(study, trial, param_name, param_distribution)

    def reseed_rng(self) -> None:
        """Random choices follow from the seed and the trial's number alone, also for several processes."""
        self._random.reseed_rng()
