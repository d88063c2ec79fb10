"""What an agent makes of a clip: value, policy and advantage of each frame, and attribution to the features shown."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
import torch
from numpy.typing import NDArray

from agents.banks import Named
from agents.checkpoint import Agent
from rollouts.errors import InputError
from scoring.explain.base import BATCH, Attribution, Maps
from scoring.features.base import FeatureSet, residual
from scoring.report.advantage import Advantage, advantage_of
from scoring.report.clips import Clip

FloatArray = NDArray[np.float64]

SATURATED = 0.9
"""Share of frames whose bars end within the axis, unless one is five times as long (Hilton et al. 2020, interface)."""


def target_of(agent: Agent, move: str) -> str:
    """The attribution's target for `value` or the logits of a move; raises `InputError` for one there is not."""
    if move == "value":
        return "value"
    moves = agent.options.rules.moves
    if move not in moves:
        raise InputError(f"targets has '{move}'; it can have value, {', '.join(moves)}.")
    logits = [str(logit) for logit, action in enumerate(agent.actions) if action in moves[move]]
    if not logits:
        raise InputError(f"targets has '{move}', which the agent has no action for.")
    return "logits:" + ",".join(logits)


def checked_targets(agents: Sequence[Agent], names: Sequence[str]) -> tuple[str, ...]:
    """The names of what is attributed, the value first; raises `InputError` for one that an agent does not have."""
    targets = tuple(dict.fromkeys(["value", *map(str, names)]))
    for agent in agents:
        for name in targets:
            target_of(agent, name)
    return targets


@dataclass(frozen=True)
class Explained:
    """Attribution of N frames to K features and what they leave over: `maps` (N, K + 1, H, W), in units of the target.

    `sums` (N, K + 1) are over cells. Opacity in the overlay is full at `scale`, which the strongest cell of half of the
    frames reaches; bars end at `axis`.
    """

    maps: Maps
    sums: FloatArray
    scale: float
    axis: float


@dataclass(frozen=True)
class View:
    """An agent's `values` (N,), `policy` (N, moves) and `advantage` (N,), nan where there is none, in a clip.

    `note` says on which scale the advantage is, empty for a clip that has none.
    `targets` holds attributions by name; `removed_values` (M,), `removed_policy` (M, moves) and `removed_sums`
    (M, K + 1), of the value, are of the clip's frames without an item.
    """

    values: FloatArray
    policy: FloatArray
    advantage: FloatArray
    targets: dict[str, Explained]
    removed_values: FloatArray
    removed_policy: FloatArray
    removed_sums: FloatArray
    note: str = ""


def explained(basis: FeatureSet, rows: Sequence[int], attribution: Attribution) -> Explained:
    """The features of these `rows` of a basis, and the rest of the channels' attribution."""
    features = basis.transform(attribution)[:, list(rows)]
    maps = np.concatenate([features, residual(attribution, features)[:, None]], axis=1)
    sums = maps.sum(axis=(2, 3), dtype=np.float64)
    strongest = np.abs(features).sum(axis=1).max(axis=(1, 2))
    return Explained(maps, sums, max(float(np.median(strongest)), 1e-12), _axis(np.abs(sums).max(axis=1)))


def _axis(longest: FloatArray) -> float:
    return max(float(np.quantile(longest, SATURATED)), float(longest.max()) / 5, 1e-12)


@torch.no_grad()
def act(agent: Agent, frames: NDArray[np.uint8]) -> tuple[FloatArray, FloatArray]:
    """Values (N,) and the probability (N, moves) of each move, for frames (N, 64, 64, 3)."""
    values, chances = [np.empty(0)], [np.empty((0, len(agent.actions)))]
    for start in range(0, len(frames), BATCH):
        logits, value = agent.network(torch.from_numpy(frames[start : start + BATCH]))
        values.append(value.numpy().astype(np.float64))
        chances.append(logits.double().softmax(dim=-1).numpy())
    policy = np.concatenate(chances)
    does = np.array(
        [np.isin(agent.actions, actions) for actions in agent.options.rules.moves.values()], dtype=np.float64
    )
    return np.concatenate(values), policy @ does.T


def view(
    named: Named,
    clip: Clip,
    targets: Mapping[str, Attribution],
    removed: Sequence[Attribution],
    basis: FeatureSet,
    rows: Sequence[int],
) -> View:
    """What the page shows of an agent; `removed` are value attributions of the clip's changed frames, in order.

    The features are those of these `rows` of a basis.
    """
    name, agent = named
    values, policy = act(agent, clip.frames)
    removed_values, removed_policy = act(agent, clip.removed)
    sums = [explained(basis, rows, attribution).sums for attribution in removed if len(attribution.outputs)]
    better = Advantage(np.full(len(clip), np.nan), "")
    if clip.consecutive:
        better = advantage_of(name, agent, values, clip.rewards, clip.episode)
    return View(
        values,
        policy,
        better.values,
        {name: explained(basis, rows, attribution) for name, attribution in targets.items()},
        removed_values,
        removed_policy,
        np.concatenate([np.empty((0, len(rows) + 1)), *sums]),
        better.note,
    )


def surprising(advantage: FloatArray, count: int = 6, apart: int = 10) -> tuple[list[int], list[int]]:
    """Frames with the lowest and with the highest advantage, at least `apart` steps from one another."""
    extremes: tuple[list[int], list[int]] = ([], [])
    for frames, order in zip(extremes, (np.argsort(advantage), np.argsort(-advantage)), strict=True):
        for i in order[: np.count_nonzero(~np.isnan(advantage))]:
            if len(frames) < count and all(abs(int(i) - other) >= apart for other in frames):
                frames.append(int(i))
    return extremes
