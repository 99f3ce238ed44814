"""Sections of a configuration that say how models are trained, fine-tuned and judged."""

from typing import Literal

from pydantic import Field

from configs.schema.section import Count, Momentum, NonNegative, Positive, Section


class DistillationConfig(Section):
    """The original model's outputs as further labels."""

    weight: float = Field(default=0.5, gt=0, le=1, description="share of the soft loss in the whole")
    temperature: Positive = Field(default=2.0, description="by which the logits of both models are divided")


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


class AugmentConfig(Section):
    """Random changes to training images."""

    padding: int = Field(default=4, ge=0, description="pixels padded on each side before a random crop to the old size")
    flip: bool = Field(default=True, description="whether half the images are mirrored left to right")


class TrainingConfig(Section):
    """SGD with momentum, the learning rate lowered when the validation loss stops falling."""

    epochs: Count = Field(default=100, description="passes over the training images")
    learning_rate: Positive = Field(default=0.1, description="at the start")
    batch_size: Count = Field(default=128, description="images per step")
    momentum: Momentum = Field(default=0.9, description="of SGD")
    weight_decay: NonNegative = Field(default=0.0, description="of SGD, decoupled from the loss")
    augment: AugmentConfig | None = Field(default=None, description="random crop and flip, or null for none")
    patience: Count = Field(
        default=10, description="epochs without a lower validation loss before the learning rate falls"
    )
    early_stopping: Count | None = Field(
        default=None,
        description="epochs without a better validation (accuracy, of equals the loss) before training ends, or null;"
        " the best weights are kept in any case",
    )
    factor: float = Field(default=0.1, gt=0, lt=1, description="what the learning rate is multiplied with then")


class FinetuneConfig(TrainingConfig):
    """How compressed models are trained; a key left out is that of `training`, the learning rate a tenth of it."""

    epochs: int = Field(default=100, ge=0, description="passes over the training images; 0 for no fine-tuning")
    learning_rate: Positive = Field(default=0.01, description="at the start")
    distillation: DistillationConfig | None = Field(
        default=None, description="how much the original model's outputs count, or null for the labels alone"
    )
    unfreeze: bool = Field(
        default=True,
        description="whether frozen layers that pruning or decomposition can change are trained, by trials as well;"
        " false: as the model's file says",
    )
