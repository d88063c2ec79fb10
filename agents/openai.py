"""Import of the agents that "Understanding RL Vision" (Hilton et al. 2020) published.

They come as joblib files (`.jd`) and as frozen TensorFlow graphs (`.model.pb`, see `agents.frozen_graph`). A `.jd` is a
pickle, and a pickle can run code. It is read here by an unpickler that builds NumPy arrays and plain containers and
refuses anything else by name; no function named in the file is ever called.
"""

import pickle
import struct
from pathlib import Path
from typing import Any, ClassVar

import numpy as np
import torch
from numpy.typing import NDArray

from agents.checkpoint import Agent, load_weights
from agents.frozen_graph import read_constants
from agents.networks import ActorCritic
from agents.tensors import CheckpointError
from rollouts.env import EnvOptions

ACTIONS = (4, 7, 1, 5, 8, 2, 3, 4, 4)
"""Procgen's actions for: nothing, RIGHT, LEFT, UP, RIGHT+UP, LEFT+UP, DOWN, and two keys that do nothing in CoinRun."""
ORIGINAL_ACTIONS = 7
"""CoinRun without the two keys; the authors' loader takes agents with either number."""
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
    """A published agent of the `clear` network with 9 or 7 actions, for procgen's CoinRun with painted velocity.

    A name that ends in `.pb` is read as a frozen graph, any other as a joblib file. Raises `CheckpointError` when the
    file is not such an agent, naming the first tensor that is missing, superfluous, of another shape or not finite.
    """
    params = _graph_params(path) if Path(path).suffix == ".pb" else _joblib_params(path)
    bias = params.get("pi/b")
    original = isinstance(bias, np.ndarray) and bias.shape == (ORIGINAL_ACTIONS,)
    actions = ACTIONS[:ORIGINAL_ACTIONS] if original else ACTIONS
    _check(params, _shapes(len(actions)), path)
    network = ActorCritic("clear", len(actions))
    load_weights(network, _torch_weights(params), path)
    network.eval()
    training = {"source": "Hilton et al. 2020, Understanding RL Vision", "file": Path(path).name}
    return Agent(network, EnvOptions(), actions, training=training)


def _joblib_params(path: str | Path) -> dict[str, Any]:
    """TensorFlow's variables by their names in the model; the authors' loader skips those it does not know, too."""
    content = read_joblib(path)
    try:
        cnn = content["args"].get("cnn")
        if cnn != "clear":
            raise CheckpointError(f"{path} holds a '{cnn}' network; only 'clear' networks can be imported.")
        params = {_short(name).removesuffix(":0"): array for name, array in content["params"].items()}
    except CheckpointError:
        raise
    except (KeyError, IndexError, TypeError, AttributeError, ValueError) as error:
        raise CheckpointError(f"{path} is not a published CoinRun agent: {error}.") from error
    return {name: params[name] for name in _shapes(len(ACTIONS)) if name in params}


def _graph_params(path: str | Path) -> dict[str, Any]:
    """The same of a graph. It does not say of what kind its network is, so all its tensors are kept, to be checked."""
    return {_short(name): array for name, array in read_constants(path).items()}


def _short(name: str) -> str:
    return name.removeprefix("ppo2_model/")


def _shapes(actions: int) -> dict[str, tuple[int, ...]]:
    """The shapes of TensorFlow's variables: kernels are (height, width, in, out), matrices (in, out)."""
    kernels = ((7, 7, 3, 16), (5, 5, 16, 32), (5, 5, 32, 32), (5, 5, 32, 32), (5, 5, 32, 32))
    shapes: dict[str, tuple[int, ...]] = {}
    for name, kernel in zip(CONVOLUTIONS, kernels, strict=True):
        shapes[f"pi/{name}/conv2d/kernel"], shapes[f"pi/{name}/conv2d/bias"] = kernel, kernel[3:]
    for weight, bias, matrix in (
        ("pi/dense/kernel", "pi/dense/bias", (512, 256)),
        ("pi/dense_1/kernel", "pi/dense_1/bias", (256, 512)),
        ("pi/w", "pi/b", (512, actions)),
        ("vf/w", "vf/b", (512, 1)),
    ):
        shapes[weight], shapes[bias] = matrix, matrix[1:]
    return shapes


def _check(params: dict[str, Any], shapes: dict[str, tuple[int, ...]], path: str | Path) -> None:
    """Raises `CheckpointError` naming the first variable that is missing, of another shape, not finite or unknown."""
    for name, shape in shapes.items():
        array = params.get(name)
        if not isinstance(array, np.ndarray) or array.dtype.kind != "f":
            raise CheckpointError(f"{path} is not a published CoinRun agent: it lacks the weights '{name}'.")
        if array.shape != shape:
            raise CheckpointError(
                f"{path} is not a published CoinRun agent: '{name}' has shape {array.shape} instead of {shape}."
            )
        if not np.isfinite(array).all():
            raise CheckpointError(f"{path}: the weights '{name}' are not all finite numbers.")
    unknown = [name for name in params if name not in shapes]
    if unknown:
        raise CheckpointError(
            f"{path} is not a published CoinRun agent: it has weights '{unknown[0]}' beside those of a 'clear' network."
        )


def _torch_weights(params: dict[str, NDArray[Any]]) -> dict[str, torch.Tensor]:
    """TensorFlow's variables under the names and in the layout of `ActorCritic`."""
    weights = {}
    for name in CONVOLUTIONS:
        weights[f"trunk.{name}_conv.weight"] = params[f"pi/{name}/conv2d/kernel"].transpose(3, 2, 0, 1)
        weights[f"trunk.{name}_conv.bias"] = params[f"pi/{name}/conv2d/bias"]
    first = params["pi/dense/kernel"]
    weights["trunk.fc1_linear.weight"] = first.reshape(*FLATTENED, -1).transpose(3, 2, 0, 1).reshape(first.shape[1], -1)
    weights["trunk.fc1_linear.bias"] = params["pi/dense/bias"]
    for ours, kernel, bias in (
        ("trunk.fc2_linear", "pi/dense_1/kernel", "pi/dense_1/bias"),
        ("policy", "pi/w", "pi/b"),
        ("value", "vf/w", "vf/b"),
    ):
        weights[f"{ours}.weight"], weights[f"{ours}.bias"] = params[kernel].T, params[bias]
    return {name: torch.from_numpy(np.array(array, np.float32, order="C")) for name, array in weights.items()}
