"""A section that a name alone may stand for."""

from typing import Any

from pydantic import SerializerFunctionWrapHandler, model_serializer, model_validator

from configs.section import Section


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
