"""What the checks need: agents, the banks that they play, and their attributions."""

from collections.abc import Iterator
from dataclasses import dataclass
from functools import cached_property

from agents.checkpoint import Agent, untrained_agent
from agents.play import Player
from rollouts.bank import FrameBank
from rollouts.collecting import SPREAD, BankPlan, collect
from rollouts.progress import Update, silent
from scoring.evidence import Evidence, gather, masks_of
from scoring.explain.base import Attribution
from scoring.explain.methods import attribute
from scoring.subject import Subject
from scoring.validation.base import Outcome, explained, game_of
from scoring.validation.levels import Level, channel_levels
from scoring.validation.planted import Lesson
from scoring.validation.untrained import Untrained, untrained

LESSON = BankPlan("spread", 64, 32, 33, consecutive=False, pool_frames=0)
"""Frames that detectors of planted networks learn from; no scored frame is among them."""
LESSON_SEED = 1000
COMPLETENESS_FRAMES = 32
PUBLISHED_CONTROLS = 5

Played = tuple[FrameBank, Evidence]


@dataclass(frozen=True)
class Material:
    """Two agents, and what the checks need of them, made when it is first asked for.

    `published` is the agent of Hilton et al. (2020), if it is at hand. `progress` is told what was made.
    """

    agent: Agent
    published: Agent | None
    seed: int = 0
    threads: int = 1
    progress: Update = silent

    def _play(self, agent: Agent, plan: BankPlan, seed: int) -> Played:
        bank = collect([("agent", Player(agent, seed))], agent.options.unseen(), plan, seed, self.threads)
        self.progress(0, "frames")
        evidence = gather(bank, game=game_of(bank))
        self.progress(0, "masks")
        return bank, evidence

    @cached_property
    def bank(self) -> Played:
        """The bank that the agent, planted and untrained networks are scored on."""
        return self._play(self.agent, SPREAD, self.seed)

    @cached_property
    def lesson(self) -> Lesson:
        seed = LESSON_SEED + self.seed
        bank = collect([("agent", Player(self.agent, seed))], self.agent.options.unseen(), LESSON, seed, self.threads)
        game = game_of(bank)
        lesson = Lesson(game, bank.frames, masks_of(bank, game))
        self.progress(0, "lesson")
        return lesson

    @cached_property
    def subject(self) -> Subject:
        return explained(self.agent, *self.bank, pool=True)

    def attribution(self, steps: int) -> Attribution:
        """The agent's of some frames of its bank."""
        network = self.agent.network
        return attribute(network, network.default_layer, self.bank[0].frames[:COMPLETENESS_FRAMES], steps=steps)

    @cached_property
    def untrained(self) -> Outcome[Untrained]:
        """Untrained networks of every kind, on the agent's bank."""
        return untrained(*self.bank, self.progress)

    @property
    def published_agent(self) -> Agent:
        assert self.published is not None
        return self.published

    @cached_property
    def published_bank(self) -> Played:
        return self._play(self.published_agent, SPREAD, self.seed)

    @cached_property
    def published_subject(self) -> Subject:
        return explained(self.published_agent, *self.published_bank, pool=True)

    def fresh_subjects(self) -> list[Subject]:
        """The published agent on two banks that nothing was fitted on or chosen by."""
        agent = self.published_agent
        return [explained(agent, *self._play(agent, SPREAD, self.seed + fresh)) for fresh in (1, 2)]

    def published_controls(self) -> Iterator[Subject]:
        """Untrained networks of the published agent's shape, on its bank; one at a time, since each is a gigabyte."""
        network, options = self.published_agent.network.kind, self.published_agent.options
        for seed in range(PUBLISHED_CONTROLS):
            yield explained(untrained_agent(network, options, 400 + seed), *self.published_bank, pool=True)

    @cached_property
    def published_level(self) -> dict[str, Level]:
        return channel_levels(self.published_controls())

    @property
    def subjects(self) -> dict[str, Subject]:
        """The agents that are at hand."""
        subjects = {"zoo agent": self.subject}
        if self.published is not None:
            subjects["published agent"] = self.published_subject
        return subjects
