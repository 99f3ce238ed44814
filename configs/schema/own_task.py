"""What of a configuration means nothing to tasks that run on built models: the user's own, compiled, outputs."""

from collections.abc import Mapping, Sequence

from configs.schema.data import DataConfig
from configs.schema.section import Section
from configs.schema.training import FinetuneConfig, ProxyConfig

_FINETUNE = (
    *("optimizer", "schedule", "loss", "class_weights", "augment"),
    *("precision", "devices", "early_stopping", "distillation"),
)
_PROXY = ("validation_images", "optimizer", "precision", "jit_compile", "distillation")


def _check_model(name: str, zoo: str | None) -> None:
    """Refuse a model of the zoo, which only tasks of this product's own training can train."""
    if zoo is not None:
        raise ValueError(
            f"model.zoo: expected a model.path with task {name}, received {zoo!r}; train the model yourself"
        )


def check_own(
    name: str, zoo: str | None, data: DataConfig | None, proxy: ProxyConfig, finetune: FinetuneConfig
) -> None:
    """Refuse what a task of the user's own would not heed.

    Raises:
        ValueError: names the key.
    """
    _check_model(name, zoo)
    if data is not None:
        raise ValueError(f"data: expected none with task {name}, which has its own, received a section; remove it")
    _check_unheeded(name, "whose fit decides it", {"finetune": (finetune, _FINETUNE), "proxy": (proxy, _PROXY)})


def check_fitted(
    name: str, zoo: str | None, data: DataConfig | None, proxy: ProxyConfig, finetune: FinetuneConfig
) -> None:
    """Refuse what tasks would not heed that Keras's fit trains for.

    Raises:
        ValueError: names the key.
    """
    _check_model(name, zoo)
    if data is None or ":" not in data.source or "://" in data.source:
        received = "nothing" if data is None else repr(data.source)
        raise ValueError(f"data.source: expected module:function with task {name}, received {received}")
    finetune_keys, proxy_keys = _FITTED[name]
    others = tuple(key for key in type(data).model_fields if key not in ("source", "validation"))
    _check_unheeded(
        name,
        _REASONS[name],
        {"data": (data, others), "finetune": (finetune, finetune_keys), "proxy": (proxy, proxy_keys)},
    )


_REASONS = {
    "compiled": "where the function's data and the model's file decide it",
    "outputs": "where the function's data and the tasks of the outputs decide it",
}
_ALWAYS = ("loss", "class_weights", "augment", "precision", "devices")
_FITTED = {
    "compiled": (("optimizer", *_ALWAYS), ("validation_images", "optimizer", "precision", "jit_compile")),
    "outputs": (_ALWAYS, ("validation_images", "precision", "jit_compile")),
}
"""Keys of ``finetune`` and of ``proxy`` that mean nothing to a task."""


def _check_unheeded(name: str, reason: str, sections: Mapping[str, tuple[Section, Sequence[str]]]) -> None:
    for section, (given, names) in sections.items():
        fields = type(given).model_fields
        unheeded = [key for key in names if getattr(given, key) not in (None, fields[key].default)]
        if unheeded:
            raise ValueError(
                f"{section}.{unheeded[0]}: expected none with task {name}, {reason}, received "
                f"{getattr(given, unheeded[0])!r}; remove it"
            )
