"""Frame banks: frames of play together with the exact game states that drew them."""

import json
import lzma
import struct
import zipfile
from collections.abc import Callable, Sequence
from dataclasses import asdict, dataclass
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from rollouts.coinrun import EnvOptions, make_env, observe, renderer_sha256
from rollouts.errors import InputError
from rollouts.files import atomic_path

Policy = Callable[[NDArray[np.uint8]], NDArray[np.int32]]
"""An agent as a bank sees it: frames (n, 64, 64, 3) uint8 in, procgen actions (n,) out."""

FORMAT = "coinrun-bank-1"
POOL_INTERVAL = 33
POOL_ENVIRONMENTS = 64


class BankError(InputError):
    """A bank is missing, damaged, or does not fit what it is used for."""


@dataclass(frozen=True)
class BankPlan:
    """Which frames a bank keeps: `per_environment` frames of each environment, one every `interval` steps.

    `consecutive` also keeps the frame after each; `pool_frames` more frames, without states, are collected for
    fitting features: one every 33 steps of 64 other environments.
    """

    kind: str
    environments: int
    per_environment: int
    interval: int
    consecutive: bool
    pool_frames: int = 512

    @property
    def frames(self) -> int:
        return self.environments * self.per_environment


SPREAD = BankPlan("spread", 64, 8, 33, consecutive=True)
TRAJECTORY = BankPlan("trajectory", 1, 512, 1, consecutive=False)
PLANS = {plan.kind: plan for plan in (SPREAD, TRAJECTORY)}


