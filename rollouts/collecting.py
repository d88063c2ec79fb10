"""Collecting frame banks: which frames of an agent's play are kept."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from rollouts.bank import BankError, FrameBank
from rollouts.env import EnvOptions, make_env, observe, renderer_sha256
from rollouts.progress import Update, silent

Policy = Callable[[NDArray[np.uint8]], NDArray[np.int32]]
"""An agent as a bank sees it: frames (n, 64, 64, 3) uint8 in, procgen actions (n,) out."""
POOL_INTERVAL = 33
POOL_ENVIRONMENTS = 64


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


def collect(
    policies: Sequence[tuple[str, Policy]],
    options: EnvOptions,
    plan: BankPlan,
    seed: int,
    threads: int = 1,
    progress: Update = silent,
) -> FrameBank:
    """Let the policies play and keep what the plan asks for; environments are shared out in order, as evenly as can be.

    `progress` is told environment steps as they are taken, of `collection_steps(plan)`. Raises `BankError` when there
    are more policies than environments.
    """
    names = tuple(name for name, _ in policies)
    if not 0 < len(names) <= plan.environments:
        raise BankError(f"{plan.environments} environments cannot be shared out among {len(names)} agents.")
    if plan.pool_frames % POOL_ENVIRONMENTS:
        raise BankError(f"pool_frames is {plan.pool_frames}; it must be a multiple of {POOL_ENVIRONMENTS}.")
    parts: dict[str, list[NDArray[Any]]] = {}
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
            parts.setdefault(name, []).append(values)
        states += share_states
        next_states += share_next
        first += share
        progress(share * plan.per_environment * plan.interval)
        if plan.pool_frames:
            pools.append(
                _pool(
                    policy,
                    options,
                    plan.pool_frames // POOL_ENVIRONMENTS,
                    pool_share,
                    seed + 2 * player + 1,
                    threads,
                    progress,
                )
            )
    arrays = {name: np.concatenate(values) for name, values in parts.items()}
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
    policy: Policy, options: EnvOptions, per_environment: int, num: int, seed: int, threads: int, progress: Update
) -> NDArray[np.uint8]:
    """Frames (num, per_environment, 64, 64, 3), one every `POOL_INTERVAL` steps."""
    env = make_env(num, options, seed, threads)
    _, frames, _ = observe(env)
    pool = []
    for _ in range(per_environment):
        for _ in range(POOL_INTERVAL):
            env.act(policy(frames))
            _, frames, _ = observe(env)
        pool.append(frames)
        progress(POOL_INTERVAL * num)
    return np.stack(pool, axis=1)
