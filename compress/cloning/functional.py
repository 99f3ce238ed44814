"""Models whose layer graph can be read: functional and Sequential ones, not subclasses that compute something else."""

from typing import Any

import keras

from compress.errors import ModelError, excerpt


def plain_functional(model: Any) -> Any:
    """The model as a functional one of Keras's own class, around the same layers.

    Raises:
        ModelError: for a model that is not built, or without a layer graph that could be read.
    """
    if isinstance(model, keras.Sequential) and not (model.built and model.inputs):
        raise ModelError(
            f"expected a built model, received Sequential '{model.name}' without an input shape; call build() first"
        )
    if not has_graph(model):
        raise ModelError(f"expected a functional or Sequential Keras model, received {excerpt(model)}")
    if isinstance(model, keras.Sequential):
        return model_like(model, model.inputs[0], model.outputs[0])
    return model if _is_keras(type(model)) else model_like(model, model.input, model.output)


def model_like(model: Any, inputs: Any, outputs: Any) -> Any:
    """A functional model of these tensors with the name of another one, frozen as a whole if that is.

    A model that its constructor froze says so itself, and none of its layers does.
    """
    return keras.Model(inputs, outputs, name=model.name, trainable=None if model.trainable else False)


def has_graph(model: Any) -> bool:
    """Whether a model's layer graph says what it computes: a subclass with a ``call()`` may compute anything."""
    own_call = not _is_keras(getattr(type(model), "call", None))
    return not own_call and (isinstance(model, keras.Sequential) or hasattr(model, "_nodes_by_depth"))


def is_nested(layer: Any) -> bool:
    """Whether a layer is a model whose graph can be put in the place of its call."""
    return isinstance(layer, keras.Model) and has_graph(layer) and bool(getattr(layer, "inputs", None))


def inputs_by_place(graph: Any, inputs: Any) -> list[Any]:
    """What a call of a model gives to each of its inputs, in their order, as Keras reads it.

    A dict goes by the names of the inputs where the model was not made with a dict, whatever else is in it.
    """
    wanted = graph.input
    if isinstance(inputs, dict) and not isinstance(wanted, dict):
        names = [tensor.name for tensor in keras.tree.flatten(wanted)]
        if set(names) <= set(inputs):
            return [inputs[name] for name in names]
    return list(keras.tree.flatten(inputs))


def _is_keras(item: Any) -> bool:
    return str(getattr(item, "__module__", "")).startswith("keras.")
