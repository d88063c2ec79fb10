"""Integrated gradients (Sundararajan, Taly and Yan 2017) from zero activation at a layer (Hilton et al. 2020)."""

import numpy as np
from numpy.typing import NDArray

from agents.networks import ActorCritic
from rollouts.errors import InputError
from rollouts.progress import Update
from scoring.explain.base import Attribution, Output
from scoring.explain.path import along_path


def integrated_gradients(
    network: ActorCritic, layer: str, frames: NDArray[np.uint8], output: Output, steps: int, progress: Update
) -> Attribution:
    """A right Riemann sum at alpha = 1/steps ... 1 (Hilton et al. 2020, appendix B).

    Raises `InputError` for fewer than one step.
    """
    if steps < 1:
        raise InputError(f"steps is {steps}; integrated gradients need at least 1.")
    alphas = [step / steps for step in range(1, steps + 1)]
    return along_path(network, layer, frames, output, alphas, "integrated_gradients", progress)
