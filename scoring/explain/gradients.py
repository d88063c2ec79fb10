"""The gradient at the activation itself, alone or times the activation (Shrikumar et al. 2016)."""

from dataclasses import replace

import numpy as np
from numpy.typing import NDArray

from agents.networks import ActorCritic
from rollouts.progress import Update
from scoring.explain.base import Attribution, Output
from scoring.explain.path import along_path


def gradient(
    network: ActorCritic, layer: str, frames: NDArray[np.uint8], output: Output, steps: int, progress: Update
) -> Attribution:
    """The gradient of the target, which claims to sum to nothing."""
    taken = along_path(network, layer, frames, output, [1.0], "gradient", progress)
    return replace(taken, baseline=None, direct=taken.gradients)


def gradient_x_activation(
    network: ActorCritic, layer: str, frames: NDArray[np.uint8], output: Output, steps: int, progress: Update
) -> Attribution:
    """The gradient of the target times the activation: integrated gradients in one step."""
    return along_path(network, layer, frames, output, [1.0], "gradient_x_activation", progress)
