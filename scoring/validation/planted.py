"""Networks whose truth is known: a chosen share of their features are detectors of a kind, the rest is random.

The trunk has two halves side by side that do not see each other: one was trained to segment the kinds, the other is
random. Layer 2b reads a detector from the first or a random feature from the second, and the value is the sum of the
features' means, each with the sense that the game gives its kind.
"""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import torch
from numpy.typing import NDArray
from torch import nn

from agents.checkpoint import Agent
from rollouts.game import Game, Kind
from scoring.explain.geometry import LayerGeometry, average_over_cells
from scoring.validation.controls import assemble
from scoring.validation.detectors import COVERED, KERNELS, WIDTHS, Frames, run, stack

CHANNELS, DIRECTIONS = 32, 8
"""Features of a planted network: one a channel, or each spread over `CHANNELS` / `DIRECTIONS` channels of its own."""


APART = 5
"""Times as active as on what looks alike a detector must be."""


@dataclass(frozen=True)
class Planted:
    """A planted network and its truth: the kind of thing that each feature detects, or None for a random one."""

    agent: Agent
    kinds: tuple[str | None, ...]

    @property
    def share(self) -> float:
        return sum(name is not None for name in self.kinds) / len(self.kinds)


@dataclass(frozen=True)
class Lesson:
    """What detectors are trained on: `frames` (N, 64, 64, 3), and `masks` (N, C, 64, 64) of a game's kinds."""

    game: Game
    frames: Frames
    masks: NDArray[np.bool_]

    def shares(self, geometry: LayerGeometry) -> tuple[tuple[Kind, ...], NDArray[np.float32]]:
        """The kinds of the headline, and what is to be detected of them in each cell (N, kinds, H, W).

        A display is in every frame: of it what is to be detected is what it shows, its brightest quarter.
        """
        kinds = tuple(kind for kind in self.game.kinds if kind.headline)
        wanted = self.masks[:, self.game.flags("headline")]
        brightness = self.frames.mean(axis=-1)
        for c, kind in enumerate(kinds):
            if kind.display and wanted[:, c].any():
                wanted[:, c] &= brightness > np.quantile(brightness[wanted[:, c]], 0.75)
        return kinds, average_over_cells(wanted, geometry)


def told_apart(
    detectors: Sequence[nn.Conv2d], kinds: Sequence[Kind], frames: Frames, shares: NDArray[np.float32]
) -> list[str]:
    """The kinds whose detectors are five times as active there as on others that look the same but for a detail.

    Those are kinds that are drawn under the same names, no walls, and seldom in the same cells: enemies that walk left
    and right. A detector that answers both is one of enemies, whatever it was trained for.
    """
    outputs = run(detectors, torch.from_numpy(frames)).relu().detach().numpy()
    on = shares > COVERED
    apart = []
    for c, kind in enumerate(kinds):
        alike = [
            d
            for d, other in enumerate(kinds)
            if d != c and other.drawn == kind.drawn and not kind.movable and _apart(on[:, c], on[:, d])
        ]
        own = outputs[:, c][on[:, c]].mean() if on[:, c].any() else 0.0
        if all(own >= APART * outputs[:, c][on[:, d]].mean() for d in alike if on[:, d].any()):
            apart.append(kind.name)
    return apart


def _apart(on_one: NDArray[np.bool_], on_other: NDArray[np.bool_]) -> bool:
    """Whether two kinds share less than a tenth of the cells of either."""
    return bool(10 * (on_one & on_other).sum() < min(on_one.sum(), on_other.sum()))


def plant(
    detectors: Sequence[nn.Conv2d],
    kinds: Sequence[Kind],
    wanted: Sequence[str],
    share: float,
    features: int,
    frames: Frames,
    seed: int,
) -> Planted:
    """A network with `share` of its `features` planted, rounded; the other features are random.

    `detectors` come from `train_detectors` for the `kinds`; those of the kinds named `wanted` are planted in turn, in
    random order. Each feature has mean activation 1 on `frames`. With fewer features than channels each is spread over
    as many channels of its own, with random weights.
    """
    generator = np.random.default_rng((seed, 1))
    count = round(share * features)
    order = generator.permutation(list(wanted))
    planted: list[str | None] = [str(order[i % len(order)]) for i in range(count)] + [None] * (features - count)
    names = [kind.name for kind in kinds]
    rows = [None if name is None else names.index(name) for name in planted]
    senses = [_sense(None if row is None else kinds[row], generator) for row in rows]
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(seed)
        noise = stack(features)
    first, second = (_side_by_side(detectors[i], noise[i], apart=i > 0) for i in range(2))
    readout = _readout(detectors, noise, rows, frames, generator)
    modules: dict[str, nn.Module] = {}
    for layer, convolution in (("1a", first), ("2a", second), ("2b", readout)):
        modules |= {f"{layer}_conv": convolution, layer: nn.ReLU()}
    return Planted(assemble("planted", modules, np.repeat(senses, CHANNELS // features)), tuple(planted))


def _readout(
    detectors: Sequence[nn.Conv2d],
    noise: Sequence[nn.Conv2d],
    rows: Sequence[int | None],
    frames: Frames,
    generator: np.random.Generator,
) -> nn.Conv2d:
    """Layer 2b on both halves: feature k is row `rows[k]` of the detectors, or for None row k of the noise."""
    readout = nn.Conv2d(2 * WIDTHS[1], CHANNELS, KERNELS[2], padding=KERNELS[2] // 2)
    width = CHANNELS // len(rows)
    with torch.no_grad():
        readout.weight.zero_()
        means = [run(half, torch.from_numpy(frames)).relu().mean(dim=(0, 2, 3)) for half in (detectors, noise)]
        for k, planted in enumerate(rows):
            half, part, row = (1, noise, k) if planted is None else (0, detectors, planted)
            scale = 1 / float(means[half][row])
            inputs = slice(half * WIDTHS[1], (half + 1) * WIDTHS[1])
            for channel, spread in enumerate(generator.dirichlet(np.ones(width)), start=k * width):
                readout.weight[channel, inputs] = part[2].weight[row] * scale * spread
                readout.bias[channel] = part[2].bias[row] * scale * spread  # type: ignore[index]
    return readout


def _sense(kind: Kind | None, generator: np.random.Generator) -> int:
    """The sense that the game gives a kind, or either one where it gives none."""
    return (kind.sense if kind is not None else 0) or int(generator.choice((-1, 1)))


def _side_by_side(left: nn.Conv2d, right: nn.Conv2d, apart: bool) -> nn.Conv2d:
    """One convolution that computes both: on the same inputs, or `apart`, each on its own half of them."""
    inputs = left.in_channels + right.in_channels if apart else left.in_channels
    joined = nn.Conv2d(inputs, left.out_channels + right.out_channels, left.kernel_size, left.stride, left.padding)  # type: ignore[arg-type]
    with torch.no_grad():
        joined.weight.zero_()
        joined.weight[: left.out_channels, : left.in_channels] = left.weight
        joined.weight[left.out_channels :, inputs - right.in_channels :] = right.weight
        joined.bias.copy_(torch.cat([left.bias, right.bias]))  # type: ignore[union-attr, list-item]
    return joined
