"""Scoring step by step, each with its progress."""

import numpy as np
from numpy.typing import NDArray

from agents.checkpoint import Agent
from rollouts.bank import FrameBank
from rollouts.errors import InputError
from rollouts.progress import Track, untracked
from scoring.evidence import Evidence, gather
from scoring.explain.base import SMALLEST
from scoring.explain.methods import attribute
from scoring.features.kinds import kind_named
from scoring.pipeline import Score, attributed_frames, check, score
from scoring.settings import ScoreConfig
from scoring.subject import Subject, explain, frames_to_explain

PROBED = 32
"""Frames that are looked at first: those of a sound network carry attribution."""


def gather_tracked(bank: FrameBank, config: ScoreConfig, track: Track = untracked) -> Evidence:
    """Masks and changed frames of a bank, of the kinds that the score's version has, and of those of earlier ones."""
    rules = bank.options.rules
    game = rules.widest if config.definition.concepts and rules.concepts else config.definition.game(rules)
    with track("Masking", len(bank)) as update:
        return gather(bank, progress=update, game=game)


def check_attribution(name: str, agent: Agent, bank: FrameBank, config: ScoreConfig, alive: bool = False) -> None:
    """Raises `InputError` for an agent that cannot be scored on a bank, before its evidence is gathered.

    Its target or attribution may not be finite, or out of the range that can be computed with; or too few channels
    carry attribution to fit features on. With `alive` some must; else, where none does, all features are dead.
    """
    layer, geometry = check(agent, config)
    kind = kind_named(config.features)
    frames = bank.pool if kind.fitted else bank.frames
    least = kind.count(geometry.channels, config) if kind.fitted else 1

    def carrying(frames: NDArray[np.uint8]) -> int:
        """Channels that carry any attribution."""
        try:
            maps = attribute(agent.network, layer, frames, config.target, config.attribution, config.steps).maps
        except InputError as error:
            raise InputError(f"{name}: {error}") from error
        if 0 < (largest := np.abs(maps).max(initial=0)) < SMALLEST:
            raise InputError(f"{name}: attribution reaches {largest:.1e} only, less than can be computed with.")
        return int(maps.any(axis=(0, 2, 3)).sum())

    if carrying(frames[:: max(len(frames) // PROBED, 1)]) >= least:
        return
    count = carrying(frames)
    if 0 < count < least:
        raise InputError(
            f"{name}: {least} {config.features} features were asked for, but only {count} channels of layer {layer} "
            "carry any attribution."
        )
    if not count and alive:
        raise InputError(
            f"{name}: {config.target} does not depend on layer {layer} in any frame; its features are dead."
        )


def explain_tracked(
    name: str,
    agent: Agent,
    bank: FrameBank,
    evidence: Evidence,
    config: ScoreConfig,
    track: Track = untracked,
) -> Subject:
    """Attributions at the layer that `config` means, for any kind of features."""
    layer, _ = check(agent, config)
    with track(f"Attributing {name}", frames_to_explain(bank, evidence, pool=True)) as update:
        return explain(
            agent.network, layer, bank, evidence, config.target, config.attribution, config.steps, progress=update
        )


def score_tracked(
    name: str, agent: Agent, bank: FrameBank, evidence: Evidence, config: ScoreConfig, track: Track = untracked
) -> Score:
    """`pipeline.score`, with version 1 of the score beside it."""
    with track(f"Scoring {name}", attributed_frames(bank, evidence, config)) as update:
        return score(agent, bank, evidence, config, update, beside=True)
