"""TensorFlow's own FLOPs, from the statistics that it keeps for each operation of a traced graph."""

from collections.abc import Iterator
from typing import Any

import tensorflow as tf
from tensorflow.python.framework import ops

MULTIPLICATIONS = ("Conv2D", "DepthwiseConv2dNative", "Conv3D", "MatMul", "BatchMatMulV2")
BIASES = ("BiasAdd",)
POOLING = ("MaxPool", "AvgPool")
CONVENTION = (*MULTIPLICATIONS, *BIASES, *POOLING)
BATCH = 2
"""Images traced at once: for a single one Keras adds two vectors of a merge as if one were a bias."""


def profiled_flops(model: Any) -> int:
    """FLOPs of one image, of the operations that the convention counts; a mean counts in global pooling only."""
    signature = [tf.TensorSpec((BATCH, *tensor.shape[1:]), tensor.dtype) for tensor in model.inputs]
    traced = tf.function(lambda *x: model(list(x) if len(x) > 1 else x[0], training=False))
    pooled = {layer.name for layer in model.layers if type(layer).__name__.startswith("Global")}
    total = 0
    for graph, operation in _operations(traced.get_concrete_function(*signature).graph):
        if operation.type in CONVENTION or (operation.type in ("Mean", "Max") and _layer(operation) in pooled):
            total += int(ops.get_stats_for_node_def(graph, operation.node_def, "flops").value or 0)
    if total % BATCH:
        raise ValueError(f"expected FLOPs that {BATCH} images share evenly, received {total}")
    return total // BATCH


def _operations(graph: Any) -> Iterator[tuple[Any, Any]]:
    """All operations of a graph with the graph they are in; grouped convolutions are functions of their own."""
    for operation in graph.get_operations():
        yield graph, operation
        if operation.type in ("PartitionedCall", "StatefulPartitionedCall"):
            yield from _operations(graph._get_function(operation.get_attr("f").name).graph)


def _layer(operation: Any) -> str:
    """Layer of an operation called ``model_1/layer_1/Mean``: Keras numbers the calls of equal names."""
    return operation.name.split("/")[-2].rpartition("_")[0]
