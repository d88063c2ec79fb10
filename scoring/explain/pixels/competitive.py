"""Competitive gradient x input (Gupta and Arora 2019): a pixel is kept for the move for which it counts most."""

import numpy as np
import torch
from torch import Tensor

from agents.checkpoint import Agent
from rollouts.errors import InputError
from rollouts.progress import Update
from scoring.explain.base import Maps, target_output
from scoring.explain.pixels.base import gradient_of, in_batches
from scoring.explain.scenes import Scenes


def competitive(agent: Agent, scenes: Scenes, target: str, seed: int, progress: Update) -> Maps:
    """x dF/dx where it is positive and the highest of all moves, or negative and the lowest; elsewhere 0.

    F of a move is the log of the summed exponentials of its logits, since several of procgen's actions are the same
    move. Raises `InputError` for a target that is not one logit.
    """
    target_output(agent.network, target)
    groups = moves_of(agent)
    kind, _, number = target.partition(":")
    if kind != "logit" or "-" in number:
        raise InputError(f"Competitive gradients explain one logit against the others, not '{target}'.")
    (own,) = [index for index, group in enumerate(groups) if int(number) in group]

    def draw(prepared: Tensor, place: slice) -> Tensor:
        return kept(torch.stack([_product(agent, group, prepared) for group in groups]), own).sum(dim=1)

    return in_batches(scenes.frames, draw, progress)


def moves_of(agent: Agent) -> list[list[int]]:
    """The logits of each move that the agent can make."""
    groups = [np.flatnonzero(np.isin(agent.actions, same)).tolist() for same in agent.options.rules.moves.values()]
    return [group for group in groups if group]


def _product(agent: Agent, logits: list[int], prepared: Tensor) -> Tensor:
    def function(x: Tensor) -> Tensor:
        return agent.network.heads(agent.network.trunk(x))[0][:, logits].logsumexp(dim=1)

    return prepared * gradient_of(function, prepared)


def kept(products: Tensor, own: int) -> Tensor:
    """Of products (moves, ...), what is kept of the move `own` (...)."""
    mine = products[own]
    wins = (mine > 0) & (mine == products.amax(dim=0)) | (mine < 0) & (mine == products.amin(dim=0))
    return mine * wins
