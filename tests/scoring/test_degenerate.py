"""Networks that are dead, or whose numbers are too large or too small: no number without its reason, and no NaN."""

import json
import re
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch

from agents.checkpoint import Agent, load_agent, save_agent, untrained_agent
from agents.naming import named_agents
from agents.play import Player
from rollouts.bank import FrameBank
from rollouts.env import EnvOptions
from rollouts.errors import InputError
from scoring.evidence import Evidence
from scoring.explain.methods import attribute
from scoring.metrics.statistics import NO_NUMBER
from scoring.pipeline import score
from scoring.run import check_attribution
from scoring.settings import ScoreConfig
from scoring.study.members import readable
from scoring.study.table import numbers
from scoring.tables import comparison, feature_frame, features_table, label

FAST = ScoreConfig(steps=2, bootstrap=20, permutations=9, refits=1, components=4)
ZOO = Path(__file__).parents[2] / "zoo/compact-hard-all.safetensors"
REASON = "The features are dead: value does not depend on layer 2b in any frame, so there is no headline."


def times(factor: float) -> Callable[[Agent], None]:
    def change(agent: Agent) -> None:
        for parameter in agent.network.parameters():
            parameter.mul_(factor)

    return change


def zero_value(agent: Agent) -> None:
    agent.network.value.weight.zero_()
    agent.network.value.bias.zero_()


def dead_relu(agent: Agent) -> None:
    conv = agent.network.trunk.get_submodule("3a_conv")
    conv.weight.zero_()  # type: ignore[union-attr, operator]
    conv.bias.fill_(-1)  # type: ignore[union-attr, operator]


def three_channels(agent: Agent) -> None:
    agent.network.trunk.get_submodule("3a_conv").weight[:, 3:] = 0  # type: ignore[index, operator]


def changed(change: Callable[[Agent], None]) -> Agent:
    agent = load_agent(ZOO)
    with torch.no_grad():
        change(agent)
    return agent


@pytest.mark.parametrize(
    ("change", "features"), [(times(0), "nmf"), (zero_value, "channels"), (zero_value, "nmf"), (dead_relu, "channels")]
)
def test_a_dead_network_gets_no_number_but_a_reason(
    change: Callable[[Agent], None], features: str, bank: FrameBank, evidence: Evidence
) -> None:
    config, agent = replace(FAST, features=features), changed(change)
    check_attribution("it", agent, bank, config)
    found = score(agent, bank, evidence, config, beside=True)
    headline, diagnostics = found.record.headline, found.record.diagnostics
    assert headline.interpretable_fraction == headline.graded_score == NO_NUMBER
    assert headline.lacking == REASON
    assert headline.classes == {}
    assert diagnostics.lift == diagnostics.localisation == NO_NUMBER
    assert diagnostics.dead_features == headline.features
    assert diagnostics.version_1 is not None
    assert diagnostics.version_1.graded_score is None
    json.dumps(found.record.to_json(), allow_nan=False)
    assert label(found, 0) == "0: dead\n\nshare 0%"
    assert set(features_table(found).columns[-1].cells) == {"dead"}
    assert comparison([("it", found.record)]).row_count == 12
    assert not feature_frame(found)["interpretable"].any()
    row = numbers(found)
    assert row["graded_score"] is None
    assert row["graded_by_objects"] is None
    with pytest.raises(InputError, match="it: value does not depend on layer 2b in any frame; its features are dead"):
        check_attribution("it", agent, bank, config, alive=True)


@pytest.mark.parametrize(
    ("factor", "sentence"),
    [
        (1e8, "it: The value of this network is not finite; there is nothing to explain."),
        (1e4, r"it: The value of this network reaches \d.\de\+24, more than can be computed with."),
        (1e-6, r"it: attribution reaches \d.\de-\d\d only, less than can be computed with."),
    ],
)
def test_numbers_that_single_precision_does_not_have_are_refused(factor: float, sentence: str, bank: FrameBank) -> None:
    agent = changed(times(factor))
    with pytest.raises(InputError) as error:
        check_attribution("it", agent, bank, FAST)
    assert re.fullmatch(sentence, str(error.value))


def test_a_score_does_not_depend_on_the_values_scale(bank: FrameBank, evidence: Evidence) -> None:
    """Within the range that is taken: the same numbers for a value head a million times as large."""

    def louder(agent: Agent) -> None:
        agent.network.value.weight.mul_(2.0**20)
        agent.network.value.bias.mul_(2.0**20)

    config = replace(FAST, features="channels")
    plain, loud = (score(agent, bank, evidence, config) for agent in (load_agent(ZOO), changed(louder)))
    np.testing.assert_allclose(loud.features.of["kappa"], plain.features.of["kappa"], rtol=1e-4, atol=1e-5)


def test_too_few_channels_to_fit_on_are_told_before_the_masks(bank: FrameBank) -> None:
    agent = changed(three_channels)
    with pytest.raises(
        InputError, match="it: 4 nmf features were asked for, but only 3 channels of layer 2b carry any attribution"
    ):
        check_attribution("it", agent, bank, FAST)
    check_attribution("it", agent, bank, replace(FAST, features="channels"))


def test_a_network_whose_outputs_are_not_finite_is_refused_by_name(bank: FrameBank, tmp_path: Path) -> None:
    path = tmp_path / "loud.safetensors"
    save_agent(path, changed(times(1e8)))
    with pytest.raises(InputError, match=r"The policy of loud-[0-9a-f]{8} is not finite, whatever it is shown"):
        named_agents(str(path))
    with pytest.raises(InputError, match="The policy of the agent that plays is not finite"):
        Player(load_agent(path), 0)(bank.frames[:2])
    save_agent(tmp_path / "sound.safetensors", load_agent(ZOO))
    agents, unread = readable(tmp_path)
    assert list(agents) == ["sound"]
    assert unread == [f"The policy of {path} is not finite, whatever it is shown: its weights are too large."]


def test_an_attribution_that_is_not_finite_is_never_returned() -> None:
    agent = untrained_agent("compact", EnvOptions(), 0)
    frames = np.zeros((2, 64, 64, 3), dtype=np.uint8)
    with torch.no_grad():
        agent.network.value.bias.fill_(torch.inf)
    with pytest.raises(InputError, match="The value of this network is not finite"):
        attribute(agent.network, "2b", frames, steps=2)
    assert np.isfinite(attribute(agent.network, "2b", frames, "logit:0", steps=2).maps).all()
