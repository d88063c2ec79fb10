"""Banks that were damaged, or made by somebody else: the same bank, or one sentence, soon and in little memory."""

import io
import json
import re
import struct
import subprocess
import sys
import time
import zipfile
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray

from flips import check_flips, flips, sample
from rollouts.bank import BankError, FrameBank, content_sha256, load, save
from rollouts.collecting import BankPlan, collect
from rollouts.env import EnvOptions
from rollouts.renderers import renderer_of

PLAN = BankPlan("spread", environments=2, per_environment=2, interval=5, consecutive=True, pool_frames=64)
Members = dict[str, bytes]


def policy(frames: NDArray[np.uint8]) -> NDArray[np.int32]:
    return np.full(len(frames), 7, dtype=np.int32)


@pytest.fixture(scope="module")
def bank() -> FrameBank:
    played = collect([("one", policy)], EnvOptions(num_levels=5), PLAN, seed=0)
    return replace(played, pool=played.pool[:3], pool_environment=played.pool_environment[:3])


@pytest.fixture
def path(bank: FrameBank, tmp_path: Path) -> Path:
    save(tmp_path / "bank.zip", bank)
    return tmp_path / "bank.zip"


def read(path: Path) -> tuple[str, bool]:
    bank = load(path)
    return content_sha256(bank), bank.checked


def test_a_flipped_bit_is_refused_or_changes_nothing(path: Path) -> None:
    """Of the directory and the members' own headers above all."""
    with zipfile.ZipFile(path) as archive:
        directory = archive.start_dir
        headers = [info.header_offset for info in archive.infolist()]
    end = path.stat().st_size
    bits = sample(0, directory, 60) + sample(directory, end, 150)
    bits += [bit for start in headers for bit in sample(start, start + 60, 10)]
    check_flips(path, bits, lambda: read(path), BankError)


@pytest.mark.slow
def test_every_flipped_bit_of_the_directory_is_refused_or_changes_nothing(path: Path) -> None:
    with zipfile.ZipFile(path) as archive:
        directory = archive.start_dir
    bits = [*sample(0, directory, 3000), *range(8 * directory, 8 * path.stat().st_size)]
    check_flips(path, bits, lambda: read(path), BankError)


def members(path: Path) -> Members:
    with zipfile.ZipFile(path) as archive:
        return {name: archive.read(name) for name in archive.namelist()}


def write(path: Path, content: Members, method: int = zipfile.ZIP_LZMA) -> None:
    with zipfile.ZipFile(path, "w", method) as archive:
        for name, data in content.items():
            archive.writestr(name, data)


def npy(values: NDArray[Any]) -> bytes:
    file = io.BytesIO()
    np.lib.format.write_array(file, values, allow_pickle=False)
    return file.getvalue()


def array(name: str, change: Callable[[NDArray[Any]], NDArray[Any]]) -> Callable[[Members], object]:
    member = f"{name}.npy"
    return lambda content: content.update({member: npy(change(np.load(io.BytesIO(content[member]))))})


def first(name: str, value: float) -> Callable[[Members], object]:
    def change(values: NDArray[Any]) -> NDArray[Any]:
        values[0] = value
        return values

    return array(name, change)


def says(**values: Any) -> Callable[[Members], object]:
    return lambda content: content.update(
        {"metadata.json": json.dumps(json.loads(content["metadata.json"]) | values).encode()}
    )


def states(change: Callable[[bytes], bytes]) -> Callable[[Members], object]:
    return lambda content: content.update({"states.bin": change(content["states.bin"])})


def claiming(shape: tuple[int, ...]) -> bytes:
    file = io.BytesIO()
    np.lib.format.write_array_header_1_0(file, {"descr": "|u1", "fortran_order": False, "shape": shape})
    return file.getvalue() + bytes(100)


def zeros(data: bytes) -> bytes:
    (length,) = struct.unpack("<I", data[:4])
    return data[:4] + bytes(length) + data[4 + length :]


