"""The sections ``search`` and ``finals``: the study, its workers, and who takes part in the finals."""

from typing import Annotated, Literal, Self

from pydantic import AfterValidator, Field, field_serializer, model_validator

from configs.metric import MetricConfig
from configs.sampler import SamplerConfig
from configs.section import Count, NonNegative, Positive, Section, Text
from configs.staged import AUTO, StagedConfig, Strategy
from configs.storage import check_storage, without_password


class SearchConfig(Section):
    """The study and the workers that evaluate its trials."""

    trials: Count = Field(default=100, description="trials of the whole study")
    workers: Count | Literal["max"] = Field(default="max", description="worker processes, or max for all that fit")
    cpus_per_worker: Positive = Field(default=1.0, description="processor cores reserved per worker")
    gpus_per_worker: NonNegative = Field(default=0.0, description="GPUs reserved per worker; a fraction shares one")
    memory_per_worker: Positive | None = Field(default=None, description="gigabytes reserved per worker, or null")
    sampler: SamplerConfig = Field(default=SamplerConfig(), description="who proposes candidates")
    metric: MetricConfig = Field(default=MetricConfig(), description="what is searched for on validation images")
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
    trial_timeout: Positive | None = Field(default=None, description="seconds before a trial counts as failed, or null")
    retries: int = Field(default=1, ge=0, description="times that a trial is started again after its worker was lost")
    grace: NonNegative = Field(
        default=20.0, description="seconds after SIGTERM in which running trials may finish before the search ends"
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

    @model_validator(mode="after")
    def _layers_need_projection(self) -> Self:
        if self.sampler.name == "layered" and not self.projection:
            raise ValueError(
                "expected another sampler than layered where projection is false, because it learns from what projected"
                " proposals keep, received layered; set search.sampler, for instance to tpe"
            )
        return self


class FinalsConfig(Section):
    """The best trials and the recommended values, fine-tuned as a final model is before the winner is named."""

    candidates: int = Field(default=3, ge=0, description="trials that take part; 0 names the best trial the winner")
    epochs: Count = Field(
        default=10,
        description="after each stage, at most those of finetune; those of the model between two stages as well",
    )
