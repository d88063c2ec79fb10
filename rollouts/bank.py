"""Frame banks: frames of play together with the exact game states that drew them."""

import hashlib
import json
import lzma
import struct
import zipfile
from dataclasses import asdict, dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from rollouts.documents import to_json
from rollouts.env import EnvOptions, renderer_sha256
from rollouts.errors import InputError
from rollouts.files import atomic_path

FORMAT = "coinrun-bank-1"


class BankError(InputError):
    """A bank is missing, damaged, or does not fit what it is used for."""


@dataclass(frozen=True)
class FrameBank:
    """N frames of play, sorted by environment and then by time.

    `frames` (N, 64, 64, 3) uint8 and `states`, the game's bytes behind each; `actions`, `rewards` follow the frame;
    `environment`, `time` (sample within the environment), `episode` (unique in the bank), `level` and `player` (N,)
    say where it comes from. `next_frames` and `next_states` are one step later, or None. `pool` (M, 64, 64, 3) with
    `pool_environment` (M,) are the frames that features are fitted on. `players` names the agents that played, in the
    number format `precision`, None where that is not known.
    """

    kind: str
    options: EnvOptions
    renderer: str
    players: tuple[str, ...]
    seed: int
    frames: NDArray[np.uint8]
    states: tuple[bytes, ...]
    actions: NDArray[np.int32]
    rewards: NDArray[np.float32]
    environment: NDArray[np.int32]
    time: NDArray[np.int32]
    episode: NDArray[np.int32]
    level: NDArray[np.int32]
    player: NDArray[np.int32]
    pool: NDArray[np.uint8]
    pool_environment: NDArray[np.int32]
    next_frames: NDArray[np.uint8] | None = None
    next_states: tuple[bytes, ...] | None = None
    precision: str | None = None

    def __len__(self) -> int:
        return len(self.frames)

    def check_renderer(self) -> None:
        """Raises `BankError` when another build drew these frames: masks rendered here would not fit them."""
        if self.renderer != renderer_sha256():
            raise BankError(
                f"The bank was drawn by renderer {self.renderer[:12]}, this one is {renderer_sha256()[:12]}: "
                "their pixels differ, so its masks cannot be rendered here."
            )

    def check_pool(self) -> None:
        """Raises `BankError` when there are no frames to fit features on."""
        if not len(self.pool):
            raise BankError("The bank has no pool of frames to fit features on; collect it with pool_frames=512.")

    def check_options(self, options: EnvOptions, whose: str) -> None:
        """Raises `BankError` when an agent trained with `options` would see another kind of frame."""
        if not self.options.same_picture(options):
            raise BankError(f"The bank is {describe(self.options)}, but {whose} was trained on {describe(options)}.")


def describe(options: EnvOptions) -> str:
    """'hard, velocity painted'."""
    return f"{options.distribution_mode}, velocity {'painted' if options.paint_velocity else 'not painted'}"


_ARRAYS = (
    "frames",
    "actions",
    "rewards",
    "environment",
    "time",
    "episode",
    "level",
    "player",
    "pool",
    "pool_environment",
    "next_frames",
)


def save(path: str | Path, bank: FrameBank) -> None:
    """Write one compressed file, atomically."""
    metadata = {
        "format": FORMAT,
        "kind": bank.kind,
        "options": asdict(bank.options),
        "renderer": bank.renderer,
        "players": list(bank.players),
        "seed": bank.seed,
        "precision": bank.precision,
    }
    with atomic_path(path) as temporary, zipfile.ZipFile(temporary, "w", zipfile.ZIP_LZMA) as archive:
        archive.writestr("metadata.json", to_json(metadata))
        for name in _ARRAYS:
            values = getattr(bank, name)
            if values is not None:
                with archive.open(f"{name}.npy", "w", force_zip64=True) as file:
                    np.lib.format.write_array(file, np.ascontiguousarray(values), allow_pickle=False)
        # A state and the next one are alike, so they stand side by side for the compressor.
        pairs = zip(bank.states, bank.next_states, strict=True) if bank.next_states else ((s,) for s in bank.states)
        packed = b"".join(struct.pack("<I", len(state)) + state for pair in pairs for state in pair)
        archive.writestr("states.bin", packed)


def load(path: str | Path, frames: int | None = None) -> FrameBank:
    """Read a bank that `save` wrote; `frames` is how many it must hold at least.

    Raises `BankError` for a file that is missing, damaged, no bank, or too small.
    """
    path = Path(path)
    if not path.is_file():
        raise BankError(f"There is no bank at {path}.")
    try:
        with zipfile.ZipFile(path) as archive:
            metadata = json.loads(archive.read("metadata.json"))
            if metadata.get("format") != FORMAT:
                raise BankError(f"{path} holds '{metadata.get('format')}', not a bank ('{FORMAT}').")
            arrays = {}
            for name in _ARRAYS:
                if f"{name}.npy" in archive.namelist():
                    with archive.open(f"{name}.npy") as file:
                        arrays[name] = np.lib.format.read_array(file, allow_pickle=False)
            states = _unpack(archive.read("states.bin"))
        step = 2 if "next_frames" in arrays else 1
        bank = FrameBank(
            metadata["kind"],
            EnvOptions(**metadata["options"]),
            metadata["renderer"],
            tuple(metadata["players"]),
            metadata["seed"],
            states=states[::step],
            next_states=states[1::2] if step == 2 else None,
            precision=metadata.get("precision"),
            **arrays,
        )
    except BankError:
        raise
    except (
        zipfile.BadZipFile,
        lzma.LZMAError,
        EOFError,
        OSError,
        KeyError,
        TypeError,
        ValueError,
        struct.error,
    ) as error:
        raise BankError(f"{path} is not a complete bank: {error}.") from error
    if len(bank.states) != len(bank):
        raise BankError(f"{path} is not a complete bank: {len(bank)} frames but {len(bank.states)} states.")
    if frames is not None and len(bank) < frames:
        raise BankError(f"{path} has {len(bank)} frames, {frames} were asked for.")
    return bank


def content_sha256(bank: FrameBank) -> str:
    """SHA-256 of all that a result on a bank can depend on, however its file is called, compressed and dated.

    That is every array and state, and its kind, options, renderer and seed; not who played it, in which number format.
    """
    about = {"kind": bank.kind, "options": asdict(bank.options), "renderer": bank.renderer, "seed": bank.seed}
    digest = hashlib.sha256(to_json(about).encode())
    for name in _ARRAYS:
        values = getattr(bank, name)
        if values is not None:
            digest.update(f"{name} {values.dtype.str} {values.shape}".encode())
            digest.update(np.ascontiguousarray(values).tobytes())
    for name, states in (("states", bank.states), ("next_states", bank.next_states or ())):
        digest.update(f"{name} {[len(state) for state in states]}".encode())
        for state in states:
            digest.update(state)
    return digest.hexdigest()


def _unpack(packed: bytes) -> tuple[bytes, ...]:
    states, offset = [], 0
    while offset < len(packed):
        (length,) = struct.unpack_from("<I", packed, offset)
        offset += 4
        if offset + length > len(packed):
            raise BankError("The bank's states are cut short.")
        states.append(packed[offset : offset + length])
        offset += length
    return tuple(states)
