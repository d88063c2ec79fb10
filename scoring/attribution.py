"""Attribution of the value, or of action logits, to the activations of a hidden layer."""

from collections.abc import Callable
from dataclasses import dataclass
from threading import Lock

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from agents.networks import ActorCritic
from rollouts.errors import InputError
from scoring.threads import divide

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


def target_output(network: ActorCritic, target: str) -> Callable[[tuple[Tensor, Tensor]], Tensor]:
    """Takes F (batch,) out of (logits, values), for `value`, `logit:3`, or `logits:1,4` (a group's sum).

    Raises `InputError` for any other target, and for a logit that the network does not have.
    """
    if target == "value":
        return lambda outputs: outputs[1]
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
    return lambda outputs: outputs[0][:, logits].sum(dim=1)


def attribute(
    network: ActorCritic,
    layer: str,
    frames: NDArray[np.uint8],
    target: str = "value",
    method: str = "integrated_gradients",
    steps: int = 32,
    progress: Callable[[int], None] = lambda frames: None,
) -> Attribution:
    """Attribute the target to a layer's activations on frames (N, 64, 64, 3).

    `integrated_gradients` (Sundararajan, Taly and Yan 2017) goes along a straight line from zero activation, as a right
    Riemann sum at alpha = 1/steps ... 1 (Hilton et al. 2020, appendix B); `gradient_x_activation` and `gradient` are
    taken at the activation itself. `progress` is told the frames done.
    """
    if method not in METHODS:
        raise InputError(f"attribution is '{method}'; it can be {', '.join(METHODS)}.")
    if steps < 1:
        raise InputError(f"steps is {steps}; integrated gradients need at least 1.")
    output = target_output(network, target)
    until = network.until(layer)
    lead, degree, rest = network.behind(layer)
    count = steps if method == "integrated_gradients" else 1
    with torch.no_grad():
        zero = torch.zeros_like(until(network.prepare(torch.from_numpy(frames[:1]))))
        baseline = output(rest(lead(zero))).numpy()
    activations, gradients = (np.empty((len(frames), *zero.shape[1:]), baseline.dtype) for _ in range(2))
    outputs, done, lock = np.empty(len(frames), baseline.dtype), 0, Lock()

    @torch.no_grad()
    def explain(start: int) -> None:
        nonlocal done
        batch = slice(start, start + BATCH)
        hidden = until(network.prepare(torch.from_numpy(frames[batch])))
        mean, value = _along_path(lead, degree, lambda maps: output(rest(maps)), hidden, count)
        activations[batch], gradients[batch], outputs[batch] = hidden.numpy(), mean.numpy(), value.numpy()
        with lock:
            done += len(hidden)
            progress(done)

    divide(explain, range(0, len(frames), BATCH))
    return Attribution(method, activations, gradients, outputs, float(baseline[0]))


def _along_path(
    lead: Callable[[Tensor], Tensor], degree: int, function: Callable[[Tensor], Tensor], hidden: Tensor, steps: int
) -> tuple[Tensor, Tensor]:
    """Mean over alpha = 1/steps ... 1 of the gradient of F = function(lead) at alpha * hidden, and F(hidden).

    `hidden` (batch, C, H, W). `lead` takes alpha * hidden to start + alpha^degree * (end - start), with start = lead(0)
    and end = lead(hidden). So it is passed once forward and once back, whatever the number of steps: its Jacobian at
    alpha * hidden is alpha^(degree - 1) times that at hidden.
    """
    with torch.enable_grad():
        hidden = hidden.detach().requires_grad_()
        end = lead(hidden)
    start = lead(torch.zeros_like(hidden[:1]))
    way, total, value = end.detach() - start, torch.zeros_like(end), torch.empty(0)
    for alpha in (step / steps for step in range(1, steps + 1)):
        point = (start + way * alpha**degree).requires_grad_()
        with torch.enable_grad():
            value = function(point)
            (gradient,) = torch.autograd.grad(value.sum(), point)
        total += gradient * alpha ** (degree - 1)
    (mean,) = torch.autograd.grad(end, hidden, total / steps)
    return mean, value.detach()


def normalise(maps: Maps) -> tuple[Maps, NDArray[np.bool_]]:
    """Divide each frame (N, K, H, W) by its sum of |attribution|; frames without any become 0 and are not kept (N,)."""
    total = np.abs(maps).sum(axis=(1, 2, 3), keepdims=True)
    kept = total[:, 0, 0, 0] > 0
    return np.divide(maps, total, out=np.zeros_like(maps), where=total > 0), kept
