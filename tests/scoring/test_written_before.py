"""Files that commit 9bebc94 wrote, before records were typed and games had names: still read, the same numbers."""

import json
import lzma
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from agents.checkpoint import load_agent
from agents.ppo import PPOConfig
from agents.recipe import TrainConfig
from agents.states import STATE, read_state
from agents.tensors import CheckpointError
from agents.trainer import Trainer
from agents.training import train
from rollouts.bank import load
from rollouts.env import EnvOptions, renderer_sha256
from scoring.evidence import gather
from scoring.pipeline import score
from scoring.record import Record, read_record
from scoring.settings import ScoreConfig
from scoring.tables import feature_frame

ROOT = Path(__file__).parents[2]
DATA = ROOT / "tests/data/9bebc94"
AGENTS = [ROOT / "zoo/compact-hard-all.safetensors", *sorted((ROOT / "zoo/ladder").glob("*.safetensors"))]


def test_a_bank_scored_again_gives_the_old_record_and_table() -> None:
    bank = load(DATA / "bank.zip")
    assert bank.options.game == "coinrun"
    before = read_record(DATA / "scores.json")
    assert before.settings == ScoreConfig(version=1, features="channels", steps=2, bootstrap=50, permutations=50)
    if bank.renderer != renderer_sha256():
        pytest.skip("another build of the renderer draws other masks")
    result = score(load_agent(AGENTS[0]), bank, gather(bank), before.settings)
    now = result.record
    for name, of_class in before.classes.items():
        again = now.classes[name]
        assert (again.frames, again.episodes, again.eligible) == (of_class.frames, of_class.episodes, of_class.eligible)
        if of_class.target_drop is None:
            assert again.target_drop is None
        else:
            assert again.target_drop == pytest.approx(of_class.target_drop, rel=1e-2, abs=1e-4)
    assert now.agent.weights_sha256 == before.agent.weights_sha256
    assert now.headline.eligible == before.headline.eligible
    assert now.diagnostics.prevalence == pytest.approx(before.diagnostics.prevalence)
    assert now.diagnostics.orbay2020.rf_box.value == pytest.approx(before.diagnostics.orbay2020.rf_box.value, rel=2e-3)
    old, new = pd.read_parquet(DATA / "features.parquet"), feature_frame(result)
    assert [column for column in new.columns if column in old.columns] == list(old.columns)
    assert list(new["class"]) == list(old["class"])
    for column in ("energy", "kappa", "causal", "sign", "share"):
        # Processors round differently: by how much an energy may differ is left to the last digits.
        np.testing.assert_allclose(new[column], old[column], rtol=2e-3, atol=2e-4)


def test_a_record_goes_through_json_and_back() -> None:
    before = read_record(DATA / "scores.json")
    assert Record.from_json(json.loads(json.dumps(before.to_json()))) == before
    assert (before.identity, before.bank.sha256, before.precision) == (None, None, None), "it did not say"
    assert before.agent.options.game == "coinrun", "what was written before games had names is CoinRun"


def test_a_training_goes_on_from_an_old_state(tmp_path: Path) -> None:
    (tmp_path / STATE).write_bytes(lzma.decompress((DATA / "state.safetensors.xz").read_bytes()))
    config = TrainConfig(
        options=EnvOptions(num_levels=10),
        ppo=PPOConfig(num_envs=1, rollout_steps=8, minibatches=1),
        total_steps=24,
        evaluation_episodes=0,
    )
    if json.loads(_metadata(tmp_path / STATE))["renderer"] != renderer_sha256():
        pytest.skip("the state holds environments of another build of the renderer")
    with pytest.raises(CheckpointError, match="actions = all; it cannot go on with distinct"):
        train(TrainConfig(**{**vars(config), "actions": "distinct"}), tmp_path)
    trainer = Trainer(config)
    read_state(tmp_path / STATE, trainer)
    assert trainer.agent.steps == 16
    agent = train(config, tmp_path)
    assert agent is not None
    assert agent.steps == 24


def _metadata(path: Path) -> str:
    from safetensors import safe_open

    with safe_open(path, framework="pt") as file:
        return str(file.metadata()["metadata"])


@pytest.mark.parametrize("path", AGENTS, ids=lambda path: path.stem)
def test_an_old_agent_is_read_with_its_evaluation(path: Path) -> None:
    agent = load_agent(path)
    assert agent.options.game == "coinrun"
    assert agent.evaluation["unseen"].episodes in (512, 2048)
    low, high = agent.evaluation["unseen"].interval
    assert low < agent.evaluation["unseen"].completed < high
