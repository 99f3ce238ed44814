"""The sections ``distillation``: of the proxy, and of fine-tuning."""

from pydantic import Field

from configs.section import Positive, Section


class DistillationConfig(Section):
    """The original model's outputs as further labels."""

    weight: float = Field(default=0.5, gt=0, le=1, description="share of the soft loss in the whole")
    temperature: Positive = Field(default=2.0, description="by which the logits of both models are divided")
