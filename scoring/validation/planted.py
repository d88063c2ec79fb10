"""Networks whose truth is known: a chosen share of their features are detectors of a class, the rest is random.

The trunk has two halves side by side that do not see each other: one was trained to segment the classes, the other is
random. Layer 2b reads a detector from the first or a random feature from the second, and the value is the sum of the
features' means, each with the sense that the game gives its class.
"""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn

from agents.checkpoint import Agent
from agents.networks import ActorCritic
from scoring.validation.controls import assemble
from scoring.verdict import SENSE

CHANNELS, DIRECTIONS = 32, 8
"""Features of a planted network: one a channel, or each spread over `CHANNELS` / `DIRECTIONS` channels of its own."""
WIDTHS = (16, 32)
"""Channels of 1a and 2a, of each half."""
COVERED, RATE = 0.25, 5e-3
STRIDES = (2, 2, 1)
KERNELS = (5, 5, 3)

Frames = NDArray[np.uint8]


def stack(outputs: int, widths: tuple[int, int] = WIDTHS) -> list[nn.Conv2d]:
    """The three convolutions of `compact` up to 2b, Glorot-uniform with zero bias."""
    sizes = (3, *widths, outputs)
    convolutions = [
        nn.Conv2d(sizes[i], sizes[i + 1], KERNELS[i], STRIDES[i], padding=KERNELS[i] // 2) for i in range(3)
    ]
    for convolution in convolutions:
        nn.init.xavier_uniform_(convolution.weight)
        assert convolution.bias is not None
        nn.init.zeros_(convolution.bias)
    return convolutions


def run(convolutions: Sequence[nn.Conv2d], frames: Tensor) -> Tensor:
    """Outputs (n, outputs, 16, 16) before the last ReLU, for frames (n, 64, 64, 3) uint8."""
    hidden = ActorCritic.prepare(frames)
    for convolution in convolutions[:-1]:
        hidden = convolution(hidden).relu()
    last: Tensor = convolutions[-1](hidden)
    return last


def train_detectors(
    frames: Frames, shares: NDArray[np.float32], seed: int, batches: int = 1500, batch: int = 128
) -> list[nn.Conv2d]:
    """Convolutions whose output c is above 0 where class c covers more than `COVERED` of a cell.

    `frames` (N, 64, 64, 3); `shares` (N, C, 16, 16), what each class covers of each cell. Trained by cross-entropy on
    every cell; what a class covers counts more where it is rare, by the fourth root of the odds.
    """
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(seed)
        convolutions = stack(shares.shape[1])
    generator = np.random.default_rng(seed)
    labels = (shares > COVERED).astype(np.float32)
    prevalence = labels.mean(axis=(0, 2, 3)).clip(1e-4)
    weight = torch.from_numpy((((1 - prevalence) / prevalence) ** 0.25).astype(np.float32))[:, None, None]
    parameters = [p for convolution in convolutions for p in convolution.parameters()]
    optimiser = torch.optim.Adam(parameters, lr=RATE)
    schedule = torch.optim.lr_scheduler.OneCycleLR(optimiser, RATE, total_steps=batches)
    for _ in range(batches):
        chosen = generator.integers(0, len(frames), batch)
        outputs = run(convolutions, torch.from_numpy(frames[chosen]))
        loss = nn.functional.binary_cross_entropy_with_logits(
            outputs, torch.from_numpy(labels[chosen]), pos_weight=weight
        )
        optimiser.zero_grad()
        loss.backward()
        optimiser.step()
        schedule.step()
    return convolutions


@dataclass(frozen=True)
class Planted:
    """A planted network and its truth: the class of each feature, or None for a random one."""

    agent: Agent
    classes: tuple[str | None, ...]

    @property
    def share(self) -> float:
        return sum(name is not None for name in self.classes) / len(self.classes)


def plant(
    detectors: Sequence[nn.Conv2d],
    names: Sequence[str],
    wanted: Sequence[str],
    share: float,
    features: int,
    frames: Frames,
    seed: int,
) -> Planted:
    """A network with `share` of its `features` planted, rounded; the other features are random.

    `detectors` come from `train_detectors` with classes `names`; those of the classes `wanted` are planted in turn,
    in random order. Each feature has mean activation 1 on `frames`. With fewer features than channels each is spread
    over as many channels of its own, with random weights.
    """
    generator = np.random.default_rng((seed, 1))
    count = round(share * features)
    order = generator.permutation(list(wanted))
    classes: list[str | None] = [str(order[i % len(order)]) for i in range(count)] + [None] * (features - count)
    senses = [_sense(name, generator) for name in classes]
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(seed)
        noise = stack(features)
    first, second = (_side_by_side(detectors[i], noise[i], apart=i > 0) for i in range(2))
    readout = nn.Conv2d(2 * WIDTHS[1], CHANNELS, KERNELS[2], padding=KERNELS[2] // 2)
    each = CHANNELS // features
    with torch.no_grad():
        readout.weight.zero_()
        means = [run(part, torch.from_numpy(frames)).relu().mean(dim=(0, 2, 3)) for part in (detectors, noise)]
        for k, name in enumerate(classes):
            part, row, half = (noise, k, 1) if name is None else (detectors, names.index(name), 0)
            scale = 1 / float(means[half][row])
            for channel, spread in enumerate(generator.dirichlet(np.ones(each)), start=k * each):
                into = slice(half * WIDTHS[1], (half + 1) * WIDTHS[1])
                readout.weight[channel, into] = part[2].weight[row] * scale * spread
                readout.bias[channel] = part[2].bias[row] * scale * spread  # type: ignore[index]
    modules: dict[str, nn.Module] = {}
    for layer, convolution in (("1a", first), ("2a", second), ("2b", readout)):
        modules |= {f"{layer}_conv": convolution, layer: nn.ReLU()}
    return Planted(assemble("planted", modules, np.repeat(senses, each)), tuple(classes))


def _sense(name: str | None, generator: np.random.Generator) -> int:
    """The sign that the game gives a class, or either one where it gives none."""
    return (SENSE[name] if name is not None else 0) or int(generator.choice((-1, 1)))


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
