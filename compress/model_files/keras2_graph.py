"""Functional models from Keras 2 configurations: layers are made one by one and called as the nodes say."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import keras

from compress.cloning.layers import finalize_state
from compress.errors import ModelError, excerpt, typed_line
from compress.model_files.keras2_config import Config, input_layer, made_with_activation
from compress.model_files.keras2_ops import OP_CLASSES, op_layer

FUNCTIONAL, SEQUENTIAL = ("Functional", "Model"), "Sequential"
_CONSTANT = "_CONSTANT_VALUE"


@dataclass(frozen=True)
class LegacyModel:
    """A rebuilt model whose weights are still to be set.

    model: the functional Keras 3 model.
    layers: its layers by name in the order of the file, models within it as records of their own.
    classes: what Keras 2 called the class of each.
    trainable: whether the model was not frozen as a whole.
    """

    model: Any
    layers: Mapping[str, "Any | LegacyModel"]
    classes: tuple[str, ...]
    trainable: bool

    def finalized(self) -> Any:
        """The model, when all weights are set: its layers compute now what they keep besides them.

        They are frozen where it was as a whole, which Keras 2 meant for those of a model in another one, too.
        """
        for layer in self.layers.values():
            if isinstance(layer, LegacyModel):
                layer.finalized()
            else:
                finalize_state(layer)
        if not self.trainable:
            self.model.trainable = False
        return self.model

    @property
    def trainable_weights(self) -> list[Any]:
        """As Keras 2 lists them: layer by layer, in the order of the file."""
        return [weight for layer in self.layers.values() for weight in layer.trainable_weights]

    @property
    def non_trainable_weights(self) -> list[Any]:
        """Of every layer, in the order of the file."""
        return [weight for layer in self.layers.values() for weight in layer.non_trainable_weights]


def build_legacy(class_name: str, config: Any, name: str | None = None) -> LegacyModel:
    """The model of a Keras 2 configuration.

    Raises:
        ModelError: a subclassed model, a layer that cannot be made, or nodes that do not connect.
    """
    if class_name == SEQUENTIAL:
        config = _as_functional_config(config)
    elif class_name not in FUNCTIONAL:
        raise ModelError(
            f"expected a functional or Sequential model, received the subclassed {class_name}; rebuild it with "
            "keras.Model()"
        )
    try:
        return _Graph(config).built(name or config.get("name"))
    except (AttributeError, IndexError, KeyError, TypeError) as error:
        raise ModelError(
            f"expected a configuration of Keras 2, received a damaged one: {typed_line(error)}; save the model again"
        ) from error


class _Graph:
    """One configuration as it is turned into calls."""

    def __init__(self, config: Config) -> None:
        self._config = config
        self._entries = {_name(entry): entry for entry in config["layers"]}
        self._layers: dict[str, Any] = {}
        self._after: dict[str, tuple[Any, ...]] = {}
        self._results: dict[str, list[list[Any]]] = {name: [] for name in self._entries}

    def built(self, name: str | None) -> LegacyModel:
        """Make all calls, producers before consumers whatever their order in the file."""
        waiting = {name: list(_nodes(entry)) for name, entry in self._entries.items()}
        while any(waiting.values()):
            before = sum(map(len, waiting.values()))
            for layer, nodes in waiting.items():
                while nodes and self._ready(nodes[0]):
                    self._results[layer].append(self._called(layer, nodes.pop(0)))
            if sum(map(len, waiting.values())) == before:
                stuck = next(layer for layer, nodes in waiting.items() if nodes)
                raise ModelError(f"layer '{stuck}': expected inputs from layers of the model; save the model again")
        model = keras.Model(self._ends("input_layers"), self._ends("output_layers"), name=name)
        layers = {name: self._layers[name] for name in self._entries if name in self._layers}
        classes = tuple(self._entries[name]["class_name"] for name in layers)
        return LegacyModel(model, layers, classes, self._config.get("trainable", True))

    def _ends(self, key: str) -> Any:
        return _alone([self._tensor(reference) for reference in _references(self._config[key])])

    def _ready(self, node: Any) -> bool:
        references = [*_references(node), *(value for value in _options(node).values() if _is_reference(value))]
        return all(
            reference[0] == _CONSTANT or len(self._results[reference[0]]) > self._index(reference)
            for reference in references
        )

    def _index(self, reference: Sequence[Any]) -> int:
        """Position of a node among a layer's calls: a model's first node is the one that it was made with."""
        return int(reference[1]) - int(_is_model(self._entries[reference[0]]))

    def _tensor(self, reference: Sequence[Any]) -> Any:
        if reference[0] == _CONSTANT:
            return reference[2]
        return self._results[reference[0]][self._index(reference)][reference[2]]

    def _called(self, name: str, node: Any) -> list[Any]:
        entry = self._entries[name]
        if entry["class_name"] == "InputLayer":
            layer = self._layers[name] = input_layer(entry["config"], _keras_name(name))
            return [layer.output]
        inputs = [self._tensor(reference) for reference in _references(node)]
        options = {key: self._option(value) for key, value in _options(node).items() if value is not None}
        try:
            output = self._output(name, entry, inputs, options)
        except (TypeError, ValueError) as error:  # Keras raises these for shapes that do not fit.
            raise ModelError(
                f"layer '{name}' ({entry['class_name']}) cannot be called by Keras 3: {typed_line(error)}; "
                "rebuild the model without it"
            ) from error
        return list(output) if isinstance(output, list | tuple) else [output]

    def _option(self, value: Any) -> Any:
        return self._tensor(value) if _is_reference(value) else value

    def _output(self, name: str, entry: Config, inputs: list[Any], options: dict[str, Any]) -> Any:
        if entry["class_name"] in OP_CLASSES:
            return self._computed(name, entry["config"], inputs, options)
        if not set(options) <= {"training"}:
            raise ModelError(
                f"layer '{name}': expected no arguments of calls but training, received {excerpt(options)}"
            )
        if name not in self._layers:
            self._layers[name], *after = _made(entry, _keras_name(name))
            self._after[name] = tuple(after)
        layer = self._layers[name]
        callee = layer.model if isinstance(layer, LegacyModel) else layer
        output = callee(_alone(inputs), **options)
        for following in self._after[name]:
            output = following(output)
        return output

    def _computed(self, name: str, config: Config, inputs: list[Any], options: dict[str, Any]) -> Any:
        operands = list(inputs)
        for index, value in sorted((int(key), value) for key, value in config.get("constants", {}).items()):
            operands.insert(index, value)
        if "y" in options:
            operands.append(options["y"])
        layer = self._layers[name] = op_layer(_keras_name(name), config, operands, options)
        return layer(_alone([operand for operand in operands if isinstance(operand, keras.KerasTensor)]))


def _made(entry: Config, name: str) -> tuple[Any, ...]:
    """The layer or model of an entry, and the layers that follow it wherever it is called."""
    if _is_model(entry):
        return (build_legacy(entry["class_name"], entry["config"], name),)
    return made_with_activation(entry["class_name"], entry["config"], name)


def _is_model(entry: Config) -> bool:
    return entry["class_name"] in (*FUNCTIONAL, SEQUENTIAL)


def _name(entry: Config) -> str:
    return str(entry.get("name") or entry["config"]["name"])


def _alone(tensors: list[Any]) -> Any:
    """A single tensor out of its list; several as they are."""
    return tensors[0] if len(tensors) == 1 else tensors


def _keras_name(name: str) -> str:
    """Keras 3 takes no slash in a name; its own versions of the models that had some have underscores."""
    return name.replace("/", "_")


def _nodes(entry: Config) -> Iterator[Any]:
    """The calls of a layer: lists of references, one list for each call; an input layer has one without any."""
    yield from [[]] if entry["class_name"] == "InputLayer" else entry["inbound_nodes"]


def _references(node: Any) -> list[Any]:
    """References of a call, ``[layer, node, tensor, options]`` each; the options may be missing."""
    if isinstance(node, dict):
        raise ModelError(
            f"expected lists of tensors, received a dictionary {excerpt(node)}; rebuild the model with lists"
        )
    return [node] if node and isinstance(node[0], str) else list(node)


def _options(node: Any) -> dict[str, Any]:
    """Arguments of a call by name; every reference repeats them."""
    return dict(next((reference[3] for reference in _references(node) if len(reference) > 3), {}))


def _is_reference(value: Any) -> bool:
    return isinstance(value, list) and len(value) in (3, 4) and isinstance(value[0], str)


def _as_functional_config(config: Any) -> dict[str, Any]:
    """A Sequential model's configuration, written as that of a functional one."""
    document = config if isinstance(config, dict) else {"layers": config}
    entries = [dict(entry) for entry in document["layers"]]
    if entries and entries[0]["class_name"] != "InputLayer":
        shape = entries[0]["config"].get("batch_input_shape", document.get("build_input_shape"))
        name = f"{_name(entries[0])}_input"
        entries.insert(0, {"class_name": "InputLayer", "config": {"name": name, "batch_input_shape": shape}})
    before = None
    for entry in entries:
        entry["inbound_nodes"] = [] if before is None else [[_output_of(before)]]
        before = entry
    return {
        "name": document.get("name"),
        "trainable": document.get("trainable", True),
        "layers": entries,
        "input_layers": [_output_of(entries[0])],
        "output_layers": [_output_of(entries[-1])],
    }


def _output_of(entry: Config) -> list[Any]:
    return [_name(entry), int(_is_model(entry)), 0]
