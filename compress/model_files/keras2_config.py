"""Layers from Keras 2 configurations, as TensorFlow 2.3 to 2.15 wrote them; no code from a file is executed."""

from collections.abc import Mapping
from typing import Any

import keras

from compress.errors import ModelError, excerpt, typed_line

Config = Mapping[str, Any]

_REFUSED = {
    **dict.fromkeys(
        ("Lambda", "TFSMLayer", "TorchModuleWrapper", "JaxLayer", "FlaxLayer"),
        "holds program code, which is not executed",
    ),
    **dict.fromkeys(("TextVectorization", "StringLookup", "IntegerLookup"), "may name another file, which is not read"),
    "RandomCrop": "crops all images in Keras 2, and in Keras 3 only those of training",
}
_RENAMED = {"BatchNormalizationV1": "BatchNormalization", "BatchNormalizationV2": "BatchNormalization"}
_ANYTHING = ()
_CHANGED = "hard_sigmoid"
"""The activation whose name stands for another function in Keras 3."""
_ACTIVATED = frozenset(
    ("Activation", "Dense", "DepthwiseConv1D", "DepthwiseConv2D", "SeparableConv1D", "SeparableConv2D")
    + tuple(f"Conv{rank}D{kind}" for rank in (1, 2, 3) for kind in ("", "Transpose"))
)
"""Layers whose ``activation`` is the last that they compute."""
_WRAPPED = ("layer", "backward_layer")

# Keys that Keras 3 no longer takes, with the values at which they change nothing (none listed: any value).
_DROPPED_EVERYWHERE: Mapping[str, tuple[Any, ...]] = {
    "batch_input_shape": _ANYTHING,
    "dynamic": (False,),
    "ragged": (False, None),
    "rng_type": _ANYTHING,
    "auto_vectorize": _ANYTHING,
    "sparse": (False, None),
}
_UNUSED_KERNEL = {"groups": (1,), "kernel_regularizer": _ANYTHING, "kernel_constraint": _ANYTHING}
_DROPPED: Mapping[str, Mapping[str, tuple[Any, ...]]] = {
    "BatchNormalization": {
        "adjustment": (None,),
        "fused": _ANYTHING,
        "renorm": (False,),
        "renorm_clipping": _ANYTHING,
        "renorm_momentum": _ANYTHING,
        "virtual_batch_size": (None,),
    },
    # Keras 2 wrote what these inherit from other convolutions and never use.
    **dict.fromkeys(("DepthwiseConv1D", "DepthwiseConv2D"), {**_UNUSED_KERNEL, "filters": _ANYTHING}),
    "Conv1DTranspose": {"groups": (1,)},
    "Conv2DTranspose": {"groups": (1,)},
    "Conv3DTranspose": {"groups": (1,)},
    "SeparableConv1D": _UNUSED_KERNEL,
    "SeparableConv2D": _UNUSED_KERNEL,
    **dict.fromkeys(("LSTM", "GRU", "SimpleRNN"), {"time_major": (False,), "implementation": _ANYTHING}),
    "SpatialDropout1D": {"noise_shape": _ANYTHING},
    "SpatialDropout2D": {"noise_shape": _ANYTHING},
    "SpatialDropout3D": {"noise_shape": _ANYTHING},
}


INNER_LAYERS: Mapping[str, tuple[str, ...]] = {
    **dict.fromkeys(("RNN", "LSTM", "GRU", "SimpleRNN"), ("cell",)),
    "Bidirectional": ("forward_layer/cell", "backward_layer/cell"),
    "TimeDistributed": ("layer",),
}
"""Paths of attributes to the layers that hold the weights of a layer, where it does not do so itself."""


def made_with_activation(class_name: str, config: Config, name: str) -> tuple[Any, ...]:
    """An unbuilt layer as ``make_layer`` makes it, and the layers after it that compute an activation it cannot have.

    Keras 2's ``hard_sigmoid`` is clip(0.2 x + 0.5, 0, 1), Keras 3's is clip(x / 6 + 0.5, 0, 1).
    """
    if class_name not in _ACTIVATED or config.get("activation") != _CHANGED or _own(class_name):
        return (make_layer(class_name, config, name),)
    layer = make_layer(class_name, {**config, "activation": "linear"}, name)
    scaled = keras.layers.Rescaling(0.2, 0.5, dtype=layer.dtype_policy, name=f"{name}.scaled")
    return layer, scaled, keras.layers.ReLU(1.0, dtype=layer.dtype_policy, name=f"{name}.{_CHANGED}")


