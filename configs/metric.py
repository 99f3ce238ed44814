"""The key ``search.metric``: a name, or a section where the name alone does not say enough."""

from typing import Annotated, Literal, Self

from pydantic import Field, JsonValue, model_validator

from configs.named import Named


class MetricConfig(Named):
    """What candidates are ranked by; a name in its place is the section with this name alone."""

    name: Annotated[str, Field(min_length=1)] = Field(
        default="accuracy",
        description="accuracy, loss (where accuracy is saturated), or a class of keras.metrics such as F1Score",
    )
    options: dict[str, JsonValue] = Field(default={}, description="arguments of the class, such as average: macro")
    labels: Literal["index", "one_hot"] | None = Field(
        default=None, description="form of the labels that the class takes, or null for what its name tells"
    )
    direction: Literal["maximize", "minimize"] | None = Field(
        default=None, description="which values are better, or null to find out from right and wrong outputs"
    )

    @model_validator(mode="after")
    def _own_need_nothing(self) -> Self:
        if self.name.replace("_", "").lower() in ("accuracy", "loss") and not self.is_name:
            raise ValueError(f"expected no options, labels or direction for {self.name}, which needs none; remove them")
        return self
