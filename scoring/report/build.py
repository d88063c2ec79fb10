"""Making a report: each agent's scores, what it makes of the frames, and the page."""

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from agents.banks import Named
from rollouts.bank import BankError, FrameBank
from rollouts.progress import Track, Update, untracked
from scoring.explain.base import Attribution
from scoring.explain.methods import attribute
from scoring.output import write_score
from scoring.pipeline import Score, score_subject
from scoring.report.cards import cards, shown_features, with_regions
from scoring.report.clips import Clip, examples, removed_kinds, trajectory
from scoring.report.data import Entry
from scoring.report.page import INDEX, SCORES, begin, finish, write_page
from scoring.report.views import View, target_of, view
from scoring.run import check_attribution, explain_tracked, gather_tracked
from scoring.settings import ScoreConfig


def check_players(bank: FrameBank, agents: Sequence[Named], name: str) -> None:
    """Raises `BankError` for agents that did not play the bank `name`, or see other frames."""
    for player, agent in agents:
        bank.check_options(agent.options, player)
        if player not in bank.players:
            raise BankError(f"{name} was played by {', '.join(bank.players)}, not by {player}.")


def score_agents(
    agents: Sequence[Named], bank: FrameBank, config: ScoreConfig, track: Track = untracked
) -> dict[str, Score]:
    """Each agent's score on the bank, by name."""
    for name, agent in agents:
        check_attribution(name, agent, bank, config)
    evidence = gather_tracked(bank, config, track)
    subjects = {name: explain_tracked(name, agent, bank, evidence, config, track) for name, agent in agents}
    scores = {}
    with track("Scoring", len(agents)) as update:
        for name, agent in agents:
            scores[name] = score_subject(agent, subjects[name], config, beside=True)
            update(1, name)
    return scores


def write_report(
    folder: Path,
    agents: Sequence[Named],
    scores: Mapping[str, Score],
    played: FrameBank,
    targets: Sequence[str],
    made: Mapping[str, Any],
    track: Track = untracked,
) -> Path:
    """Look at the trajectory `played` and at the scored bank as each agent, and write the page; returns its path.

    The agents' `scores`, by name, are on one bank. `targets` are attributed on the trajectory. `made` says what the
    report was made of. The folder is marked as a report before anything is written into it.
    """
    begin(folder)
    first = scores[agents[0][0]].whole
    made_cards = {name: cards(scores[name]) for name, _ in agents}
    outlined = with_regions([card for own in made_cards.values() for card in own])
    with track("Taking objects out", len(played)) as update:
        clips = (trajectory(played, update, outlined), examples(first.bank, first.evidence, outlined))
    entries = []
    with track(
        "Attributing the trajectory", len(agents) * (len(clips[0]) * len(targets) + len(clips[0].removed))
    ) as update:
        for name, agent in agents:
            score = scores[name]
            views = {
                "trajectory": _view_of_trajectory((name, agent), score, clips[0], targets, update),
                "examples": _view_of_examples((name, agent), score, clips[1]),
            }
            entries.append(Entry(name, agent, score, made_cards[name], views))
            write_score(folder / SCORES / name, name, score, first.bank)
    title = " and ".join(name for name, _ in agents)
    write_page(folder, title, entries, clips)
    finish(folder, made)
    return folder / INDEX


def _view_of_trajectory(named: Named, score: Score, clip: Clip, targets: Sequence[str], progress: Update) -> View:
    """What an agent makes of the trajectory; `progress` is told of frames as they are attributed."""
    agent, settings, layer = named[1], score.record.settings, score.record.layer.name

    def of(frames: NDArray[np.uint8], target: str) -> Attribution:
        return attribute(agent.network, layer, frames, target, settings.attribution, settings.steps, progress)

    attributed = {name: of(clip.frames, target_of(agent, name)) for name in targets}
    removed = [of(clip.removed, "value")] if len(clip.removed) else []
    return view(named, clip, attributed, removed, score.basis, shown_features(score))


def _view_of_examples(named: Named, score: Score, clip: Clip) -> View:
    """What an agent makes of the scored bank, from the attributions that the score was made of."""
    subject = score.whole
    removed = [subject.removed[kind] for kind in removed_kinds(subject.evidence, clip.game)]
    return view(named, clip, {"value": subject.own}, removed, score.basis, shown_features(score))
