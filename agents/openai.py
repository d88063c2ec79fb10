"""Import of the agents that "Understanding RL Vision" (Hilton et al. 2020) published, as joblib files (`.jd`).

A `.jd` is a pickle, and a pickle can run code. It is read here by an unpickler that builds NumPy arrays and plain
containers and refuses anything else by name; no function named in the file is ever called.
"""

import pickle
import struct
from pathlib import Path
from typing import Any, ClassVar

import numpy as np
import torch
from numpy.typing import NDArray

from agents.checkpoint import Agent, CheckpointError
from agents.networks import ActorCritic
from rollouts.coinrun import EnvOptions

ACTIONS = (4, 7, 1, 5, 8, 2, 3, 4, 4)
"""Procgen's actions for: nothing, RIGHT, LEFT, UP, RIGHT+UP, LEFT+UP, DOWN, and two keys that do nothing in CoinRun."""
MAX_BYTES = 2**28

CONVOLUTIONS = ("1a", "2a", "2b", "3a", "4a")
FLATTENED = (4, 4, 32)
"""Height, width and channels behind the last pool; TensorFlow flattens them in this order, PyTorch channels first."""


class _Array:
    """Stands for joblib's array wrapper: the array's bytes follow the pickled wrapper in the file."""

    shape: tuple[int, ...]
    order: str
    dtype: np.dtype[Any]
    numpy_array_alignment_bytes: int | None = None

    def __setstate__(self, state: dict[str, Any]) -> None:
        self.__dict__.update(state)

    def read(self, file: Any) -> NDArray[Any]:
        if not isinstance(self.dtype, np.dtype) or self.dtype.hasobject:
            raise CheckpointError("an array of Python objects, which could run code")
        if self.numpy_array_alignment_bytes is not None:
            file.read(file.read(1)[0])
        count = int(np.prod(self.shape, dtype=np.int64))
        size = count * self.dtype.itemsize
        if not 0 <= size <= MAX_BYTES:
            raise CheckpointError(f"an array of {size} bytes")
        data = file.read(size)
        if len(data) < size:
            raise EOFError("the file ends inside an array")
        return np.frombuffer(data, self.dtype).reshape(self.shape, order="F" if self.order == "F" else "C").copy()


_DAMAGED = (pickle.UnpicklingError, EOFError, IndexError, KeyError, struct.error)


def _dtype(text: str, align: bool = False, copy: bool = False) -> np.dtype[Any]:
    return np.dtype(text)


def _scalar(dtype: np.dtype[Any], data: bytes) -> Any:
    return np.frombuffer(data, dtype)[0]


def _defaultdict(*_: Any) -> dict[Any, Any]:
    return {}


_ALLOWED: dict[tuple[str, str], Any] = {
    ("joblib.numpy_pickle", "NumpyArrayWrapper"): _Array,
    ("numpy", "ndarray"): np.ndarray,
    ("numpy", "dtype"): _dtype,
    ("numpy.core.multiarray", "scalar"): _scalar,
    ("collections", "defaultdict"): _defaultdict,
    ("builtins", "float"): float,
}


_PythonUnpickler: Any = pickle._Unpickler
"""The unpickler written in Python: between its steps the file stands where the arrays' bytes are."""


class _Unpickler(_PythonUnpickler):  # type: ignore[misc]
    """Builds what `_ALLOWED` names and nothing else."""

    def __init__(self, file: Any) -> None:
        super().__init__(file)
        self.file = file

    def find_class(self, module: str, name: str) -> Any:
        if (module, name) not in _ALLOWED:
            raise CheckpointError(f"'{module}.{name}', which is neither an array nor a plain container")
        return _ALLOWED[module, name]

    def load_build(self) -> None:
        built = self.stack[-2]
        if isinstance(built, np.dtype):
            self.stack.pop()  # byte order and the like, which plain numeric types have in their name
            return
        if not isinstance(built, _Array):
            raise CheckpointError(f"a state for a {type(built).__name__}, which has none")
        super().load_build()
        self.stack[-1] = built.read(self.file)

    dispatch: ClassVar[dict[int, Any]] = {**_PythonUnpickler.dispatch, pickle.BUILD[0]: load_build}


def read_joblib(path: str | Path) -> Any:
    """The arrays and plain containers of a joblib file.

    Raises `CheckpointError` when it is missing, damaged, or names anything that is neither.
    """
    path = Path(path)
    if not path.is_file():
        raise CheckpointError(f"There is no checkpoint at {path}.")
    with path.open("rb") as file:
        try:
            return _Unpickler(file).load()
        except CheckpointError as error:
            raise CheckpointError(f"{path} is not read, because it holds {error}.") from error
        except (*_DAMAGED, TypeError, ValueError, AttributeError) as error:
            raise CheckpointError(f"{path} is not a complete joblib file: {error}.") from error


def import_agent(path: str | Path) -> Agent:
    """A published agent of the `clear` network with its 9 actions, for procgen's CoinRun with painted velocity.

    Raises `CheckpointError` when the file is not such an agent.
    """
    content = read_joblib(path)
    try:
        cnn = content["args"].get("cnn")
        if cnn != "clear":
            raise CheckpointError(f"{path} holds a '{cnn}' network; only 'clear' networks can be imported.")
        weights = _torch_weights({name.removeprefix("ppo2_model/"): array for name, array in content["params"].items()})
        network = ActorCritic("clear", len(ACTIONS))
        network.load_state_dict(weights)
    except (KeyError, TypeError, AttributeError, ValueError, RuntimeError) as error:
        raise CheckpointError(f"{path} is not a published CoinRun agent: {error}.") from error
    network.eval()
    training = {"source": "Hilton et al. 2020, Understanding RL Vision", "file": Path(path).name}
    return Agent(network, EnvOptions(), ACTIONS, training=training)


def _torch_weights(params: dict[str, NDArray[Any]]) -> dict[str, torch.Tensor]:
    """TensorFlow's variables under the names and in the layout of `ActorCritic`."""
    weights = {}
    for name in CONVOLUTIONS:
        weights[f"trunk.{name}_conv.weight"] = params[f"pi/{name}/conv2d/kernel:0"].transpose(3, 2, 0, 1)
        weights[f"trunk.{name}_conv.bias"] = params[f"pi/{name}/conv2d/bias:0"]
    first = params["pi/dense/kernel:0"]
    weights["trunk.fc1_linear.weight"] = first.reshape(*FLATTENED, -1).transpose(3, 2, 0, 1).reshape(first.shape[1], -1)
    weights["trunk.fc1_linear.bias"] = params["pi/dense/bias:0"]
    for ours, kernel, bias in (
        ("trunk.fc2_linear", "pi/dense_1/kernel:0", "pi/dense_1/bias:0"),
        ("policy", "pi/w:0", "pi/b:0"),
        ("value", "vf/w:0", "vf/b:0"),
    ):
        weights[f"{ours}.weight"], weights[f"{ours}.bias"] = params[kernel].T, params[bias]
    return {name: torch.from_numpy(np.ascontiguousarray(array, dtype=np.float32)) for name, array in weights.items()}
