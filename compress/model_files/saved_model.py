"""Models from SavedModel folders of Keras 2, whose configuration is stored beside the TensorFlow graph."""

import json
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np

from compress.errors import ModelError
from compress.model_files.keras2_config import INNER_LAYERS
from compress.model_files.keras2_graph import LegacyModel, build_legacy
from compress.model_files.keras2_h5 import assign

GRAPH_FILE, METADATA_FILE, CHECKPOINT = "saved_model.pb", "keras_metadata.pb", "variables/variables"

_OBJECT_GRAPH = "_CHECKPOINTABLE_OBJECT_GRAPH"
_ROOT = 0


def load_saved_model(folder: Path) -> Any:
    """A functional Keras 3 model from a SavedModel that Keras 2 wrote; its TensorFlow graph is not run.

    Raises:
        ModelError: the folder holds no architecture of Keras, a layer that cannot be made, or weights that do not fit.
    """
    metadata = _tuples_as_lists(json.loads(_metadata(folder) or "null"))
    if not isinstance(metadata, dict) or not {"class_name", "config"} <= set(metadata):
        raise ModelError(
            "it holds no architecture, only a TensorFlow graph, as Keras 3's model.export() writes it; "
            "give the .keras or .h5 file that it was made from"
        )
    legacy = build_legacy(metadata["class_name"], metadata["config"])
    _Checkpoint(folder / CHECKPOINT).restore(legacy, _ROOT)
    return legacy.finalized()


class _Checkpoint:
    """Variables by their place among the layers that own them."""

    def __init__(self, prefix: Path) -> None:
        from tensorflow.core.protobuf.trackable_object_graph_pb2 import TrackableObjectGraph
        from tensorflow.train import load_checkpoint

        self._reader = load_checkpoint(str(prefix))
        self._nodes = TrackableObjectGraph.FromString(self._reader.get_tensor(_OBJECT_GRAPH)).nodes

    def restore(self, legacy: LegacyModel, node: int) -> None:
        """Set the weights of a model that is this node of the checkpoint."""
        children = self._children(node)
        weighted = [
            (name, layer)
            for name, layer in legacy.layers.items()
            if layer.trainable_weights or layer.non_trainable_weights
        ]
        for index, (name, layer) in enumerate(weighted):
            child = children.get(f"layer_with_weights-{index}")
            if child is None:
                raise ModelError(f"it holds no weights of layer '{name}'; save the model again")
            if isinstance(layer, LegacyModel):
                self.restore(layer, child)
            else:
                self._assign(name, layer, child)

    def _assign(self, name: str, layer: Any, node: int) -> None:
        owners = [self._inside(node, place) for place in INNER_LAYERS.get(type(layer).__name__, ("",))]
        share = len(layer.weights) // len(owners)
        stored = [
            variable
            for index, owner in enumerate(owners)
            for variable in self._variables(owner, layer.weights[index * share : (index + 1) * share])
        ]
        values = [np.asarray(self._reader.get_tensor(key)) for _, key in stored]
        assign(name, layer.weights, [local for local, _ in stored], values)

    def _variables(self, node: int | None, weights: Sequence[Any]) -> list[tuple[str, str]]:
        """Name and key of every variable of a layer, in the order of its weights, those of other names last."""
        # An attribute may be there under two names, as the mean of Normalization is: the first one stands for both.
        places: dict[str, str] = {}
        for local, child in ({} if node is None else self._children(node)).items():
            for attribute in self._nodes[child].attributes:
                places.setdefault(attribute.checkpoint_key, local)
        keys = {local: key for key, local in places.items()}
        # Only in what weights are called do Keras 2 and 3 differ.
        order = [weight.name if weight.name in keys else f"depthwise_{weight.name}" for weight in weights]
        names = [*(local for local in order if local in keys), *(local for local in keys if local not in order)]
        return [(local, keys[local]) for local in names]

    def _inside(self, node: int, place: str) -> int | None:
        """The node of a layer inside another, by a path of attributes; None where there is none."""
        inner: int | None = node
        for attribute in place.split("/") if place else ():
            inner = None if inner is None else self._children(inner).get(attribute)
        return inner

    def _children(self, node: int) -> dict[str, int]:
        return {child.local_name: child.node_id for child in self._nodes[node].children}


def _metadata(folder: Path) -> str:
    """The JSON text that describes the model: in a file of its own since TensorFlow 2.5, in the graph before."""
    path = folder / METADATA_FILE
    if path.is_file():
        nodes = _metadata_message().FromString(path.read_bytes()).nodes
        return next((str(node.metadata) for node in nodes if node.node_path == "root"), "")
    from tensorflow.core.protobuf.saved_model_pb2 import SavedModel

    objects = SavedModel.FromString((folder / GRAPH_FILE).read_bytes()).meta_graphs[0].object_graph_def.nodes
    return str(objects[_ROOT].user_object.metadata) if objects else ""


def _metadata_message() -> Any:
    """The message type of keras_metadata.pb, which Keras 3 no longer brings: SavedMetadata of Keras 2."""
    from google.protobuf import descriptor_pb2, descriptor_pool, message_factory

    file = descriptor_pb2.FileDescriptorProto(name="keras_metadata.proto", package="keras_metadata", syntax="proto3")
    field = descriptor_pb2.FieldDescriptorProto
    node = file.message_type.add(name="Node")
    for name, number in (("node_path", 3), ("metadata", 5)):
        node.field.add(name=name, number=number, type=field.TYPE_STRING, label=field.LABEL_OPTIONAL)
    nodes = file.message_type.add(name="Metadata").field.add(name="nodes", number=1, label=field.LABEL_REPEATED)
    nodes.type, nodes.type_name = field.TYPE_MESSAGE, ".keras_metadata.Node"
    pool = descriptor_pool.DescriptorPool()
    pool.Add(file)
    return message_factory.GetMessageClass(pool.FindMessageTypeByName("keras_metadata.Metadata"))


def _tuples_as_lists(value: Any) -> Any:
    """JSON in which Keras 2 marked what were tuples."""
    if isinstance(value, list):
        return [_tuples_as_lists(item) for item in value]
    if not isinstance(value, dict):
        return value
    if value.get("class_name") == "__tuple__":
        return _tuples_as_lists(value["items"])
    return {key: _tuples_as_lists(item) for key, item in value.items()}
