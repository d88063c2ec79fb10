"""Scoring step by step, each with its progress."""

from agents.checkpoint import Agent
from rollouts.bank import FrameBank
from rollouts.progress import Track, untracked
from scoring.evidence import Evidence, gather
from scoring.pipeline import Score, attributed_frames, check, score
from scoring.settings import ScoreConfig
from scoring.subject import Subject, explain, frames_to_explain


def gather_tracked(bank: FrameBank, config: ScoreConfig, track: Track = untracked) -> Evidence:
    """Masks and changed frames of a bank, of the kinds that the score's version has, and of those of earlier ones."""
    rules = bank.options.rules
    game = rules.widest if config.definition.concepts and rules.concepts else config.definition.game(rules)
    with track("Masking", len(bank)) as update:
        return gather(bank, progress=update, game=game)


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
