"""What an explanation is: signed maps of a target over the cells of a layer, whatever method drew them."""

import re
from collections.abc import Callable
from dataclasses import dataclass
from typing import Protocol

import numpy as np
from numpy.typing import NDArray
from torch import Tensor

from agents.networks import ActorCritic
from rollouts.errors import InputError
from rollouts.progress import Update

BATCH = 32
"""Frames that pass through the network at once: few enough for the cache."""

Maps = NDArray[np.float32]
Output = Callable[[tuple[Tensor, Tensor]], Tensor]
"""Takes the target F (batch,) out of (logits, values)."""


@dataclass(frozen=True)
class Attribution:
    """Attribution of N frames to C channels on H x W cells, signed and not normalised.

    `outputs` (N,) is F of each frame, and `baseline` F of what the method starts from, where it claims that its maps
    sum to the difference; else None. `activations` and `gradients` (N, C, H, W) are there where the method has them.
    `direct` (N, C, H, W) are the maps themselves; without them they are activations times gradients.
    """

    method: str
    outputs: NDArray[np.float32]
    baseline: float | None = None
    activations: Maps | None = None
    gradients: Maps | None = None
    direct: Maps | None = None

    @property
    def maps(self) -> Maps:
        """(N, C, H, W)"""
        if self.direct is not None:
            return self.direct
        assert self.activations is not None
        assert self.gradients is not None
        return self.activations * self.gradients

    @property
    def activations_or_maps(self) -> Maps:
        """What says where a feature fires (N, C, H, W): the activations where the method has them, else the maps."""
        return self.maps if self.activations is None else self.activations

    @property
    def completeness_error(self) -> NDArray[np.float64]:
        """|sum of the maps - (F - baseline)| (N,), 0 for exact integrated gradients; nan where nothing is claimed."""
        if self.baseline is None:
            return np.full(len(self.outputs), np.nan)
        total = self.maps.sum(axis=(1, 2, 3), dtype=np.float64)
        return np.asarray(np.abs(total - (self.outputs.astype(np.float64) - self.baseline)))

    def at(self, cells: NDArray[np.bool_]) -> "Attribution":
        """Some `cells` (N, H, W) only, each as a frame of one cell: (cells, C, 1, 1), in the order of `np.nonzero`."""

        def chosen(maps: Maps | None) -> Maps | None:
            return None if maps is None else np.moveaxis(maps, 1, -1)[cells][:, :, None, None]

        return Attribution(
            self.method,
            self.outputs[np.nonzero(cells)[0]],
            self.baseline,
            chosen(self.activations),
            chosen(self.gradients),
            chosen(self.direct),
        )


class Method(Protocol):
    """Attributes a target to the activations of a layer on frames (N, 64, 64, 3).

    `steps` is for the methods that integrate. `progress` is told of frames as they are done.
    """

    def __call__(
        self,
        network: ActorCritic,
        layer: str,
        frames: NDArray[np.uint8],
        output: Output,
        steps: int,
        progress: Update,
    ) -> Attribution: ...


def target_output(network: ActorCritic, target: str) -> Output:
    """The output that is named `value`, `logit:3`, `logits:1,4` (a group's sum) or `logit:3-4` (a difference).

    Raises `InputError` for any other target, and for a logit that the network does not have.
    """
    if target == "value":
        return lambda outputs: outputs[1]
    named = re.fullmatch(r"logit:(\d+)(?:-(\d+))?|logits:(\d+(?:,\d+)*)", target)
    if named is None:
        raise InputError(
            f"target is '{target}'; it can be value, logit:3, logits:1,4 for the sum of a group, or logit:3-4 for a "
            "difference."
        )
    one, less, group = named.groups()
    more = [int(number) for number in (group or one).split(",")]
    fewer = [] if less is None else [int(less)]
    missing = [number for number in more + fewer if number >= network.num_actions]
    if missing:
        raise InputError(f"target names logit {missing[0]}; the network has logits 0 to {network.num_actions - 1}.")
    return lambda outputs: outputs[0][:, more].sum(dim=1) - outputs[0][:, fewer].sum(dim=1)


SMALLEST, LARGEST = 1e-15, 1e15
"""Of outputs and maps: beyond these their squares, summed, are no numbers of single precision."""


def check_finite(attribution: Attribution, target: str, layer: str) -> None:
    """Raises `InputError` for a target or maps that are infinite or not a number, or too large to be computed with."""
    of = {target: attribution.outputs, f"attribution of {target} to layer {layer}": attribution.maps}
    for what, values in of.items():
        largest = np.abs(values).max(initial=0)
        if not np.isfinite(largest):
            raise InputError(f"The {what} of this network is not finite; there is nothing to explain.")
        if largest > LARGEST:
            raise InputError(f"The {what} of this network reaches {largest:.1e}, more than can be computed with.")


def normalise(maps: Maps) -> tuple[Maps, NDArray[np.bool_]]:
    """Divide each frame (N, K, H, W) by its sum of |attribution|, and which frames (N,) have any; the others stay 0."""
    total = np.abs(maps).sum(axis=(1, 2, 3), keepdims=True)
    attributed = total[:, 0, 0, 0] > 0
    return np.divide(maps, total, out=np.zeros_like(maps), where=total > 0), attributed
