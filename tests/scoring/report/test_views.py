"""What an agent makes of a clip: values, policy, advantage, attribution."""

import numpy as np
import pytest
import torch

from agents.checkpoint import Agent, untrained_agent
from rollouts.bank import FrameBank
from rollouts.coinrun.table import COINRUN
from rollouts.env import EnvOptions
from rollouts.errors import InputError
from scoring.explain.methods import attribute
from scoring.features.channels import Channels
from scoring.report.clips import trajectory
from scoring.report.data import explained_data
from scoring.report.views import Explained, act, explained, surprising, target_of, view


def test_surprising_frames_keep_apart() -> None:
    values = np.array([0.0, 5, 4, 0, -3, 0, 2, -1, 0, np.nan])
    assert surprising(values, count=2, apart=3) == ([4, 7], [1, 6])
    assert surprising(values, count=9, apart=1)[1][0] == 1
    assert 9 not in surprising(values, count=10, apart=1)[0]


def test_policy_counts_actions_with_the_same_effect_together(agent: Agent, bank: FrameBank) -> None:
    values, policy = act(agent, bank.frames[:3])
    with torch.no_grad():
        logits, value = agent.network(torch.from_numpy(bank.frames[:3]))
    chances = np.exp(logits.numpy()) / np.exp(logits.numpy()).sum(axis=1, keepdims=True)
    assert values == pytest.approx(value.numpy())
    assert policy.sum(axis=1) == pytest.approx(1)
    names = list(COINRUN.moves)
    assert policy[:, names.index("right")] == pytest.approx(chances[:, 7])
    assert policy[:, names.index("nothing")] == pytest.approx(chances[:, [4, 9, 10, 11, 12, 13, 14]].sum(axis=1))
    few = untrained_agent("compact", EnvOptions(), 0, actions=(7, 4, 1))
    assert target_of(few, "left") == "logits:2"
    assert target_of(few, "value") == "value"
    with pytest.raises(InputError, match="targets has 'down', which the agent has no action for"):
        target_of(few, "down")
    with pytest.raises(InputError, match="targets has 'sideways'; it can have value, left,"):
        target_of(few, "sideways")


def test_features_and_residual_add_up_to_the_target(agent: Agent, bank: FrameBank) -> None:
    attribution = attribute(agent.network, "2b", bank.frames[:5], steps=64)
    found = explained(Channels(32), [3, 7, 1], attribution)
    assert found.maps.shape == (5, 4, 16, 16)
    assert (found.maps[:, 1] == attribution.maps[:, 7]).all()
    difference = attribution.outputs - attribution.baseline
    assert np.abs(found.sums.sum(axis=1) - difference).max() <= attribution.completeness_error.max() + 1e-4
    data = explained_data(found)
    error = np.abs(data["maps"] * data["steps"][:, :, None, None] - found.maps).max(axis=(2, 3))
    assert (error <= data["steps"] * 0.5001).all()
    assert (np.abs(data["maps"][:, 3]).max(axis=(1, 2)) == 127).all()
    large = explained_data(Explained(np.repeat(found.maps, 2, axis=3), found.sums, 1.0, 1.0))
    assert np.abs(large["maps"]).max() == 31
    assert large["steps"] == pytest.approx(np.abs(found.maps).max(axis=(2, 3)) / 31)


def test_a_view_measures_the_frames_without_an_item(agent: Agent, played: FrameBank) -> None:
    clip = trajectory(played)
    own = attribute(agent.network, "2b", clip.frames, steps=2)
    gone = attribute(agent.network, "2b", clip.removed, steps=2)
    seen = view(("an agent", agent), clip, {"value": own}, [gone], Channels(32), [0, 5])
    assert seen.removed_values == pytest.approx(gone.outputs, abs=1e-5)
    assert seen.removed_sums[:, 1] == pytest.approx(gone.maps[:, 5].sum(axis=(1, 2)), abs=1e-5)
    assert seen.removed_sums.sum(axis=1) == pytest.approx(gone.maps.sum(axis=(1, 2, 3)), abs=1e-4)
    assert seen.removed_policy.shape == (len(clip.removed), len(COINRUN.moves))
