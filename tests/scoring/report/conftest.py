"""An agent, and a trajectory that it plays."""

import pytest

from agents.checkpoint import Agent, untrained_agent
from agents.play import Player
from rollouts.bank import FrameBank
from rollouts.collecting import BankPlan, collect
from rollouts.env import EnvOptions


@pytest.fixture(scope="session")
def agent() -> Agent:
    return untrained_agent("compact", EnvOptions(), seed=0)


@pytest.fixture(scope="session")
def played(agent: Agent) -> FrameBank:
    plan = BankPlan("trajectory", 1, 40, 1, consecutive=False, pool_frames=0)
    return collect([("random", Player(agent, 0))], EnvOptions().unseen(), plan, seed=3)
