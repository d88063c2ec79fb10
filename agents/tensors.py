"""Tensors on disk: safetensors files with one JSON document, whose digest covers everything in the file."""

import struct
from collections.abc import Collection, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch
from safetensors import SafetensorError, safe_open
from safetensors.torch import save_file
from torch import Tensor

from rollouts import sealing
from rollouts.documents import DocumentError
from rollouts.errors import InputError
from rollouts.files import atomic_path
from rollouts.sealing import Part, UnfitDocument

DTYPES = {
    "F16": torch.float16,
    "BF16": torch.bfloat16,
    "F32": torch.float32,
    "F64": torch.float64,
    "I64": torch.int64,
    "U8": torch.uint8,
}
"""What tensors of this project's files can be, by safetensors' names."""
WEIGHTS = (torch.float16, torch.bfloat16, torch.float32, torch.float64)
Kind = tuple[torch.dtype, tuple[int, ...]]
"""A tensor's number format and shape."""
Expected = tuple[Collection[torch.dtype], tuple[int, ...] | None]
"""The number formats that a tensor may have, and its shape, None for any length."""


class CheckpointError(InputError):
    """A checkpoint is missing, damaged, or of another kind than expected."""


class Damaged(CheckpointError):
    """A file is missing, or holds what no file of this project can hold."""


@dataclass(frozen=True)
class TensorFile:
    """A file that is open: its document, and its tensors' kinds by name, before any of them is read."""

    path: Path
    document: dict[str, Any]
    kinds: dict[str, Kind]
    file: Any

    def tensors(self) -> dict[str, Tensor]:
        """All tensors by name; raises `UnfitDocument` where they are not those that the digest was made of."""
        tensors = {name: self.file.get_tensor(name) for name in self.kinds}
        sealing.check_seal(self.document, _parts(tensors))
        return tensors


def _parts(tensors: Mapping[str, Tensor]) -> dict[str, Part]:
    return {
        name: (str(tensor.dtype), tuple(tensor.shape), tensor.reshape(-1).view(torch.uint8).numpy())
        for name, tensor in tensors.items()
    }


def save_tensors(path: str | Path, tensors: Mapping[str, Tensor], metadata: Mapping[str, Any]) -> None:
    """Write a safetensors file atomically; `metadata` becomes one JSON string under the key `metadata`."""
    contiguous = {name: tensor.detach().cpu().contiguous() for name, tensor in tensors.items()}
    try:
        text = sealing.sealed(metadata, _parts(contiguous))
    except DocumentError as error:
        raise CheckpointError(f"{path} cannot be written: {error}") from error
    with atomic_path(path) as temporary:
        try:
            save_file(contiguous, temporary, {"metadata": text})
        except SafetensorError as error:
            raise CheckpointError(f"{path} cannot be written: {error}.") from error


@contextmanager
def opened(path: str | Path) -> Iterator[TensorFile]:
    """A file that `save_tensors` wrote; raises `Damaged` for anything else, whatever in the block finds it out."""
    path = Path(path)
    if not path.is_file():
        raise Damaged(f"There is no checkpoint at {path}.")
    try:
        with safe_open(path, framework="pt") as file:
            document = sealing.read((file.metadata() or {}).get("metadata", "null"))
            yield TensorFile(path, document, {name: _kind(file, name) for name in file.keys()}, file)  # noqa: SIM118
    except CheckpointError:
        raise
    except UnfitDocument as error:
        raise Damaged(f"{path} {error}") from error
    except (SafetensorError, OSError, ValueError, struct.error) as error:
        raise Damaged(f"{path} is not a complete safetensors file: {error}.") from error


def _kind(file: Any, name: str) -> Kind:
    described = file.get_slice(name)
    dtype = described.get_dtype()
    if dtype not in DTYPES:
        raise UnfitDocument(f"has '{name}' in the number format {dtype}; it can be {', '.join(DTYPES)}.")
    return DTYPES[dtype], tuple(described.get_shape())


def load_tensors(path: str | Path) -> tuple[dict[str, Tensor], dict[str, Any]]:
    """Tensors and metadata of a file that `save_tensors` wrote; raises `Damaged` for anything else."""
    with opened(path) as file:
        return file.tensors(), file.document


def kinds_of(tensors: Mapping[str, Tensor]) -> dict[str, Kind]:
    """What `TensorFile.kinds` has, of tensors in memory."""
    return {name: (tensor.dtype, tuple(tensor.shape)) for name, tensor in tensors.items()}


def check_kinds(path: str | Path, kinds: Mapping[str, Kind], expected: Mapping[str, Expected], whose: str) -> None:
    """Raises `Damaged` naming the first tensor that is missing, of another kind than `whose` has, or superfluous."""
    for name, (dtypes, shape) in expected.items():
        if name not in kinds:
            raise Damaged(f"{path} lacks '{name}', which {whose} has.")
        dtype, found = kinds[name]
        if dtype not in dtypes:
            names = " or ".join(_short(dtype) for dtype in dtypes)
            raise Damaged(f"{path}: '{name}' is in the number format {_short(dtype)}; in {whose} it is {names}.")
        if found != shape if shape is not None else len(found) != 1:
            raise Damaged(f"{path}: '{name}' has shape {found}, {whose} needs {shape or 'one axis'}.")
    unknown = sorted(set(kinds) - set(expected))
    if unknown:
        raise Damaged(f"{path} has '{unknown[0]}', which {whose} does not have.")


def _short(dtype: torch.dtype) -> str:
    return str(dtype).removeprefix("torch.")
