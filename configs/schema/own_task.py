"""What of a configuration means nothing to a task of the user's own, which trains models itself."""

from configs.schema.data import DataConfig
from configs.schema.training import FinetuneConfig, ProxyConfig

_FINETUNE = (
    *("optimizer", "schedule", "loss", "class_weights", "augment"),
    *("precision", "devices", "early_stopping", "distillation"),
)
_PROXY = ("momentum", "precision", "jit_compile", "distillation")


def check_own(
    name: str, zoo: str | None, data: DataConfig | None, proxy: ProxyConfig, finetune: FinetuneConfig
) -> None:
    """Refuse what a task of the user's own would not heed.

    Raises:
        ValueError: names the key.
    """
    if zoo is not None:
        raise ValueError(
            f"model.zoo: expected a model.path with task {name}, received {zoo!r}; train the model yourself"
        )
    if data is not None:
        raise ValueError(f"data: expected none with task {name}, which has its own, received a section; remove it")
    for section, given, names in (("finetune", finetune, _FINETUNE), ("proxy", proxy, _PROXY)):
        fields = type(given).model_fields
        unheeded = [key for key in names if getattr(given, key) not in (None, fields[key].default)]
        if unheeded:
            raise ValueError(
                f"{section}.{unheeded[0]}: expected none with task {name}, whose fit decides it, received "
                f"{getattr(given, unheeded[0])!r}; remove it"
            )
