"""Frame banks: frames of play together with the exact game states that drew them."""

import zipfile
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from rollouts import sealing
from rollouts.archives import DAMAGED, METHOD, Archive, reading
from rollouts.bank_content import (
    ARRAYS,
    LENGTH,
    METADATA,
    SCHEMA,
    STATES,
    BankMetadata,
    check_values,
    headers,
    read_states,
)
from rollouts.env import EnvOptions, renderer_sha256
from rollouts.errors import InputError
from rollouts.files import atomic_path
from rollouts.parsers import PARSERS
from rollouts.sealing import Part

FORMAT = "coinrun-bank-1"
LARGEST_METADATA = 2**20


class BankError(InputError):
    """A bank is missing, damaged, or does not fit what it is used for."""


@dataclass(frozen=True)
class FrameBank:
    """N frames of play, sorted by environment and then by time.

    `frames` (N, 64, 64, 3) uint8 and `states`, the game's bytes behind each; `actions`, `rewards` follow the frame;
    `environment`, `time` (sample within the environment), `episode` (unique in the bank), `level` and `player` (N,)
    say where it comes from. `next_frames` and `next_states` are one step later, or None. `pool` (M, 64, 64, 3) with
    `pool_environment` (M,) are the frames that features are fitted on. `players` names the agents that played, in the
    number format `precision`, None where that is not known. `checked` is false where the file is of before files had a
    digest.
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
    checked: bool = True

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


def content_sha256(bank: FrameBank) -> str:
    """SHA-256 of all that a result on a bank can depend on, however its file is called, compressed and dated.

    That is every array and state, and its kind, options, renderer and seed; not who played it, in which number format.
    """
    about = {"kind": bank.kind, "options": asdict(bank.options), "renderer": bank.renderer, "seed": bank.seed}
    return sealing.content_sha256(about, _parts(bank))


def save(path: str | Path, bank: FrameBank) -> None:
    """Write one compressed file, atomically."""
    with atomic_path(path) as temporary, zipfile.ZipFile(temporary, "w", METHOD) as archive:
        archive.writestr(METADATA, sealing.sealed(_metadata(bank), _parts(bank)))
        for name in ARRAYS:
            values = getattr(bank, name)
            if values is not None:
                with archive.open(f"{name}.npy", "w", force_zip64=True) as file:
                    np.lib.format.write_array(file, np.ascontiguousarray(values), allow_pickle=False)
        # A state and the next one are alike, so they stand side by side for the compressor.
        pairs = zip(bank.states, bank.next_states, strict=True) if bank.next_states else ((s,) for s in bank.states)
        archive.writestr(STATES, b"".join(LENGTH.pack(len(state)) + state for pair in pairs for state in pair))


def load(path: str | Path, frames: int | None = None) -> FrameBank:
    """Read a bank that `save` wrote; `frames` is how many it must hold at least.

    Sizes are checked before anything is unpacked, every state is parsed, and all content is compared with its digest
    where the file has one. Raises `BankError` for a file that is missing, damaged, no bank, or too small.
    """
    path = Path(path)
    if not path.is_file():
        raise BankError(f"There is no bank at {path}.")
    try:
        with reading(path) as archive:
            document = sealing.read(archive.read(METADATA, LARGEST_METADATA))
            if document.get("format") != FORMAT:
                raise BankError(f"{path} holds '{document.get('format')}', not a bank ('{FORMAT}').")
            bank = _read(archive, sealing.fit(SCHEMA, document))
        sealing.check_seal(document, _parts(bank))
    except BankError:
        raise
    except sealing.UnfitDocument as error:
        raise BankError(f"{path} {error}") from error
    except DAMAGED as error:
        raise BankError(f"{path} is not a complete bank: {' '.join(str(error).split()).rstrip('.')}.") from error
    if frames is not None and len(bank) < frames:
        raise BankError(f"{path} has {len(bank)} frames, {frames} were asked for.")
    return bank


def _read(archive: Archive, metadata: BankMetadata) -> FrameBank:
    """The small arrays first, then the states, each of which must be one, then the frames."""
    found = headers(archive)
    small = {name: archive.array(f"{name}.npy", header) for name, header in found.items() if len(header.shape) == 1}
    check_values(metadata, small)
    step = 2 if "next_frames" in found else 1
    with archive.open(STATES) as file:
        states = read_states(file, step * len(small["actions"]), PARSERS[metadata.options.game])
    large = {name: archive.array(f"{name}.npy", header) for name, header in found.items() if name not in small}
    return FrameBank(
        metadata.kind,
        metadata.options,
        metadata.renderer,
        metadata.players,
        metadata.seed,
        states=states[::step],
        next_states=states[1::2] if step == 2 else None,
        precision=metadata.precision,
        checked=metadata.sha256 is not None,
        **small,
        **large,
    )


def _metadata(bank: FrameBank) -> dict[str, Any]:
    return {
        "format": FORMAT,
        "kind": bank.kind,
        "options": asdict(bank.options),
        "renderer": bank.renderer,
        "players": list(bank.players),
        "seed": bank.seed,
        "precision": bank.precision,
    }


def _parts(bank: FrameBank) -> dict[str, Part]:
    """What the digest covers: every array, and the states one after another with their lengths."""
    arrays = {name: getattr(bank, name) for name in ARRAYS}
    parts: dict[str, Part] = {
        name: (values.dtype.str, values.shape, values) for name, values in arrays.items() if values is not None
    }
    for name, states in (("states", bank.states), ("next_states", bank.next_states)):
        if states is not None:
            parts[name] = "bytes", tuple(map(len, states)), b"".join(states)
    return parts
