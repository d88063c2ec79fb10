"""From a layer's cells to the frame's pixels: receptive-field boxes, and effective receptive fields."""

import numpy as np
import torch
from numpy.typing import NDArray
from torch import nn

from agents.networks import ActorCritic
from scoring.explain.base import Maps
from scoring.explain.geometry import FRAME, LayerGeometry

PROJECTIONS = ("none", "rf_box", "erf")


def box_kernel(geometry: LayerGeometry) -> Maps:
    """The receptive field's box as a kernel (1, rf, rf) that sums to 1, as Orbay (2020) drew it."""
    side = geometry.receptive_field
    return np.full((1, side, side), 1 / side**2, dtype=np.float32)


def effective_receptive_field(
    network: ActorCritic,
    layer: str,
    geometry: LayerGeometry,
    directions: Maps,
    frames: NDArray[np.uint8],
    cells: int = 8,
    seed: int = 0,
) -> Maps:
    """Mean |d activation / d pixel| of each feature, summed over colours and scaled to sum 1 (K, rf, rf).

    Luo et al. (2016). A feature's activation is the layer's along its direction (K, C). The mean is over `frames` and
    `cells` random cells whose receptive field is inside the frame (or has the least outside, where none is).
    """
    side = geometry.receptive_field
    inside = np.array([end - start for start, end in map(geometry.box, range(geometry.size))])
    candidates = np.flatnonzero(inside == inside.max())
    generator = np.random.default_rng(seed)
    places = generator.choice(candidates, (cells, 2))
    until, weights = network.until(layer), torch.from_numpy(directions)
    inputs = network.prepare(torch.from_numpy(frames)).requires_grad_()
    hidden = until(inputs)
    kernels = np.zeros((len(directions), side, side), dtype=np.float64)
    for row, column in places:
        along = hidden[:, :, row, column] @ weights.T
        for k in range(len(directions)):
            (gradient,) = torch.autograd.grad(along[:, k].sum(), inputs, retain_graph=True)
            sensitivity = gradient.abs().sum(dim=1).mean(dim=0).numpy()
            (top, bottom), (left, right) = geometry.box(int(row)), geometry.box(int(column))
            y = top - (geometry.corner + int(row) * geometry.jump)
            x = left - (geometry.corner + int(column) * geometry.jump)
            kernels[k, y : y + bottom - top, x : x + right - left] += sensitivity[top:bottom, left:right]
    total = kernels.sum(axis=(1, 2), keepdims=True)
    uniform = np.full_like(kernels, 1 / side**2)
    return np.divide(kernels, total, out=uniform, where=total > 0).astype(np.float32)


def push_forward(maps: Maps, kernel: Maps, geometry: LayerGeometry) -> Maps:
    """Spread each cell of maps (N, K, H, W) over the frame by its feature's kernel (K or 1, rf, rf): (N, K, 64, 64).

    A kernel that reaches over the frame's border is cut there and scaled up again, so that every cell keeps its mass.
    """
    features = maps.shape[1]
    kernels = torch.from_numpy(np.broadcast_to(kernel, (features, *kernel.shape[1:])).copy())[:, None]
    ones = torch.ones(1, features, geometry.size, geometry.size)
    inside = nn.functional.conv2d(
        _pad(torch.ones(1, features, FRAME, FRAME), geometry), kernels, None, geometry.jump, groups=features
    )
    inside = inside[..., : geometry.size, : geometry.size].clamp_min(1e-12) * ones
    spread = nn.functional.conv_transpose2d(
        torch.from_numpy(maps) / inside, kernels, None, geometry.jump, groups=features
    )
    return _cut(spread, geometry).numpy()


def covered(cells: NDArray[np.bool_], geometry: LayerGeometry) -> NDArray[np.bool_]:
    """Pixels (..., 64, 64) under the receptive-field boxes of the chosen cells (..., H, W)."""
    rows = np.zeros((geometry.size, FRAME), dtype=np.float32)
    for cell in range(geometry.size):
        rows[cell, slice(*geometry.box(cell))] = 1
    return np.asarray(rows.T @ cells.astype(np.float32) @ rows > 0)


def _pad(image: torch.Tensor, geometry: LayerGeometry) -> torch.Tensor:
    """The frame with zeros around it, so that cell 0's receptive field begins at its first pixel."""
    before = max(-geometry.corner, 0)
    last = geometry.corner + (geometry.size - 1) * geometry.jump + geometry.receptive_field
    return nn.functional.pad(image, (before, max(last - FRAME, 0), before, max(last - FRAME, 0)))


def _cut(spread: torch.Tensor, geometry: LayerGeometry) -> torch.Tensor:
    """The part of a transposed convolution's output that lies in the frame, padded where it does not reach."""
    before = geometry.corner
    after = FRAME - before - spread.shape[-1]
    return nn.functional.pad(spread, (before, after, before, after))
