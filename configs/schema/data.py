"""Sections of a configuration that say what the model is for, and where its data come from."""

from typing import Annotated, Any, Self

from pydantic import AfterValidator, Field, JsonValue, model_validator

from configs.schema.section import Count, Named, NonNegative, Positive, Section, Text, not_empty

# Files have lists where Python has tuples; only the container is converted, its numbers stay strict.
ImageSize = Annotated[tuple[Count, Count], Field(strict=False)]
Means = Annotated[tuple[float, ...], Field(strict=False), AfterValidator(not_empty)]
Deviations = Annotated[tuple[Positive, ...], Field(strict=False), AfterValidator(not_empty)]


def _describe_sources(schema: dict[str, Any]) -> None:
    """Only the reference needs the description: whoever runs a command does not wait for all sources to be imported."""
    from zoo.data.source import source_words

    schema["description"] = (
        f"{source_words()}; folders and files by their path, or an address such as gs://bucket/photos"
    )


class DataConfig(Section):
    """Where the images come from, and what is done to them."""

    source: Text = Field(json_schema_extra=_describe_sources)
    validation: float = Field(
        default=0.1,
        gt=0,
        lt=1,
        description="fraction of the training images kept for validation, unless the source has validation images",
    )
    image_size: ImageSize | None = Field(
        default=None, description="height and width in pixels to resize images of a folder to"
    )
    exif_orientation: bool = Field(
        default=False,
        description="whether to turn images of a folder as their EXIF orientation says; Keras leaves them as stored",
    )
    scale: Positive | None = Field(default=None, description="images become (image / scale - mean) / std")
    mean: Means | None = Field(default=None, description="one number per image channel, after division by scale")
    std: Deviations | None = Field(default=None, description="one number per image channel, after division by scale")
    in_memory: NonNegative = Field(
        default=2.0,
        description="gigabytes of decoded images, with masks and target images, beyond which those of a folder stay in "
        "their files until they are needed, decoded by threads, and a pipeline of a function is refused",
    )
    train_limit: Count | None = Field(
        default=None, description="use at most this many training images; a pipeline of a function is read no further"
    )
    test_limit: Count | None = Field(default=None, description="use at most this many test images")

    @model_validator(mode="after")
    def _normalization_is_whole(self) -> Self:
        given = {key: getattr(self, key) for key in ("scale", "mean", "std")}
        missing = [key for key, value in given.items() if value is None]
        if missing and len(missing) < len(given):
            raise ValueError(f"expected scale, mean and std together or none of them, received no {', '.join(missing)}")
        if self.mean is not None and self.std is not None and len(self.mean) != len(self.std):
            raise ValueError(
                f"expected as many numbers in std as in mean, received {len(self.std)} and {len(self.mean)}"
            )
        return self


def _describe_tasks(schema: dict[str, Any]) -> None:
    """Only the reference needs the description: whoever runs a command does not wait for all tasks to be imported."""
    from zoo.tasks.registry import task_words

    schema["description"] = (
        f"{task_words()}; compiled (loss, metrics and optimizer of the model's file); "
        "outputs (a task for each output); or a class of your own, module:Class"
    )


class TaskConfig(Named):
    """What the model is for: what its images are given with, and what it is measured by."""

    name: Text = Field(json_schema_extra=_describe_tasks)
    options: dict[str, JsonValue] = Field(default={}, description="of the task, such as ignored_label: 255")

    @property
    def is_own(self) -> bool:
        """Whether it is a class of the user's own."""
        return ":" in self.name

    @property
    def is_fitted(self) -> bool:
        """Whether Keras's fit trains built models for it, of data as fit takes them."""
        return self.name in ("compiled", "outputs")  # `zoo.tasks.registry.BUILT`, which takes a while to import.
