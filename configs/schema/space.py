"""The section ``space``: what a search may choose from, of the whole model and of single layers."""

from typing import Annotated, Any, Self

from pydantic import AfterValidator, Field, SerializerFunctionWrapHandler, model_serializer, model_validator

from configs.schema.section import Section, Text

KEEP = "keep"

Range = float | Annotated[tuple[float, float], Field(strict=False)]
"""One number, or the least and the most."""


def ends(value: Range) -> tuple[float, float]:
    """The least and the most; one number is both."""
    return value if isinstance(value, tuple) else (value, value)


def _ratios(value: Range) -> Range:
    least, most = ends(value)
    if not 0 <= least <= most < 1:
        shown = list(value) if isinstance(value, tuple) else value
        raise ValueError(f"expected a ratio of at least 0 and below 1, or [least, most] of them, received {shown}")
    return value


def _ranks(value: Range) -> Range:
    least, most = ends(value)
    is_fraction, is_whole = 0 < least <= most <= 1, 1 < least <= most and least % 1 == most % 1 == 0
    if not (is_fraction or is_whole):
        shown = list(value) if isinstance(value, tuple) else value
        raise ValueError(
            "expected a rank, which is a fraction of the layer's channels above 0 and up to 1, or a whole number above"
            f" 1, or [least, most] of one of both kinds, received {shown}"
        )
    return value


Ratios = Annotated[Range, AfterValidator(_ratios)]
Ranks = Annotated[Range, AfterValidator(_ranks)]


class LayerConfig(Section):
    """What groups and layers of a name may become; `keep` in its place leaves them as they are."""

    ratio: Ratios | None = Field(
        default=None, description="fraction of the channels to remove: a number to fix it, or [least, most]"
    )
    rank: Ranks | None = Field(
        default=None,
        description="both Tucker ranks: a number to fix them, or [least, most]; up to 1 a fraction of the channels that"
        " the layer has when it is decomposed, above it a whole number of them; 1 leaves the layer whole",
    )
    rank_in: Ranks | None = Field(default=None, description="the In Rank alone, as rank")
    rank_out: Ranks | None = Field(default=None, description="the Out Rank alone, as rank")

    @model_validator(mode="before")
    @classmethod
    def _by_word(cls, data: Any) -> Any:
        if data != KEEP and not isinstance(data, dict | LayerConfig):
            keys = ", ".join(cls.model_fields)
            raise ValueError(f"expected {KEEP}, or a section with one of {keys}, received {data!r}")
        return {"ratio": 0.0, "rank": 1.0} if data == KEEP else data

    @model_validator(mode="after")
    def _says_something(self) -> Self:
        given = [name for name in type(self).model_fields if getattr(self, name) is not None]
        if not given:
            raise ValueError(f"expected {KEEP}, or one of {', '.join(type(self).model_fields)}, received none of them")
        if self.rank is not None and len({"rank_in", "rank_out"} & set(given)):
            raise ValueError(f"expected rank, or rank_in and rank_out, received {', '.join(given)}")
        return self

    @property
    def is_kept(self) -> bool:
        """Whether nothing is pruned and nothing decomposed."""
        return (self.ratio, self.rank) == (0, 1)

    @property
    def has_ranks(self) -> bool:
        """Whether it says something of ranks."""
        return any(value is not None for value in (self.rank, self.rank_in, self.rank_out))

    @model_serializer(mode="wrap")
    def _short(self, serialize: SerializerFunctionWrapHandler) -> Any:
        given = {name: value for name, value in serialize(self).items() if value is not None}
        return KEEP if self.is_kept else given


_FINEST = 0.001
"""Grid that tells the channels of nearly any layer apart; every group has a table of all its points."""


class SpaceConfig(Section):
    """What the search may choose from."""

    ratio_max: float = Field(default=0.9, gt=0, lt=1, description="largest fraction of a group's channels to remove")
    ratio_step: float = Field(default=0.1, ge=_FINEST, lt=1, description="grid of the ratios")
    ranks: bool = Field(default=True, description="whether Tucker ranks are searched")
    rank_step: float = Field(
        default=0.1, ge=_FINEST, le=1, description="grid of the ranks, as a fraction of the layer's channels"
    )
    layers: dict[Text, LayerConfig] = Field(
        default={},
        description="choices for single groups and layers, by a pattern of their names (`*`, `?`), as tuckprune inspect"
        " shows them; a layer of a group stands for the group; of several that match, the last counts",
    )

    @model_validator(mode="after")
    def _step_fits(self) -> Self:
        if self.ratio_step > self.ratio_max:
            raise ValueError(f"expected ratio_step at most ratio_max, received {self.ratio_step} and {self.ratio_max}")
        return self
