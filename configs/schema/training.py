"""Sections of a configuration that say how models are trained, fine-tuned and judged."""

from typing import Annotated, Any, Literal

from pydantic import Field, JsonValue

from configs.schema.section import Count, Named, NonNegative, Positive, Section, Text


def _describe_schedules(schema: dict[str, Any]) -> None:
    """Only the reference needs the description: whoever runs a command does not wait for Keras."""
    from zoo.training.schedule import schedule_words

    schema["description"] = schedule_words()


class DistillationConfig(Section):
    """The original model's outputs as further labels."""

    weight: float = Field(default=0.5, gt=0, le=1, description="share of the soft loss in the whole")
    temperature: Positive = Field(default=2.0, description="by which the logits of both models are divided")


class ClassOfKeras(Named):
    """A class of Keras by its name, and arguments of it."""

    options: dict[str, JsonValue]


class OptimizerConfig(ClassOfKeras):
    """What changes the weights; a name in its place is the section with this name alone."""

    name: Text = Field(description="class of keras.optimizers, such as SGD or AdamW")
    options: dict[str, JsonValue] = Field(
        default={},
        description="arguments of the class: momentum, weight_decay, global_clipnorm, use_ema and the like",
    )


SGD = OptimizerConfig(name="SGD", options={"momentum": 0.9})


class ProxyConfig(Section):
    """How a candidate is repaired before it is scored on the validation images."""

    recalibration_images: Count = Field(
        default=1024, description="training images that re-estimate batch normalization"
    )
    validation_images: Count | None = Field(
        default=2000,
        description="most validation images that a trial is scored on, the same for all of them; null for all images",
    )
    steps: int = Field(default=30, ge=0, description="training steps before that; 0 for recalibration alone")
    batch_size: Count = Field(default=128, description="images per step")
    learning_rate: Positive = Field(default=0.01, description="of these steps, constant")
    optimizer: OptimizerConfig = Field(
        default=SGD,
        description="what changes the weights in them: SGD, Adam or AdamW; left out, SGD with momentum 0.9",
    )
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


class LayerOfKeras(ClassOfKeras):
    """A layer of Keras that changes images at random; a name in its place is the section with this name alone."""

    name: Text = Field(description="class of keras.layers, such as RandomFlip, RandAugment or MixUp")
    options: dict[str, JsonValue] = Field(default={}, description="arguments of the class")


Layers = Annotated[tuple[LayerOfKeras, ...], Field(strict=False)]


class AugmentConfig(Section):
    """Random changes to training images: crops and flips as NPTK trains with, then any layers of Keras."""

    padding: int = Field(default=4, ge=0, description="pixels padded on each side before a random crop to the old size")
    flip: bool = Field(default=True, description="whether half the images are mirrored left to right")
    layers: Layers = Field(
        default=(),
        description="layers of Keras after these, such as [RandAugment, {name: MixUp, options: {alpha: 0.2}}]",
    )


class ScheduleConfig(Named):
    """How the learning rate changes; a name in its place is the section with this name alone."""

    name: Text = Field(default="plateau", json_schema_extra=_describe_schedules)
    options: dict[str, JsonValue] = Field(default={}, description="of the schedule, as listed with its name")


class LossConfig(ClassOfKeras):
    """What training minimizes; a name in its place is the section with this name alone."""

    name: Text = Field(
        default="CategoricalCrossentropy",
        description="class of keras.losses, such as CategoricalCrossentropy or CategoricalFocalCrossentropy",
    )
    options: dict[str, JsonValue] = Field(
        default={}, description="arguments of the class, such as label_smoothing: 0.1"
    )


Weights = Annotated[tuple[NonNegative, ...], Field(strict=False)]


class TrainingConfig(Section):
    """How models are trained; unless asked otherwise, as NPTK's ModelZoo does."""

    epochs: Count = Field(default=100, description="passes over the training images")
    learning_rate: Positive = Field(default=0.1, description="the highest of the schedule")
    batch_size: Count = Field(default=128, description="images per step")
    optimizer: OptimizerConfig = Field(
        default=SGD,
        description="what changes the weights; left out, SGD with momentum 0.9",
    )
    schedule: ScheduleConfig = ScheduleConfig()
    loss: LossConfig | None = Field(default=None, description="what training minimizes, or null for cross-entropy")
    class_weights: Literal["balanced"] | Weights | None = Field(
        default=None,
        description="what an image of each class counts, balanced for the inverse of how often the class occurs, or"
        " null for all the same",
    )
    augment: AugmentConfig | None = Field(default=None, description="random changes to images, or null for none")
    precision: Literal["auto", "float32", "mixed_bfloat16", "mixed_float16"] = Field(
        default="auto",
        description="what layers but the last compute in; auto: bfloat16 where hardware multiplies it, else float32",
    )
    devices: Literal["all"] | Count = Field(
        default=1,
        description="GPUs of the machine among which each batch is divided: at most so many, or all that TensorFlow"
        " sees",
    )
    early_stopping: Count | None = Field(
        default=None,
        description="epochs without a better validation (accuracy, of equals the loss) before training ends, or null;"
        " the best weights are kept in any case",
    )
    timeout: Positive | None = Field(
        default=None,
        le=1e9,
        description="seconds after which a training is given up, of a finalist each of its own; null for no limit",
    )


class FinetuneConfig(TrainingConfig):
    """How compressed models are trained; a key left out is that of `training`, the learning rate a tenth of it."""

    epochs: int = Field(default=100, ge=0, description="passes over the training images; 0 for no fine-tuning")
    learning_rate: Positive = Field(default=0.01, description="the highest of the schedule")
    distillation: DistillationConfig | None = Field(
        default=None, description="how much the original model's outputs count, or null for the labels alone"
    )
    unfreeze: bool = Field(
        default=True,
        description="whether frozen layers that pruning or decomposition can change are trained, by trials as well;"
        " false: as the model's file says",
    )
