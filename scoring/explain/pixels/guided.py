"""Backpropagation with other rules at the ReLUs: guided (Springenberg et al. 2015), DeconvNet (Zeiler, Fergus 2014)."""

import copy
from typing import Any

import torch
from torch import Tensor, nn

from agents.checkpoint import Agent
from agents.networks import ActorCritic
from rollouts.errors import InputError
from rollouts.progress import Update
from scoring.explain.base import Maps, target_output
from scoring.explain.pixels.base import Function, gradient_of, in_batches
from scoring.explain.scenes import Scenes


class _Deconvolved(torch.autograd.Function):
    """A ReLU that lets back whatever is positive, wherever its own input was not."""

    @staticmethod
    def forward(ctx: Any, x: Tensor) -> Tensor:
        return x.clamp(min=0)

    @staticmethod
    def backward(ctx: Any, *gradients: Tensor) -> Tensor:
        return gradients[0].clamp(min=0)


class _Guided(torch.autograd.Function):
    """A ReLU that lets back what is positive where its own input was, too."""

    @staticmethod
    def forward(ctx: Any, x: Tensor) -> Tensor:
        ctx.save_for_backward(x)
        return x.clamp(min=0)

    @staticmethod
    def backward(ctx: Any, *gradients: Tensor) -> Tensor:
        (x,) = ctx.saved_tensors
        return gradients[0].clamp(min=0) * (x > 0)


class _Rectifier(nn.Module):
    def __init__(self, rule: type[torch.autograd.Function]) -> None:
        super().__init__()
        self.rule = rule

    def forward(self, x: Tensor) -> Tensor:
        result: Tensor = self.rule.apply(x)
        return result


def guided_backprop(agent: Agent, scenes: Scenes, target: str, seed: int, progress: Update) -> Maps:
    """The gradient without what is negative at any ReLU on its way back; all other modules are passed as usual."""
    function = guided(agent.network, target)
    return in_batches(scenes.frames, lambda x, place: gradient_of(function, x).sum(dim=1), progress)


def deconvnet(agent: Agent, scenes: Scenes, target: str, seed: int, progress: Update) -> Maps:
    """The same, whether or not the ReLU was open."""
    function = with_rule(agent.network, target, _Deconvolved)
    return in_batches(scenes.frames, lambda x, place: gradient_of(function, x).sum(dim=1), progress)


def guided(network: ActorCritic, target: str) -> Function:
    """F of prepared frames, whose gradient is the guided one; raises `InputError` as `with_rule` does."""
    return with_rule(network, target, _Guided)


def with_rule(network: ActorCritic, target: str, rule: type[torch.autograd.Function]) -> Function:
    """F of prepared frames with another rule at the ReLUs of a copy; raises `InputError` for a network without any."""
    output, changed = target_output(network, target), copy.deepcopy(network)
    places = [
        (module, name)
        for module in changed.trunk.modules()
        for name, child in module.named_children()
        if isinstance(child, nn.ReLU)
    ]
    if not places:
        raise InputError(f"{network.kind} has no ReLUs, which guided backpropagation and DeconvNet change.")
    for module, name in places:
        setattr(module, name, _Rectifier(rule))
    return lambda prepared: output(changed.heads(changed.trunk(prepared)))
