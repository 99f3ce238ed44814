"""What a sampler is to a search: a name, what it is, and a function that makes it for a run."""

import warnings
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

from optuna.exceptions import ExperimentalWarning
from optuna.samplers import BaseSampler

from objectives.budget.budget import Budget
from search.samplers.sensitivity import Sensitivity
from search.space.levels import Levels
from search.space.space import SearchSpace

Options = Mapping[str, Any]
"""Arguments of a sampler's class, as a configuration gives them."""

Samplers = Callable[[int], BaseSampler]
"""The sampler of a trial, by the number of trials that were started before it."""


@dataclass(frozen=True)
class SamplerContext:
    """What a sampler is made for.

    Attributes:
        seed: of the run.
        space: what is searched.
        budget: what proposals meet.
        levels: of a front, the budgets that trials meet in its place.
        sensitivity: results of a sweep, None without one.
        projection: whether proposals are scaled to meet the budget.
        reference: what follows the colon in the sampler's name.
    """

    seed: int
    space: SearchSpace
    budget: Budget
    levels: Levels | None = None
    sensitivity: Sensitivity | None = None
    projection: bool = True
    reference: str = ""


Make = Callable[[SamplerContext, Options], Samplers]
"""Makes the samplers of a run; options that it cannot take are a TypeError or a ValueError."""


@dataclass(frozen=True)
class SamplerKind:
    """A sampler that a configuration can choose.

    Attributes:
        name: the name there.
        summary: what it is, in a line.
        options: which options it takes.
        make: makes it for a run.
        package: what has to be installed for it besides the search's own packages, None for nothing.
        needs_projection: whether it works only where proposals are scaled to meet the budget.
        reference: what follows a colon after the name, such as ``<package>``; empty for a name that stands alone.
    """

    name: str
    summary: str
    options: str
    make: Make
    package: str | None = None
    needs_projection: bool = False
    reference: str = ""

    @property
    def shown(self) -> str:
        """The name as a user writes it."""
        return f"{self.name}:{self.reference}" if self.reference else self.name


def sampler(
    name: str,
    summary: str,
    options: str,
    *,
    package: str | None = None,
    needs_projection: bool = False,
    reference: str = "",
) -> Callable[[Make], SamplerKind]:
    """Register the decorated function as a sampler, in a module of ``search.samplers.kinds``; see `SamplerKind`."""

    def register(make: Make) -> SamplerKind:
        return SamplerKind(name, summary, options, make, package, needs_projection, reference)

    return register


def each_trial(make: Callable[..., BaseSampler], context: SamplerContext, options: Options) -> Samplers:
    """A sampler made anew for every trial, seeded by the run and the trial.

    So a resumed search proposes what an undisturbed one would have, given the same finished trials. This is right for
    classes that keep all they know in the study: the trials themselves, and, for generations and CMA-ES's distribution,
    attributes of the trials.

    make: takes ``seed`` and the options.
    """

    def made(trial: int) -> BaseSampler:
        with warnings.catch_warnings():
            # Whoever chose a sampler need not be warned at every trial that Optuna may change it.
            warnings.simplefilter("ignore", ExperimentalWarning)
            return make(**options, seed=(context.seed * 1_000_003 + trial) % 2**32)

    return made
