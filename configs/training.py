"""The sections ``training`` and ``finetune``: how the original and the compressed models are trained."""

from pydantic import Field

from configs.distillation import DistillationConfig
from configs.section import Count, Momentum, NonNegative, Positive, Section


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
    """The same for compressed models; a key left out is that of `training`, the learning rate a tenth of it."""

    epochs: int = Field(default=100, ge=0, description="passes over the training images; 0 for no fine-tuning")
    learning_rate: Positive = Field(default=0.01, description="at the start")
    distillation: DistillationConfig | None = Field(
        default=None, description="how much the original model's outputs count, or null for the labels alone"
    )