NUMBERED = ("frames", "next_frames", "actions", "rewards", "environment", "time", "episode", "level", "player")
CRAFTED: dict[str, tuple[Callable[[Members], object], str]] = {
    "float frames": (
        array("frames", lambda a: a / 255),
        "'frames' is (4, 64, 64, 3) float64; it must be (N, 64, 64, 3) u",
    ),
    "small frames": (
        array("frames", lambda a: a[:, ::2, ::2]),
        "'frames' is (4, 32, 32, 3) uint8; it must be (N, 64, 64",
    ),
    "one frame less": (array("frames", lambda a: a[:3]), "'frames' has 3 entries; it must have 4."),
    "one action": (array("actions", lambda a: a[:1]), "'rewards' has 4 entries; it must have 1."),
    "one number": (array("time", lambda a: a[0].reshape(())), "'time' is () int32; it must be (N) int32."),
    "one pool frame less": (array("pool", lambda a: a[1:]), "'pool' has 2 entries; it must have 3."),
    "actions of NaN": (array("actions", lambda a: a * np.nan), "'actions' is (4,) float64; it must be (N) int32."),
    "objects": (
        lambda content: content.update({"actions.npy": content["actions.npy"].replace(b"<i4", b"|O ", 1)}),
        "is not a complete bank: ",
    ),
    "columns first": (
        lambda content: content.update({"pool.npy": npy(np.asfortranarray(np.load(io.BytesIO(content["pool.npy"]))))}),
        "'pool.npy' is no array of numbers, row by row.",
    ),
    "an action too high": (first("actions", 15), "'actions' holds 15; it must be from 0 to 14."),
    "a reward of NaN": (first("rewards", np.nan), "'rewards' are not all finite numbers."),
    "a reward without end": (first("rewards", np.inf), "'rewards' are not all finite numbers."),
    "an environment below 0": (first("environment", -1), "'environment' holds -1; it must be from 0 to 65535."),
    "an order of its own": (first("environment", 1), "its frames are not sorted by 'environment' and 'time'."),
    "a time twice": (first("time", 1), "its frames are not sorted by 'environment' and 'time'."),
    "an episode below 0": (first("episode", -3), "'episode' holds -3; it must be from 0 to 65535."),
    "an episode of two": (
        array("episode", lambda a: a * 0),
        "an 'episode' is of several environments, levels or players.",
    ),
    "a level of others": (first("level", 5), "'level' holds 5; it must be from 0 to 4."),
    "a player of none": (first("player", 1), "'player' holds 1; it must be from 0 to 0."),
    "a pool of nowhere": (first("pool_environment", -1), "'pool_environment' holds -1; it must be from 0 to 65535."),
    "no frames": (
        lambda content: [array(name, lambda a: a[:0])(content) for name in NUMBERED],
        "it has no frames.",
    ),
    "no rewards": (lambda content: content.pop("rewards.npy"), "it lacks 'rewards.npy'."),
    "something else": (lambda content: content.update({"readme.txt": b"x"}), "it has 'readme.txt', which no bank has."),
    "states of zeros": (states(zeros), "state 0 of 8 cannot be used: The state is of the game '?', not of coinrun."),
    "states cut short": (states(lambda data: data[:-1]), "is not a complete bank: it ends 1 bytes too early."),
    "one state more": (states(lambda data: data + data), "there are more states than 8."),
    "a state without end": (states(lambda data: b"\xff" * 4 + data[4:]), "state 0 would have 4,294,967,295 bytes."),
    "next states gone": (lambda content: content.pop("next_frames.npy"), "there are more states than 4."),
    "petabytes": (
        lambda content: content.update({"frames.npy": claiming((10**11, 64, 64, 3))}),
        "'frames.npy' has 228 bytes, which do not fit its shape (100000000000, 64, 64, 3).",
    ),
    "below nothing": (
        lambda content: content.update({"frames.npy": claiming((-1, 64, 64, 3))}),
        "do not fit its shape",
    ),
    "a header of letters": (
        lambda content: content.update({"frames.npy": b"\x93NUMPY\1\0\x10\0" + b"({" * 8}),
        "complete",
    ),
    "another version": (
        lambda content: content.update({"frames.npy": b"\x93NUMPY\2\0" + bytes(99)}),
        "has version (2, 0)",
    ),
    "no array": (lambda content: content.update({"frames.npy": b"frames"}), "is not a complete bank: "),
    "a list": (lambda content: content.update({"metadata.json": b"[]"}), "has no metadata of this project."),
    "nothing": (lambda content: content.update({"metadata.json": b""}), "has metadata that cannot be read: "),
    "no text": (lambda content: content.update({"metadata.json": b"\xff\xfe{"}), "has metadata that cannot be read: "),
    "a depth": (lambda content: content.update({"metadata.json": b"[" * 10**5}), "has metadata that cannot be read: "),
    "a seed in words": (says(seed="x"), "has metadata that cannot be: seed is 'x': Input should be a valid integer."),
    "no players": (says(players=[]), "has metadata that cannot be: players: "),
    "a mode in words": (
        says(options={"distribution_mode": "odd"}),
        "has metadata that cannot be: options: distribution_m",
    ),
    "a velocity in words": (
        says(options={"paint_velocity": "no"}),
        "options.paint_velocity is 'no': Input should be a v",
    ),
    "something unknown": (
        says(colour="red"),
        "has metadata that cannot be: colour is 'red': Unexpected keyword argument.",
    ),
}


