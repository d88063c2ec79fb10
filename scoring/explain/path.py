"""Gradients of the target along a straight line from zero activation at a layer to its activation."""

from collections.abc import Callable, Sequence
from threading import Lock

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from agents.networks import ActorCritic
from rollouts.progress import Update
from scoring.explain.base import BATCH, Attribution, Output
from scoring.threads import divide


def along_path(
    network: ActorCritic,
    layer: str,
    frames: NDArray[np.uint8],
    output: Output,
    alphas: Sequence[float],
    method: str,
    progress: Update,
) -> Attribution:
    """Activations h at a layer, and the gradients averaged over the points alpha * h, the last alpha being 1.

    The baseline is F at zero activation.
    """
    until = network.until(layer)
    lead, degree, rest = network.behind(layer)
    with torch.no_grad():
        zero = torch.zeros_like(until(network.prepare(torch.from_numpy(frames[:1]))))
        baseline = output(rest(lead(zero))).numpy()
    activations, gradients = (np.empty((len(frames), *zero.shape[1:]), baseline.dtype) for _ in range(2))
    outputs, lock = np.empty(len(frames), baseline.dtype), Lock()

    @torch.no_grad()
    def explain(start: int) -> None:
        batch = slice(start, start + BATCH)
        hidden = until(network.prepare(torch.from_numpy(frames[batch])))
        mean, value = mean_gradient(lead, degree, lambda maps: output(rest(maps)), hidden, alphas)
        activations[batch], gradients[batch], outputs[batch] = hidden.numpy(), mean.numpy(), value.numpy()
        with lock:
            progress(len(hidden))

    divide(explain, range(0, len(frames), BATCH))
    return Attribution(method, outputs, float(baseline[0]), activations, gradients)


def mean_gradient(
    lead: Callable[[Tensor], Tensor],
    degree: int,
    function: Callable[[Tensor], Tensor],
    hidden: Tensor,
    alphas: Sequence[float],
) -> tuple[Tensor, Tensor]:
    """Mean over `alphas` of the gradient of F = function(lead) at alpha * hidden, and F(hidden); the last alpha is 1.

    `hidden` (batch, C, H, W). `lead` takes alpha * hidden to start + alpha^degree * (end - start), with start = lead(0)
    and end = lead(hidden). So it is passed once forward and once back, whatever the number of points: its Jacobian at
    alpha * hidden is alpha^(degree - 1) times that at hidden.
    """
    with torch.enable_grad():
        hidden = hidden.detach().requires_grad_()
        end = lead(hidden)
    start = lead(torch.zeros_like(hidden[:1]))
    way, total, value = end.detach() - start, torch.zeros_like(end), torch.empty(0)
    for alpha in alphas:
        point = (start + way * alpha**degree).requires_grad_()
        with torch.enable_grad():
            value = function(point)
            (gradient,) = torch.autograd.grad(value.sum(), point)
        total += gradient * alpha ** (degree - 1)
    (mean,) = torch.autograd.grad(end, hidden, total / len(alphas))
    return mean, value.detach()
