"""The section ``proxy``: how a candidate is judged."""

from typing import Literal

from pydantic import Field

from configs.distillation import DistillationConfig
from configs.section import Count, Momentum, Positive, Section


class ProxyConfig(Section):
    """How a candidate is repaired before it is scored on the validation images."""

    recalibration_images: Count = Field(
        default=1024, description="training images that re-estimate batch normalization"
    )
    steps: int = Field(default=30, ge=0, description="SGD steps before that; 0 for recalibration alone")
    batch_size: Count = Field(default=128, description="images per step")
    learning_rate: Positive = Field(default=0.01, description="of SGD, constant")
    momentum: Momentum = Field(default=0.9, description="of SGD")
    distillation: DistillationConfig | None = Field(
        default=DistillationConfig(),
        description="how much the original model's outputs count, or null for the labels alone",
    )
    reconstruction_images: int = Field(
        default=0, ge=0, description="training images by which pruned layers are fitted before the steps; 0 for none"
    )
    precision: Literal["auto", "float32", "mixed_bfloat16", "mixed_float16"] = Field(
        default="auto",
        description="what layers compute in; auto: bfloat16 where a worker's hardware multiplies it, else float32",
    )
    jit_compile: bool = Field(
        default=False, description="whether XLA compiles the steps, anew for every candidate: for long ones on a GPU"
    )
