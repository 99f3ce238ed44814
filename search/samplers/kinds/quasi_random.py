"""A sampler that follows a quasi-random sequence: trials fill the space more evenly than random ones."""

from collections.abc import Sequence
from typing import Any, Literal

from optuna import Study
from optuna.distributions import BaseDistribution
from optuna.samplers import BaseSampler
from optuna.trial import FrozenTrial
from scipy.stats import qmc

from search.samplers.sampler import Options, SamplerContext, Samplers, sampler
from search.space.space import PREFERENCE


class QuasiRandomSampler(BaseSampler):
    """Proposes for trial n the point n of a Sobol or Halton sequence.

    Optuna's ``QMCSampler`` counts its points in the study, and skips one whenever a trial is asked for again after an
    interruption; here a proposal depends on the trial's number and the seed alone.
    """

    def __init__(
        self,
        dimensions: Sequence[str],
        *,
        seed: int,
        qmc_type: Literal["sobol", "halton"] = "sobol",
        scramble: bool = True,
    ) -> None:
        """Take the options of Optuna's ``QMCSampler``.

        Raises:
            ValueError: another sequence.
        """
        if qmc_type not in ("sobol", "halton"):
            raise ValueError(f"expected qmc_type sobol or halton, received {qmc_type!r}")
        self._dimensions = tuple(dimensions)
        self._engine_of = qmc.Sobol if qmc_type == "sobol" else qmc.Halton
        self._seed, self._scramble = seed, scramble

    def infer_relative_search_space(self, study: Study, trial: FrozenTrial) -> dict[str, BaseDistribution]:
        """All dimensions."""
        return dict.fromkeys(self._dimensions, PREFERENCE)

    def sample_relative(
        self, study: Study, trial: FrozenTrial, search_space: dict[str, BaseDistribution]
    ) -> dict[str, Any]:
        """The point of the trial's number."""
        engine = self._engine_of(len(self._dimensions), scramble=self._scramble, rng=self._seed)
        if trial.number:
            engine.fast_forward(trial.number)
        point = engine.random(1)[0]
        width = PREFERENCE.high - PREFERENCE.low
        return {name: PREFERENCE.low + width * float(x) for name, x in zip(self._dimensions, point, strict=True)}

    def sample_independent(
        self, study: Study, trial: FrozenTrial, param_name: str, param_distribution: BaseDistribution
    ) -> Any:
        """Refuse any other parameter: the sequence covers every dimension of the space.

        Raises:
            KeyError: a parameter that is no dimension of the space.
        """
        raise KeyError(f"expected a dimension of the search space, received {param_name!r}")


@sampler("qmc", "points of a Sobol or Halton sequence, which fill the space evenly", "qmc_type, scramble")
def quasi_random(context: SamplerContext, options: Options) -> Samplers:
    """One sequence for the whole run, so one seed."""
    return lambda trial: QuasiRandomSampler(context.space.dimensions, seed=context.seed, **options)
