"""Every method of attribution, by name: a new one is a file and a line here."""

from collections.abc import Mapping

import numpy as np
from numpy.typing import NDArray

from agents.networks import ActorCritic
from rollouts.errors import InputError
from rollouts.progress import Update, silent
from scoring.explain.base import Attribution, Method, check_finite, target_output
from scoring.explain.gradients import gradient, gradient_x_activation
from scoring.explain.integrated_gradients import integrated_gradients

METHODS: Mapping[str, Method] = {
    "integrated_gradients": integrated_gradients,
    "gradient_x_activation": gradient_x_activation,
    "gradient": gradient,
}


def method_named(name: str) -> Method:
    """Raises `InputError` for a method that is not there."""
    if name not in METHODS:
        raise InputError(f"attribution is '{name}'; it can be {', '.join(METHODS)}.")
    return METHODS[name]


def attribute(
    network: ActorCritic,
    layer: str,
    frames: NDArray[np.uint8],
    target: str = "value",
    method: str = "integrated_gradients",
    steps: int = 32,
    progress: Update = silent,
) -> Attribution:
    """Attribute the target to a layer's activations on frames (N, 64, 64, 3) by a method of `METHODS`.

    `progress` is told of frames as they are done. Raises `InputError` for a method, target or layer that is not there,
    and for a target or attribution that is not finite.
    """
    attribution = method_named(method)(network, layer, frames, target_output(network, target), steps, progress)
    check_finite(attribution, target, layer)
    return attribution
