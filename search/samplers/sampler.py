"""How a sampler is registered: its name, its description, and a function that makes it for a run."""

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
"""Returns the sampler for the next trial, given the number of trials proposed before it."""


@dataclass(frozen=True)
class SamplerContext:
    """The run that a sampler is made for.

    Attributes:
        seed: of the run.
        space: the search space.
        budget: that proposals are projected onto.
        levels: of a front, the budgets that replace it; None without a front.
        sensitivity: results of a sweep; None without one.
        projection: whether proposals are projected onto the budget.
        reference: the text behind the colon in the sampler's name.
    """

    seed: int
    space: SearchSpace
    budget: Budget
    levels: Levels | None = None
    sensitivity: Sensitivity | None = None
    projection: bool = True
    reference: str = ""


Make = Callable[[SamplerContext, Options], Samplers]
"""Makes the samplers of a run; raises TypeError or ValueError for options that it does not take."""


@dataclass(frozen=True)
class SamplerKind:
    """A sampler that a configuration can choose.

    Attributes:
        name: the name in ``search.sampler``.
        summary: a description of one line.
        options: the options that it takes, as text.
        make: makes it for a run.
        package: an optional package that it needs; None for none.
        needs_projection: whether it needs proposals that are projected onto the budget.
        reference: the form of the text behind a colon in the name, such as ``<package>``; empty for a plain name.
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
    """A new sampler for every trial, seeded by the run and the trial.

    Given the same finished trials, a resumed search so proposes the same as an uninterrupted one. Only for classes that
    keep all of their state in the study, as Optuna's do: in the trials and their attributes.

    Args:
        make: the class, called with ``seed`` and the options.
        context: of the run.
        options: of the class.
    """

    def made(trial: int) -> BaseSampler:
        with warnings.catch_warnings():
            # Optuna would warn at every trial that the sampler is experimental.
            warnings.simplefilter("ignore", ExperimentalWarning)
            return make(**options, seed=(context.seed * 1_000_003 + trial) % 2**32)

    return made