@pytest.mark.parametrize("name", CRAFTED)
def test_whatever_cannot_be_is_refused(path: Path, name: str) -> None:
    change, sentence = CRAFTED[name]
    content = members(path)
    says(sha256=None)(content)
    document = json.loads(content["metadata.json"])
    del document["sha256"]
    content["metadata.json"] = json.dumps(document).encode()
    write(path, content)
    assert not load(path).checked
    change(content)
    write(path, content)
    with pytest.raises(BankError) as error:
        load(path)
    assert str(error.value).startswith(f"{path} ")
    assert sentence in str(error.value)
    assert "\n" not in str(error.value)


def test_a_bank_of_other_values_has_another_digest(path: Path) -> None:
    content = members(path)
    first("actions", 3)(content)
    write(path, content)
    with pytest.raises(BankError) as error:
        load(path)
    assert str(error.value) == f"{path} is damaged: its content does not have the SHA-256 that was written with it."


@pytest.mark.parametrize("method", [zipfile.ZIP_STORED, zipfile.ZIP_DEFLATED, zipfile.ZIP_BZIP2])
def test_other_ways_of_packing_are_refused(path: Path, method: int) -> None:
    write(path, members(path), method)
    with pytest.raises(BankError, match=r"'metadata.json' is packed in another way than a bank's members\.$"):
        load(path)


def test_a_member_that_stands_there_twice_is_refused(path: Path) -> None:
    with pytest.warns(UserWarning, match="Duplicate name"), zipfile.ZipFile(path, "a", zipfile.ZIP_LZMA) as archive:
        archive.writestr("actions.npy", b"")
    with pytest.raises(BankError, match="a member stands there twice"):
        load(path)


def test_a_bomb_is_refused_soon_and_in_little_memory(path: Path) -> None:
    """A file of some 100 KB whose states would be 128 MB."""
    content = members(path)
    with zipfile.ZipFile(path, "w", zipfile.ZIP_LZMA) as archive:
        for name, data in content.items():
            if name != "states.bin":
                archive.writestr(name, data)
            else:
                with archive.open(name, "w", force_zip64=True) as file:
                    for _ in range(8):
                        file.write(bytes(2**24))
    assert path.stat().st_size < 10**6
    program = (
        "import sys, resource\n"
        "from rollouts.bank import BankError, load\n"
        "before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss\n"
        "try:\n    load(sys.argv[1])\n"
        "except BankError as error:\n"
        "    print(resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before, error)"
    )
    began = time.monotonic()
    done = subprocess.run([sys.executable, "-c", program, path], capture_output=True, text=True, check=True)
    assert time.monotonic() - began < 60
    kilobytes, sentence = done.stdout.split(" ", 1)
    assert int(kilobytes) < 80_000
    problem = "state 0 of 8 cannot be used: The state ends inside the version: 0 bytes are too few."
    assert sentence.strip() == f"{path} is not a complete bank: {problem}"


def test_frames_that_are_not_those_of_their_states_are_refused(bank: FrameBank) -> None:
    renderer_of(bank)
    assert bank.next_frames is not None
    for changed, what in (
        (replace(bank, frames=bank.frames[::-1]), "frame 0"),
        (replace(bank, next_frames=bank.next_frames[::-1]), "next frame 0"),
        (replace(bank, frames=np.where(np.arange(4)[:, None, None, None] == 3, 0, bank.frames)), "frame 3"),
        (replace(bank, states=bank.states[::-1]), "frame 0"),
    ):
        expected = f"The bank's {what} is not what its state shows: its frames and states do not belong together."
        with pytest.raises(BankError, match=f"^{re.escape(expected)}$"):
            renderer_of(changed)


def test_a_flipped_bit_in_the_states_is_told(path: Path) -> None:
    for _ in flips(path, [8 * (path.stat().st_size // 2)]):
        with pytest.raises(BankError, match=rf"^{re.escape(str(path))} is not a complete bank: "):
            load(path)
