"""TensorFlow's own FLOPs, from the statistics that it keeps for each operation of a traced graph."""

import tensorflow as tf
from tensorflow.python.framework import ops

MULTIPLICATIONS = ("Conv2D", "DepthwiseConv2dNative", "Conv3D", "MatMul", "BatchMatMulV2")
BIASES = ("BiasAdd",)
POOLING = ("MaxPool", "AvgPool")
CONVENTION = (*MULTIPLICATIONS, *BIASES, *POOLING)


def profiled_flops(model):
    """FLOPs of one image, of the operations that the convention counts; a mean counts in global pooling only."""
    signature = [tf.TensorSpec((1, *tensor.shape[1:]), tensor.dtype) for tensor in model.inputs]
    graph = (
        tf.function(lambda *x: model(list(x) if len(x) > 1 else x[0], training=False))
        .get_concrete_function(*signature)
        .graph
    )
    pooled = {layer.name for layer in model.layers if type(layer).__name__.startswith("Global")}
    return sum(
        ops.get_stats_for_node_def(graph, operation.node_def, "flops").value or 0
        for operation in graph.get_operations()
        if operation.type in CONVENTION or (operation.type in ("Mean", "Max") and _layer(operation) in pooled)
    )


def _layer(operation):
    """Layer of an operation called ``model_1/layer_1/Mean``: Keras numbers the calls of equal names."""
    return operation.name.split("/")[-2].rpartition("_")[0]
