"""The constants of a frozen TensorFlow graph (`.pb`, a serialised `GraphDef`), read without TensorFlow."""

from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from agents.tensors import CheckpointError

MAX_BYTES = 2**28


def read_constants(path: str | Path) -> dict[str, NDArray[np.float32]]:
    """The graph's float32 constants that have an axis, by the names of their nodes, in the file's order.

    A number without an axis belongs to the arithmetic (the 2 of a square), so it is left out. Raises
    `CheckpointError` when the file is missing or not a complete graph.
    """
    # Here, and not above: the other commands do without these two packages and start faster.
    from google.protobuf.message import DecodeError  # type: ignore[import-untyped]
    from tensorboard.compat.proto.graph_pb2 import GraphDef  # type: ignore[import-untyped]
    from tensorboard.compat.proto.types_pb2 import DT_FLOAT  # type: ignore[import-untyped]

    path = Path(path)
    if not path.is_file():
        raise CheckpointError(f"There is no checkpoint at {path}.")
    if path.stat().st_size > MAX_BYTES:
        raise CheckpointError(f"{path} has {path.stat().st_size} bytes; a graph of at most {MAX_BYTES} is read.")
    graph = GraphDef()
    try:
        graph.ParseFromString(path.read_bytes())
    except DecodeError as error:
        raise CheckpointError(f"{path} is not a complete TensorFlow graph: {error}.") from error
    if not graph.node:
        raise CheckpointError(f"{path} is not a TensorFlow graph: it has no nodes.")
    constants = {}
    for node in graph.node:
        if node.op != "Const":
            continue
        tensor = node.attr["value"].tensor
        if tensor.dtype == DT_FLOAT and tensor.tensor_shape.dim:
            try:
                constants[node.name] = _array(tensor)
            except ValueError as error:
                raise CheckpointError(f"{path} has a damaged tensor '{node.name}': {error}.") from error
    return constants


def _array(tensor: Any) -> NDArray[np.float32]:
    """The array of a float32 `TensorProto`: raw bytes, a list, or one number that stands for all."""
    shape = tuple(dim.size for dim in tensor.tensor_shape.dim)
    if tensor.tensor_content:
        values = np.frombuffer(tensor.tensor_content, "<f4").astype(np.float32)
    else:
        values = np.array(tensor.float_val, np.float32)
    return np.broadcast_to(values, shape) if values.size == 1 else values.reshape(shape)
