"""Grad-CAM at the last convolutional layer, and times guided backpropagation (Selvaraju et al. 2017)."""

import torch
from torch import Tensor
from torch.nn.functional import interpolate

from agents.checkpoint import Agent
from agents.networks import ActorCritic
from rollouts.progress import Update
from scoring.explain.base import Maps, target_output
from scoring.explain.pixels.base import gradient_of, in_batches
from scoring.explain.pixels.guided import guided
from scoring.explain.scenes import Scenes


def grad_cam(agent: Agent, scenes: Scenes, target: str, seed: int, progress: Update) -> Maps:
    """ReLU(sum over channels of mean gradient x activation), stretched to the frame; never negative."""
    return in_batches(scenes.frames, lambda x, place: cam(agent.network, target, x)[:, 0], progress)


def guided_grad_cam(agent: Agent, scenes: Scenes, target: str, seed: int, progress: Update) -> Maps:
    """Grad-CAM times the guided gradient."""
    function = guided(agent.network, target)

    def draw(prepared: Tensor, place: slice) -> Tensor:
        return (cam(agent.network, target, prepared) * gradient_of(function, prepared)).sum(dim=1)

    return in_batches(scenes.frames, draw, progress)


def cam(network: ActorCritic, target: str, prepared: Tensor) -> Tensor:
    """Grad-CAM (batch, 1, 64, 64) of prepared frames (batch, 3, 64, 64)."""
    layer, output = network.layers[-1], target_output(network, target)
    rest = network.after(layer)
    hidden = network.until(layer)(prepared).detach()
    weights = gradient_of(lambda maps: output(rest(maps)), hidden).mean(dim=(2, 3), keepdim=True)
    coarse = torch.relu((weights * hidden).sum(dim=1, keepdim=True))
    return interpolate(coarse, size=prepared.shape[2:], mode="bilinear", align_corners=False)
