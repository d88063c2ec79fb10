"""Zip archives of arrays that come from elsewhere: nothing is unpacked further than its directory announces."""

import io
import lzma
import struct
import tokenize
import zipfile
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import IO, Any

import numpy as np
from numpy.typing import NDArray

METHOD = zipfile.ZIP_LZMA
"""The one way of compression that is written, and read."""
CHUNK = 4096
"""Bytes that are taken out at a time: a piece of the archive of this size is unpacked at once, however long it gets."""
DAMAGED = (
    zipfile.BadZipFile,
    lzma.LZMAError,
    EOFError,
    OSError,
    KeyError,
    ValueError,
    SyntaxError,
    tokenize.TokenError,
    RuntimeError,
    OverflowError,
    MemoryError,
    struct.error,
)
"""What `zipfile`, `lzma` and NumPy raise for an archive that is damaged."""


@dataclass(frozen=True)
class Header:
    """What a member says of its array before any of it is unpacked; `start` is where its bytes begin."""

    dtype: np.dtype[Any]
    shape: tuple[int, ...]
    start: int


class Archive:
    """An archive that is open for reading; whatever is wrong with it raises one of `DAMAGED`."""

    def __init__(self, file: zipfile.ZipFile) -> None:
        self._file = file
        self._members: Mapping[str, zipfile.ZipInfo] = {info.filename: info for info in file.infolist()}
        if len(self._members) < len(file.infolist()):
            raise ValueError("a member stands there twice")
        for name, info in self._members.items():
            if info.compress_type != METHOD or info.flag_bits & 1:
                raise ValueError(f"'{name}' is packed in another way than a bank's members")

    @property
    def names(self) -> list[str]:
        return list(self._members)

    def size(self, name: str) -> int:
        """Bytes that a member will have when it is unpacked, as the directory announces."""
        return self._members[name].file_size

    def open(self, name: str) -> IO[bytes]:
        return self._file.open(name)

    def read(self, name: str, most: int) -> bytes:
        """A member of at most `most` bytes."""
        if self.size(name) > most:
            raise ValueError(f"'{name}' would have {self.size(name):,} bytes")
        with self.open(name) as file:
            return take(file, self.size(name))

    def header(self, name: str) -> Header:
        """What an array's member begins with; its size is what the array will need."""
        with self.open(name) as file:
            beginning = io.BytesIO(take(file, min(CHUNK, self.size(name))))
        version = np.lib.format.read_magic(beginning)
        if version != (1, 0):
            raise ValueError(f"'{name}' has version {version} of the format of arrays")
        shape, fortran, dtype = np.lib.format.read_array_header_1_0(beginning)
        header = Header(dtype, shape, beginning.tell())
        if fortran or dtype.hasobject:
            raise ValueError(f"'{name}' is no array of numbers, row by row")
        if self.size(name) != header.start + dtype.itemsize * int(np.prod(shape, dtype=object)):
            raise ValueError(f"'{name}' has {self.size(name):,} bytes, which do not fit its shape {shape}")
        return header

    def array(self, name: str, header: Header) -> NDArray[Any]:
        """An array whose `header` was found to be as it should."""
        values = np.empty(header.shape, header.dtype)
        raw = values.reshape(-1).view(np.uint8)
        with self.open(name) as file:
            take(file, header.start)
            for start in range(0, len(raw), CHUNK):
                piece = raw[start : start + CHUNK]
                piece[:] = np.frombuffer(take(file, len(piece)), np.uint8)
        return values


def take(file: IO[bytes], size: int) -> bytes:
    """The next `size` bytes; raises `EOFError` where there are fewer."""
    pieces, left = [], size
    while left and (piece := file.read(min(CHUNK, left))):
        pieces.append(piece)
        left -= len(piece)
    if left:
        raise EOFError(f"it ends {left:,} bytes too early")
    return b"".join(pieces)


@contextmanager
def reading(path: Path) -> Iterator[Archive]:
    """The archive at `path`."""
    with zipfile.ZipFile(path) as file:
        yield Archive(file)
