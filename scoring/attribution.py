"""Attribution of the value, or of action logits, to the activations of a hidden layer."""

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from agents.networks import ActorCritic
from rollouts.errors import InputError

METHODS = ("integrated_gradients", "gradient_x_activation", "gradient")
BATCH = 32
"""Frames that pass through the network at once: few enough for the cache."""

Maps = NDArray[np.float32]


@dataclass(frozen=True)
class Attribution:
    """Attribution of N frames to C channels on H x W cells, signed and not normalised.

    `activations` h and `gradients` (N, C, H, W), the latter averaged along the path from 0 to h (plain gradients at h
    for the other methods); `outputs` (N,) is F(h) and `baseline` is F(0).
    """

    method: str
    activations: Maps
    gradients: Maps
    outputs: NDArray[np.float32]
    baseline: float

    @property
    def maps(self) -> Maps:
        """(N, C, H, W): h times the gradient, or the gradient alone."""
        return self.gradients if self.method == "gradient" else self.activations * self.gradients

    @property
    def completeness_error(self) -> NDArray[np.float64]:
        """|sum of the maps - (F(h) - F(0))| (N,), 0 for exact integrated gradients; nan for the plain gradient."""
        if self.method == "gradient":
            return np.full(len(self.outputs), np.nan)
        total = self.maps.sum(axis=(1, 2, 3), dtype=np.float64)
        return np.asarray(np.abs(total - (self.outputs.astype(np.float64) - self.baseline)))

    def at(self, cells: NDArray[np.bool_]) -> "Attribution":
        """Some `cells` (N, H, W) only, each as a frame of one cell: (cells, C, 1, 1), in the order of `np.nonzero`."""
        activations, gradients = (
            np.moveaxis(maps, 1, -1)[cells][:, :, None, None] for maps in (self.activations, self.gradients)
        )
        return Attribution(self.method, activations, gradients, self.outputs[np.nonzero(cells)[0]], self.baseline)


def target_function(network: ActorCritic, layer: str, target: str) -> Callable[[Tensor], Tensor]:
    """F: hidden maps (batch, C, H, W) -> (batch,), for `value`, `logit:3`, or `logits:1,4` (a group's sum).

    Raises `InputError` for any other target, a logit that the network does not have, or an unknown layer.
    """
    after = network.after(layer)
    if target == "value":
        return lambda hidden: after(hidden)[1]
    kind, _, numbers = target.partition(":")
    try:
        logits = [int(number) for number in numbers.split(",")]
    except ValueError:
        logits = []
    if kind not in ("logit", "logits") or not logits or (kind == "logit" and len(logits) != 1):
        raise InputError(f"target is '{target}'; it can be value, logit:3, or logits:1,4 for the sum of a group.")
    missing = [number for number in logits if not 0 <= number < network.num_actions]
    if missing:
        raise InputError(f"target names logit {missing[0]}; the network has logits 0 to {network.num_actions - 1}.")
    return lambda hidden: after(hidden)[0][:, logits].sum(dim=1)


def attribute(
    network: ActorCritic, layer: str, frames: NDArray[np.uint8], target: str = "value",
    method: str = "integrated_gradients", steps: int = 32, progress: Callable[[int], None] = lambda frames: None,
) -> Attribution:  # fmt: skip
    """Attribute the target to a layer's activations on frames (N, 64, 64, 3).

    `integrated_gradients` (Sundararajan, Taly and Yan 2017) goes along a straight line from zero activation, as a right
    Riemann sum at alpha = 1/steps ... 1 (Hilton et al. 2020, appendix B); `gradient_x_activation` and `gradient` are
    taken at the activation itself. `progress` is told the frames done.
    """
    if method not in METHODS:
        raise InputError(f"attribution is '{method}'; it can be {', '.join(METHODS)}.")
    if steps < 1:
        raise InputError(f"steps is {steps}; integrated gradients need at least 1.")
    function = target_function(network, layer, target)
    until = network.until(layer)
    count = steps if method == "integrated_gradients" else 1
    activations, gradients, outputs = [], [], []
    with torch.no_grad():
        baseline = None
        for start in range(0, len(frames), BATCH):
            hidden = until(network.prepare(torch.from_numpy(frames[start : start + BATCH])))
            if baseline is None:
                baseline = float(function(torch.zeros_like(hidden[:1])))
            activations.append(hidden.numpy())
            gradients.append(_mean_gradient(function, hidden, count).numpy())
            outputs.append(function(hidden).numpy())
            progress(min(start + BATCH, len(frames)))
    return Attribution(
        method, np.concatenate(activations), np.concatenate(gradients), np.concatenate(outputs), baseline or 0.0
    )


def _mean_gradient(function: Callable[[Tensor], Tensor], hidden: Tensor, steps: int) -> Tensor:
    """Mean over alpha = 1/steps ... 1 of the gradient of F at alpha * hidden (batch, C, H, W)."""
    total = torch.zeros_like(hidden)
    for step in range(1, steps + 1):
        point = (hidden * (step / steps)).requires_grad_()
        with torch.enable_grad():
            (gradient,) = torch.autograd.grad(function(point).sum(), point)
        total += gradient
    return total / steps


def normalise(maps: Maps) -> tuple[Maps, NDArray[np.bool_]]:
    """Divide each frame (N, K, H, W) by its sum of |attribution|; frames without any become 0 and are not kept (N,)."""
    total = np.abs(maps).sum(axis=(1, 2, 3), keepdims=True)
    kept = total[:, 0, 0, 0] > 0
    return np.divide(maps, total, out=np.zeros_like(maps), where=total > 0), kept
