"""Detectors of kinds of things: the convolutions of a planted network, and how they learn."""

from collections.abc import Sequence

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn

from agents.networks import ActorCritic

WIDTHS = (16, 32)
"""Channels of 1a and 2a."""
STRIDES = (2, 2, 1)
KERNELS = (5, 5, 3)
COVERED = 0.25
"""Of a cell, from which on a kind is to be detected there."""
RATE = 5e-3

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
    """Convolutions whose output c is above 0 where kind c covers more than `COVERED` of a cell.

    `frames` (N, 64, 64, 3); `shares` (N, C, 16, 16), what each kind covers of each cell. Trained by cross-entropy on
    every cell; what a kind covers counts more where it is rare, by the fourth root of the odds.
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
