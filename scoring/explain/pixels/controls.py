"""Maps that explain nothing: what every method has to be better than."""

import numpy as np
from skimage.filters import sobel

from agents.checkpoint import Agent
from rollouts.progress import Update
from scoring.explain.base import Maps, target_output
from scoring.explain.pixels.integrated import from_black
from scoring.explain.scenes import Scenes


def edges(agent: Agent, scenes: Scenes, target: str, seed: int, progress: Update) -> Maps:
    """Sobel's filter on the mean of the colours: no network at all; never negative."""
    target_output(agent.network, target)
    maps = np.stack([sobel(frame.mean(axis=-1) / 255) for frame in scenes.frames]).astype(np.float32)
    progress(len(scenes))
    return maps


def mean_map(agent: Agent, scenes: Scenes, target: str, seed: int, progress: Update) -> Maps:
    """The mean over all frames of integrated gradients from black, the same in each: where, but not what."""
    return np.broadcast_to(
        from_black(agent, scenes, target, seed, progress).mean(axis=0), (len(scenes), 64, 64)
    ).astype(np.float32)


def noise(agent: Agent, scenes: Scenes, target: str, seed: int, progress: Update) -> Maps:
    """Gaussian noise."""
    target_output(agent.network, target)
    progress(len(scenes))
    return np.random.default_rng(seed).standard_normal((len(scenes), 64, 64), dtype=np.float32)
