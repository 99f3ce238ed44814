"""What all sections of a configuration have in common."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Annotated, Any

from pydantic import (
    BaseModel,
    ConfigDict,
    Field,
    GetCoreSchemaHandler,
    SerializerFunctionWrapHandler,
    model_serializer,
    model_validator,
)
from pydantic_core import core_schema

Count = Annotated[int, Field(ge=1)]
Positive = Annotated[float, Field(gt=0)]
NonNegative = Annotated[float, Field(ge=0)]
Text = Annotated[str, Field(min_length=1)]
Amount = Count | Positive | Text


def not_empty(values: tuple[Any, ...]) -> tuple[Any, ...]:
    """The values of a list, which must have some."""
    if not values:
        raise ValueError("expected a list of at least 1 item, received []")
    return values


@dataclass(frozen=True)
class OneOf:
    """Marks a text as one of the names of a registry: checked, and shown in the schema, as a ``Literal`` of them is."""

    names: Callable[[], Sequence[str]]

    def __get_pydantic_core_schema__(self, source: Any, handler: GetCoreSchemaHandler) -> core_schema.CoreSchema:
        return core_schema.literal_schema(list(self.names()))


class Section(BaseModel):
    """Unknown keys, values of another type (an integer may stand for a float), nan and inf are errors."""

    model_config = ConfigDict(extra="forbid", frozen=True, strict=True, allow_inf_nan=False)


class Named(Section):
    """A section whose key ``name`` says the most; where all others have their defaults, it is written as the name."""

    name: str

    @model_validator(mode="before")
    @classmethod
    def _by_name(cls, data: Any) -> Any:
        return {"name": data} if isinstance(data, str) else data

    @property
    def is_name(self) -> bool:
        """Whether the name alone says it all."""
        others = {key: field.default for key, field in type(self).model_fields.items() if key != "name"}
        return all(getattr(self, key) == default for key, default in others.items())

    @model_serializer(mode="wrap")
    def _short(self, serialize: SerializerFunctionWrapHandler) -> Any:
        return self.name if self.is_name else serialize(self)