@dataclass(frozen=True)
class FrameBank:
    """N frames of play, sorted by environment and then by time.

    `frames` (N, 64, 64, 3) uint8 and `states`, the game's bytes behind each; `actions`, `rewards` follow the frame;
    `environment`, `time` (sample within the environment), `episode` (unique in the bank), `level` and `player` (N,)
    say where it comes from. `next_frames` and `next_states` are one step later, or None. `pool` (M, 64, 64, 3) with
    `pool_environment` (M,) are the frames that features are fitted on. `players` names the agents that played.
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

    def __len__(self) -> int:
        return len(self.frames)

    def check_renderer(self) -> None:
        """Raises `BankError` when another build drew these frames: masks rendered here would not fit them."""
        if self.renderer != renderer_sha256():
            raise BankError(
                f"The bank was drawn by renderer {self.renderer[:12]}, this one is {renderer_sha256()[:12]}: "
                "their pixels differ, so its masks cannot be rendered here."
            )

    def check_options(self, options: EnvOptions, whose: str) -> None:
        """Raises `BankError` when an agent trained with `options` would see another kind of frame."""
        if not self.options.same_picture(options):
            raise BankError(f"The bank is {describe(self.options)}, but {whose} was trained on {describe(options)}.")


def describe(options: EnvOptions) -> str:
    """'hard, velocity painted'."""
    return f"{options.distribution_mode}, velocity {'painted' if options.paint_velocity else 'not painted'}"


def collect(
    policies: Sequence[tuple[str, Policy]],
    options: EnvOptions,
    plan: BankPlan,
    seed: int,
    threads: int = 1,
    progress: Callable[[int], None] = lambda steps: None,
) -> FrameBank:
    """Let the policies play and keep what the plan asks for; environments are shared out in order, as evenly as can be.

    `progress` is told the environment steps taken, of `collection_steps(plan)`. Raises `BankError` when there are more
    policies than environments.
    """
    names = tuple(name for name, _ in policies)
    if not 0 < len(names) <= plan.environments:
        raise BankError(f"{plan.environments} environments cannot be shared out among {len(names)} agents.")
    if plan.pool_frames % POOL_ENVIRONMENTS:
        raise BankError(f"pool_frames is {plan.pool_frames}; it must be a multiple of {POOL_ENVIRONMENTS}.")
    done = 0
    kept: dict[str, list[NDArray[Any]]] = {}
    states: list[bytes] = []
    next_states: list[bytes] = []
    pools: list[NDArray[np.uint8]] = []
    first = 0
    for player, (_, policy) in enumerate(policies):
        share, pool_share = (_share(count, len(names), player) for count in (plan.environments, POOL_ENVIRONMENTS))
        samples, share_states, share_next = _play(policy, options, plan, share, seed + 2 * player, threads)
        samples["environment"] = samples["environment"] + first
        samples["player"] = np.full(len(samples["frames"]), player, dtype=np.int32)
        for name, values in samples.items():
            kept.setdefault(name, []).append(values)
        states += share_states
        next_states += share_next
        first += share
        done += share * plan.per_environment * plan.interval
        progress(done)
        if plan.pool_frames:
            pools.append(
                _pool(
                    policy,
                    options,
                    plan.pool_frames // POOL_ENVIRONMENTS,
                    pool_share,
                    seed + 2 * player + 1,
                    threads,
                    partial(_add, progress, done),
                )
            )
            done += pool_share * plan.pool_frames // POOL_ENVIRONMENTS * POOL_INTERVAL
            progress(done)
    arrays = {name: np.concatenate(values) for name, values in kept.items()}
    _, episode = np.unique(np.stack([arrays["environment"], arrays["episode"]]), axis=1, return_inverse=True)
    arrays["episode"] = episode.reshape(-1).astype(np.int32)
    pool = np.concatenate(pools) if pools else np.empty((0, 1, 64, 64, 3), dtype=np.uint8)
    return FrameBank(
        plan.kind,
        options,
        renderer_sha256(),
        names,
        seed,
        states=tuple(states),
        next_states=tuple(next_states) if plan.consecutive else None,
        next_frames=arrays.pop("next_frames") if plan.consecutive else None,
        pool=pool.reshape(-1, 64, 64, 3),
        pool_environment=np.repeat(np.arange(pool.shape[0], dtype=np.int32), pool.shape[1]),
        **arrays,
    )


def _share(environments: int, players: int, player: int) -> int:
    """Environments of one of the players; the first have one more where they cannot all have as many."""
    return environments // players + (player < environments % players)


def _add(progress: Callable[[int], None], before: int, steps: int) -> None:
    progress(before + steps)


def collection_steps(plan: BankPlan) -> int:
    """Environment steps that `collect` takes."""
    return plan.frames * plan.interval + plan.pool_frames * POOL_INTERVAL


def _play(
    policy: Policy, options: EnvOptions, plan: BankPlan, num: int, seed: int, threads: int
) -> tuple[dict[str, NDArray[Any]], list[bytes], list[bytes]]:
    """Samples of `num` environments as arrays with environment-major rows, their states and the states after."""
    env = make_env(num, options, seed, threads)
    _, frames, first = observe(env)
    episode = np.zeros(num, dtype=np.int32)
    rows: dict[str, list[NDArray[Any]]] = {}
    states: list[list[bytes]] = []
    next_states: list[list[bytes]] = []
    for step in range(plan.per_environment * plan.interval):
        keep = step % plan.interval == plan.interval - 1
        actions = policy(frames)
        if keep:
            states.append(env.callmethod("get_state"))
            row: dict[str, NDArray[Any]] = {
                "frames": frames,
                "actions": np.asarray(actions, dtype=np.int32),
                "environment": np.arange(num, dtype=np.int32),
                "time": np.full(num, len(states) - 1, dtype=np.int32),
                "episode": episode.copy(),
                "level": np.array([info["level_seed"] for info in env.get_info()], dtype=np.int32),
            }
        env.act(actions)
        reward, frames, first = observe(env)
        episode += first
        if keep:
            row["rewards"] = reward
            if plan.consecutive:
                row["next_frames"] = frames
                next_states.append(env.callmethod("get_state"))
            for name, values in row.items():
                rows.setdefault(name, []).append(values)
    stacked = {name: np.stack(values, axis=1) for name, values in rows.items()}
    merged = {name: values.reshape(-1, *values.shape[2:]) for name, values in stacked.items()}
    return merged, _by_environment(states), _by_environment(next_states)


def _by_environment(samples: list[list[bytes]]) -> list[bytes]:
    """States listed by time and environment -> by environment and time."""
    return [state for environment in zip(*samples, strict=True) for state in environment]


def _pool(
    policy: Policy, options: EnvOptions, each: int, num: int, seed: int, threads: int, progress: Callable[[int], None]
) -> NDArray[np.uint8]:
    """Frames (num, each, 64, 64, 3), one every `POOL_INTERVAL` steps."""
    env = make_env(num, options, seed, threads)
    _, frames, _ = observe(env)
    pool = []
    for sample in range(each):
        for _ in range(POOL_INTERVAL):
            env.act(policy(frames))
            _, frames, _ = observe(env)
        pool.append(frames)
        progress((sample + 1) * POOL_INTERVAL * num)
    return np.stack(pool, axis=1)


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
    }
    with atomic_path(path) as temporary, zipfile.ZipFile(temporary, "w", zipfile.ZIP_LZMA) as archive:
        archive.writestr("metadata.json", json.dumps(metadata))
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
