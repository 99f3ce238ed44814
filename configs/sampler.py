"""The key ``search.sampler``: a name, or a section where the sampler is given options."""

import re
from typing import Annotated

from pydantic import AfterValidator, Field, JsonValue

from configs.named import Named

SAMPLER_NAMES = ("layered", "tpe", "gp", "cmaes", "nsgaii", "nsgaiii", "qmc", "random")
_HUB = re.compile(r"optunahub:\w[\w.-]*(/\w[\w.-]*)*(:\w+)?")


def _known(name: str) -> str:
    if name not in SAMPLER_NAMES and not _HUB.fullmatch(name):
        raise ValueError(f"expected {', '.join(SAMPLER_NAMES)} or optunahub:<package>, received {name!r}")
    return name


class SamplerConfig(Named):
    """Who proposes candidates; a name in its place is the section with this name alone."""

    name: Annotated[str, AfterValidator(_known)] = Field(
        default="layered",
        description="layered, tpe, gp, cmaes, nsgaii, nsgaiii, qmc, random, or optunahub:<package>[:<class>], which"
        " runs code from OptunaHub; gp, cmaes and optunahub need the extra samplers",
    )
    options: dict[str, JsonValue] = Field(
        default={},
        description="arguments of the class in Optuna, such as n_startup_trials: 20; of layered, random_trials",
    )
