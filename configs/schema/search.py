"""Sections of a configuration that say how a search runs: sampler, metric, rungs, front, stages, workers."""

from collections.abc import Sequence
from itertools import pairwise
from typing import Annotated, Final, Literal, Self

from pydantic import AfterValidator, Field, JsonValue, field_serializer, model_validator

from configs.schema.section import Amount, Count, Named, NonNegative, OneOf, Positive, Section, Text
from configs.schema.storage import check_storage, without_password
from objectives.cost.quantity import quantities


class FrontConfig(Section):
    """Trials at several levels, from the budget's own limit of a quantity to a wider one, in equal factors."""

    quantity: Annotated[str, OneOf(lambda: list(quantities()))] = Field(
        default="flops", description="what is traded for accuracy; one that the budget limits"
    )
    widest: Amount = Field(description="the widest limit of it, written as in the budget: 60%, 2x, 120M")
    levels: int = Field(default=4, ge=2, description="budgets in all, the tightest and the widest included")


class MetricConfig(Named):
    """What candidates are ranked by; a name in its place is the section with this name alone."""

    name: Text = Field(
        description="one of the task's metrics, such as accuracy or loss, or a class of keras.metrics such as F1Score"
    )
    options: dict[str, JsonValue] = Field(default={}, description="arguments of the class, such as average: macro")
    labels: Literal["index", "one_hot"] | None = Field(
        default=None, description="form of the labels that the class takes, or null to go by its name"
    )
    direction: Literal["maximize", "minimize"] | None = Field(
        default=None, description="which values are better, or null to find out from right and wrong outputs"
    )


Steps = Annotated[tuple[Count, ...], Field(strict=False)]


class RungsConfig(Section):
    """Rungs of a trial after the first, which is `proxy.steps`; without any a trial has that one."""

    steps: Steps = Field(default=(), description="training steps of each in all, rising; the first rung is proxy.steps")
    one_in: Count = Field(default=3, description="of the trials judged at a rung, one in so many goes on to the next")

    @model_validator(mode="after")
    def _rising(self) -> Self:
        if any(after <= before for before, after in pairwise(self.steps)):
            raise ValueError(f"expected steps that rise from rung to rung, received {list(self.steps)}")
        return self


class SamplerConfig(Named):
    """Who proposes candidates; a name in its place is the section with this name alone."""

    name: Text = Field(
        default="layered",
        description="its name, as the documentation lists them; optunahub:<package>[:<class>] runs code from OptunaHub",
    )
    options: dict[str, JsonValue] = Field(
        default={},
        description="arguments of the sampler, such as n_startup_trials: 20 of tpe, random_trials: 20 of layered",
    )


Strategy = Literal["auto", "joint", "staged"]
AUTO: Final = "auto"
JOINT: Final = "joint"
STAGED: Final = "staged"


class StagedConfig(Section):
    """What the first of two stages gets, where they are searched one after the other."""

    budget: float = Field(
        default=0.5, gt=0, lt=1, description="how far the first stage goes to the budget, in factors: 0.5 is halfway"
    )
    trials: float = Field(default=0.5, gt=0, lt=1, description="fraction of the trials that the first stage gets")


def obstacle(recipe: Sequence[str], finetune_epochs: int, trials: int, has_front: bool) -> str | None:
    """Why a run cannot be searched in two stages: what that needs, and what there is. None where it can."""
    needed = {
        "a recipe of two stages": (len(recipe) == 2, f"recipe {list(recipe)}"),
        "finetune.epochs of at least 1": (finetune_epochs > 0, f"{finetune_epochs}"),
        "search.trials of at least 2": (trials > 1, f"{trials}"),
        "front null": (not has_front, "a front"),
    }
    for expected, (holds, received) in needed.items():
        if not holds:
            return f"expected {expected} for a staged search, received {received}"
    return None


