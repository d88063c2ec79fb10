"""Files with one bit of them flipped."""

import re
from collections.abc import Callable, Iterable, Iterator
from pathlib import Path

import numpy as np


def flips(path: Path, bits: Iterable[int]) -> Iterator[int]:
    """Write the file with each of these bits flipped, one at a time, and yield the bit; whole again at the end."""
    whole = path.read_bytes()
    for bit in map(int, bits):
        damaged = bytearray(whole)
        damaged[bit // 8] ^= 1 << bit % 8
        path.write_bytes(damaged)
        yield bit
    path.write_bytes(whole)


def sample(first: int, end: int, count: int) -> list[int]:
    """`count` bits of the bytes from `first` to `end`."""
    return sorted(map(int, np.random.default_rng(0).choice(np.arange(8 * first, 8 * end), count, replace=False)))


def header_end(path: Path) -> int:
    """Where the tensors of a safetensors file begin."""
    return 8 + int.from_bytes(path.read_bytes()[:8], "little")


def check_flips(path: Path, bits: Iterable[int], read: Callable[[], object], error: type[Exception]) -> None:
    """With any of these bits flipped, `read` gives what the whole file gives, or one sentence that names the file."""
    whole, sentences = read(), []
    for bit in flips(path, bits):
        try:
            found = read()
        except error as refused:
            sentences.append(str(refused))
        else:
            assert found == whole, f"bit {bit}"
    assert sentences
    for sentence in sentences:
        assert re.fullmatch(rf"{re.escape(str(path))}:? [^\n]*\.", sentence), sentence