def make_layer(class_name: str, config: Config, name: str) -> Any:
    """An unbuilt Keras 3 layer for an entry of a Keras 2 configuration.

    Initializers are dropped: every weight is read from the file.

    Raises:
        ModelError: names the layer and the reason: it holds code, its class is not known, or it has an option or an
            activation that Keras 3 does not have.
    """
    what = f"layer '{name}' ({class_name})"
    class_name = _RENAMED.get(class_name, class_name)
    if class_name in _REFUSED:
        raise ModelError(f"{what} {_REFUSED[class_name]}; rebuild the model without it")
    own = _own(class_name)
    kind: Any = own or getattr(keras.layers, class_name, None)
    if not (isinstance(kind, type) and issubclass(kind, keras.layers.Layer)):
        raise ModelError(
            f"{what} is of a class that Keras 3 does not have; register it or rebuild the model without it"
        )
    changed = next((key for key in config if key.endswith("activation") and config[key] == _CHANGED), None)
    if changed and not own:
        raise ModelError(
            f"{what} has {changed}='{_CHANGED}', which is another function in Keras 3; rebuild the model with another"
        )
    options = _translated(class_name, {**config, "name": name}, what)
    trainable = options.pop("trainable", True)
    try:
        # Keras's own from_config() only wraps errors in long messages.
        layer = own.from_config(options) if own else kind(**options)
        layer.trainable = trainable
    except Exception as error:  # Whatever the layer's own code raises.
        raise ModelError(
            f"{what} cannot be made by Keras 3: {typed_line(error)}; rebuild the model without it"
        ) from error
    return layer


def _own(class_name: str) -> Any:
    """The layer class that the user has registered by this name, or None."""
    return keras.saving.get_registered_object(class_name)


def input_layer(config: Config, name: str) -> Any:
    """The input layer of a Keras 2 configuration.

    Raises:
        ModelError: it has no shape, or is sparse or ragged.
    """
    shape = config.get("batch_input_shape", config.get("batch_shape"))
    if not isinstance(shape, list) or config.get("sparse") or config.get("ragged"):
        raise ModelError(
            f"layer '{name}' (InputLayer): expected a dense input with a shape, received {excerpt(dict(config))}; "
            "rebuild the model with one"
        )
    return keras.layers.InputLayer(batch_shape=shape, dtype=config.get("dtype"), name=name)


def _translated(class_name: str, config: Config, what: str) -> dict[str, Any]:
    dropped = {**_DROPPED_EVERYWHERE, **_DROPPED.get(class_name, {})}
    kept: dict[str, Any] = {}
    for key, value in config.items():
        if key in dropped:
            if dropped[key] and value not in dropped[key]:
                raise ModelError(f"{what} has {key}={excerpt(value)}, which Keras 3 does not have; save it without")
        elif not key.endswith("_initializer"):
            kept[key] = _value(key, value, what)
    if class_name == "LeakyReLU" and "alpha" in kept:
        kept["negative_slope"] = kept.pop("alpha")
    return kept


def _value(key: str, value: Any, what: str) -> Any:
    """One option of a layer in Keras 3's form."""
    if key == "axis" and isinstance(value, list) and len(value) == 1:
        return value[0]
    if not isinstance(value, dict):
        return value
    content = value.get("config")
    if key in _WRAPPED and isinstance(content, dict):
        return make_layer(str(value.get("class_name")), content, str(content.get("name")))
    if key == "dtype" and isinstance(content, dict) and isinstance(content.get("name"), str):
        return content["name"]
    if key.endswith(("_regularizer", "_constraint")) and isinstance(content, dict):
        # Only what is flat: Keras would also make the objects that are described inside.
        if not any(isinstance(item, dict | list) for item in content.values()):
            return {"class_name": value.get("class_name"), "config": content}
    raise ModelError(f"{what} has {key}={excerpt(value)}, an object where a value is expected; save it without")