class SearchConfig(Section):
    """The study and the workers that evaluate its trials."""

    trials: Count = Field(default=100, description="trials of the whole study, at most")
    workers: Count | Literal["max"] = Field(default="max", description="worker processes, or max for all that fit")
    cpus_per_worker: Positive = Field(default=1.0, le=1e6, description="processor cores reserved per worker")
    gpus_per_worker: NonNegative = Field(
        default=0.0, le=1e6, description="GPUs reserved per worker; a fraction shares one"
    )
    memory_per_worker: Positive | None = Field(
        default=None, le=1e9, description="gigabytes reserved per worker, or null"
    )
    niceness: int = Field(
        default=0,
        ge=0,
        le=19,
        description="how far workers on this machine stand back for its other processes: 0 not at all, 19 the most;"
        " a cluster's own is chosen where it is started",
    )
    sampler: SamplerConfig = Field(default=SamplerConfig(), description="who proposes candidates")
    metric: MetricConfig | None = Field(
        default=None, description="what is searched for on validation images, or null for the task's first metric"
    )
    projection: bool = Field(default=True, description="whether proposals are scaled to meet the budget")
    starts: bool = Field(
        default=True, description="whether proposals that know something are tried first: uniform, SLAMP, VBMF"
    )
    sensitivity: bool = Field(
        default=True,
        description="whether the starts include one that spares what the model minds losing, found by a sweep first:"
        " recalibration alone, without training, of the model and of each group and decomposable layer made smaller"
        " alone (13 evaluations for ResNet-20 without ranks, 90 for ResNet50 with them)",
    )
    reuse: Text | None = Field(
        default=None, description="folder of another run of the same model, whose best trials are tried first, or null"
    )
    storage: Annotated[Text, AfterValidator(check_storage)] = Field(
        default="journal",
        repr=False,
        description="the study's file in the run folder, journal or sqlite, or the URL of a PostgreSQL or MySQL server",
    )
    early_stopping: Count | None = Field(
        default=20,
        description="trials without a better one before a search, or each of its two stages, ends; those count that"
        " were proposed when the best was known, no starts, nor the sampler's first ten; null for all trials",
    )
    trial_timeout: Positive | None = Field(
        default=None,
        le=1e9,
        description="seconds before a trial counts as failed, from when its worker has loaded and compiled, or null",
    )
    retries: int = Field(default=1, ge=0, description="times that a trial is started again after its worker was lost")
    grace: NonNegative = Field(
        default=20.0,
        le=1e9,
        description="seconds after SIGTERM in which running trials may finish before the search ends",
    )
    address: Text | None = Field(
        default=None, description="of a running Ray cluster (auto, host:port), or null for a local one"
    )
    trials_per_worker: Count = Field(
        default=50, description="trials before a worker is replaced, to give back its memory"
    )
    strategy: Strategy = Field(
        default=AUTO,
        description="joint: ratios and ranks in one trial; staged: the second stage of the recipe is searched on the"
        " fine-tuned winner of the first; auto: staged where pruning is followed by decomposition and"
        " both can do their part, with fine-tuning, at least 40 trials and no front, else joint",
    )
    staged: StagedConfig = StagedConfig()

    @property
    def threads_per_worker(self) -> int:
        """One for each whole processor core of a worker, at least one."""
        return max(1, int(self.cpus_per_worker))

    @property
    def sweeps(self) -> bool:
        """Whether a sweep comes first: its start needs projection, as all of them do."""
        return self.sensitivity and self.starts and self.projection

    @field_serializer("storage")
    def _keep_the_password(self, value: str) -> str:
        """Whatever is written down of a configuration holds no password."""
        return without_password(value)

    @model_validator(mode="after")
    def _reuse_needs_projection(self) -> Self:
        if self.reuse is not None and not self.projection:
            raise ValueError(
                "reuse: expected projection true, which takes the other run's trials to this budget, received false;"
                " change one of them"
            )
        return self


class FinalsConfig(Section):
    """The best trials, the start of the sweep and the recommended values, fine-tuned as a final model is."""

    candidates: int = Field(
        default=3,
        ge=0,
        description="trials that take part, of two or more the sweep's start; 0 names the best trial the winner",
    )
    epochs: Count = Field(
        default=10,
        description="after each stage, at most those of finetune; those of the model between two stages as well",
    )
