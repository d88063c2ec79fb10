"""Where the cells of a layer lie in the frame, derived from the network itself.

Pixel u is the square [u - 1/2, u + 1/2]. Kernels, strides and paddings compose as in Araujo, Norris and
Sim (Distill 2019)."""

from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray
from torch import nn

from agents.networks import OBSERVATION_SHAPE, ActorCritic, L2Pool, Residual

FRAME = OBSERVATION_SHAPE[0]
"""Side of a frame in pixels."""


@dataclass(frozen=True)
class LayerGeometry:
    """`channels` maps of `size` x `size` cells; cell i's receptive field is centred on pixel `start` + i * `jump`.

    It is `receptive_field` pixels wide and high, the frame's border notwithstanding.
    """

    channels: int
    size: int
    jump: int
    start: float
    receptive_field: int

    @property
    def centres(self) -> NDArray[np.float64]:
        """Pixel coordinates (size,) of the cells' centres along one axis."""
        return self.start + self.jump * np.arange(self.size)

    @property
    def corner(self) -> int:
        """First pixel of cell 0's receptive field; negative where padding stands for pixels outside the frame."""
        return round(self.start - (self.receptive_field - 1) / 2)

    def box(self, cell: int) -> tuple[int, int]:
        """First pixel of a cell's receptive field along one axis and the one after the last, cut at the border."""
        first = self.corner + cell * self.jump
        return max(first, 0), min(first + self.receptive_field, FRAME)


def layer_geometry(network: ActorCritic, layer: str) -> LayerGeometry:
    """The geometry of a layer's output. Raises `InputError` for a layer the network does not have."""
    channels, size, jump, start, field = OBSERVATION_SHAPE[2], FRAME, 1, 0.0, 1
    for module in network.until(layer):
        if isinstance(module, nn.ReLU):
            continue
        if isinstance(module, Residual):
            field += 2 * (3 - 1) * jump  # two 3x3 convolutions of stride 1 that keep the size
            continue
        if not isinstance(module, nn.Conv2d | nn.MaxPool2d | nn.AvgPool2d | L2Pool):
            raise TypeError(f"The geometry of {type(module).__name__} is not known.")
        kernel, stride, padding = (_side(getattr(module, key)) for key in ("kernel_size", "stride", "padding"))
        field += (kernel - 1) * jump
        start += ((kernel - 1) / 2 - padding) * jump
        jump *= stride
        size = (size + 2 * padding - kernel) // stride + 1
        if isinstance(module, nn.Conv2d):
            channels = module.out_channels
    return LayerGeometry(channels, size, jump, start, field)


def _side(value: Any) -> int:
    """The one number of a square kernel, stride or padding."""
    sides = set(value) if isinstance(value, tuple) else {value}
    if len(sides) != 1:
        raise TypeError(f"Only square windows are supported, not {value}.")
    return int(sides.pop())


def cell_weights(geometry: LayerGeometry) -> NDArray[np.float64]:
    """How much of each cell each pixel covers along one axis (cells, 64); rows sum to 1.

    A cell is the interval of length `jump` around its centre; what lies outside the frame does not count.
    """
    pixels = np.arange(FRAME)
    left = np.maximum(geometry.centres[:, None] - geometry.jump / 2, pixels - 0.5)
    right = np.minimum(geometry.centres[:, None] + geometry.jump / 2, pixels + 0.5)
    overlap = np.clip(right - left, 0, None)
    return np.asarray(overlap / overlap.sum(axis=1, keepdims=True))


def cell_of_pixel(geometry: LayerGeometry) -> NDArray[np.int64]:
    """The cell that covers most of each pixel along one axis (64,), -1 where none does."""
    weights = cell_weights(geometry)
    return np.where(weights.any(axis=0), weights.argmax(axis=0), -1)


def average_over_cells(masks: NDArray[Any], geometry: LayerGeometry) -> NDArray[np.float32]:
    """Masks (..., 64, 64) -> the share of each cell that they cover (..., size, size)."""
    weights = cell_weights(geometry).astype(np.float32)
    return np.asarray(weights @ masks.astype(np.float32) @ weights.T)
