"""A small bank of random play, shared by the tests that need real frames."""

import numpy as np
import pytest
from numpy.typing import NDArray

from rollouts.bank import FrameBank
from rollouts.collecting import BankPlan, collect
from rollouts.env import EnvOptions
from scoring.evidence import Evidence, gather

PLAN = BankPlan("spread", environments=16, per_environment=4, interval=25, consecutive=True, pool_frames=64)


def to_the_right(frames: NDArray[np.uint8]) -> NDArray[np.int32]:
    """Run and jump: it meets more than random play does."""
    generator = np.random.default_rng(int(frames.sum()))
    return generator.choice([7, 8, 4], len(frames), p=[0.6, 0.3, 0.1]).astype(np.int32)


@pytest.fixture(scope="session")
def bank() -> FrameBank:
    return collect([("runner", to_the_right)], EnvOptions().unseen(), PLAN, seed=0)


@pytest.fixture(scope="session")
def evidence(bank: FrameBank) -> Evidence:
    return gather(bank)


@pytest.fixture(scope="session")
def consecutive() -> FrameBank:
    """Several episodes of one environment, step by step."""
    plan = BankPlan("trajectory", 1, 80, 1, consecutive=False, pool_frames=0)
    return collect([("runner", to_the_right)], EnvOptions().unseen(), plan, seed=8)
