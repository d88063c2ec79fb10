"""Imitation against numbers worked out another way, and its place in a training that may stop anywhere."""

import os
from dataclasses import asdict, replace
from pathlib import Path

import numpy as np
import pytest
import torch
from scipy.special import rel_entr, softmax

from agents.checkpoint import Agent, fingerprint, load_agent, save_agent, untrained_agent
from agents.computation import Computation
from agents.distillation import DistillationConfig, Distiller, action_map, imitation_losses
from agents.openai import ACTIONS as PUBLISHED_ACTIONS
from agents.openai import import_agent
from agents.ppo import Learner, PPOConfig
from agents.recipe import TrainConfig
from agents.states import STATE, read_state, write_state
from agents.tensors import CheckpointError, load_tensors, save_tensors
from agents.trainer import Trainer
from agents.training import train
from rollouts.coinrun.table import COINRUN
from rollouts.env import PROCGEN_ACTIONS, EnvOptions
from rollouts.errors import InputError
from test_training import SMALL, stopped_after, weights

BATCH = SMALL.ppo.batch_size
DISTINCT_ACTIONS = COINRUN.actions


def save_teacher(path: Path, seed: int = 5, options: EnvOptions | None = None) -> Path:
    """An untrained `clear` agent that prefers RIGHT and expects 3, with the actions of a published one."""
    agent = untrained_agent("clear", options or EnvOptions(), seed, PUBLISHED_ACTIONS)
    with torch.no_grad():
        agent.network.policy.bias[1] = 2.0
        agent.network.value.bias.fill_(3.0)
    save_agent(path, agent)
    return path


@pytest.fixture
def teacher(tmp_path: Path) -> Path:
    return save_teacher(tmp_path / "teacher.safetensors")


def imitating(teacher: Path, steps: int, **changes: object) -> TrainConfig:
    config = replace(SMALL, actions="distinct", distillation=DistillationConfig(str(teacher), steps, 2, 64))
    return replace(config, **changes)  # type: ignore[arg-type]


def random_frames(*shape: int, seed: int = 0) -> torch.Tensor:
    generator = torch.Generator().manual_seed(seed)
    return torch.randint(0, 256, (*shape, 64, 64, 3), dtype=torch.uint8, generator=generator)


def test_equal_actions_of_the_teacher_add_up_and_missing_ones_get_nothing() -> None:
    """The published agent has no-op in logits 0, 7 and 8, and lacks procgen's actions 0 and 6."""
    probabilities = torch.tensor([0.05, 0.3, 0.1, 0.2, 0.05, 0.1, 0.05, 0.07, 0.08])
    found = probabilities @ action_map(PUBLISHED_ACTIONS, DISTINCT_ACTIONS, COINRUN)
    expected = [0, 0.1, 0.1, 0.05, 0.05 + 0.07 + 0.08, 0.2, 0, 0.3, 0.05]
    np.testing.assert_allclose(found.numpy(), expected, atol=1e-7)


def test_actions_without_effect_stand_for_no_op_where_the_student_has_no_logit_for_them() -> None:
    found = torch.full((15,), 1 / 15) @ action_map(PROCGEN_ACTIONS, DISTINCT_ACTIONS, COINRUN)
    np.testing.assert_allclose(found.numpy(), np.array([1, 1, 1, 1, 7, 1, 1, 1, 1]) / 15, atol=1e-7)
    assert torch.equal(action_map(PROCGEN_ACTIONS, PROCGEN_ACTIONS, COINRUN), torch.eye(15))


def test_an_action_that_the_student_lacks_is_refused() -> None:
    with pytest.raises(InputError, match="takes procgen's action 7"):
        action_map(PUBLISHED_ACTIONS, (4, 1), COINRUN)


def test_losses_are_those_of_scipy_zeros_included() -> None:
    generator = np.random.default_rng(0)
    probabilities = softmax(generator.normal(size=(20, 9)), axis=1)
    probabilities[:, [0, 6]] = 0
    probabilities /= probabilities.sum(axis=1, keepdims=True)
    logits, values, targets = generator.normal(size=(20, 9)), generator.normal(size=20), generator.normal(size=20)
    found = imitation_losses(*map(torch.from_numpy, (logits, values, probabilities, targets)))
    student = softmax(logits, axis=1)
    assert float(found.policy_kl) == pytest.approx(rel_entr(probabilities, student).sum())
    assert float(found.value) == pytest.approx(((values - targets) ** 2).sum() / 2)
    assert float(found.entropy) == pytest.approx(-(student * np.log(student)).sum())


def test_the_gradient_is_student_minus_teacher_and_nothing_when_they_agree() -> None:
    """d KL(p || softmax z) / dz = softmax z - p, finite where the teacher's probability is 0."""
    probabilities = torch.tensor([[0.5, 0.5, 0.0], [1.0, 0.0, 0.0]], dtype=torch.float64)
    logits = torch.tensor([[0.2, -1.0, 3.0], [40.0, -40.0, 0.0]], dtype=torch.float64, requires_grad=True)
    zeros = torch.zeros(2, dtype=torch.float64)
    loss = imitation_losses(logits, zeros, probabilities, zeros)
    (gradient,) = torch.autograd.grad(loss.policy_kl, logits)
    torch.testing.assert_close(gradient, logits.detach().softmax(-1) - probabilities)
    assert float(gradient[1].abs().max()) < 1e-15
    agreeing = imitation_losses(logits.detach()[1:], zeros[1:], probabilities[1:], zeros[1:])
    assert float(agreeing.policy_kl) < 1e-15


def test_labels_are_the_teachers_own_probabilities_action_by_action(teacher: Path) -> None:
    learner = Learner(untrained_agent("compact", EnvOptions(), 0, DISTINCT_ACTIONS).network, PPOConfig(), Computation())
    distiller = Distiller(DistillationConfig(str(teacher), 1, 1, 4), learner, EnvOptions(), DISTINCT_ACTIONS)
    frames = random_frames(10)
    probabilities, values = distiller.label(frames)
    agent = load_agent(teacher)
    for frame, found, value in zip(frames, probabilities, values, strict=True):
        with torch.no_grad():
            logits, expected = agent.network(frame[None])
        shares = dict.fromkeys(DISTINCT_ACTIONS, 0.0)
        for action, share in zip(agent.actions, logits[0].softmax(-1).tolist(), strict=True):
            shares[action] += share
        np.testing.assert_allclose(found.numpy(), list(shares.values()), atol=1e-6)
        assert float(value) == pytest.approx(float(expected), abs=1e-5)


def test_one_update_is_one_step_of_adam_on_the_mean_loss(teacher: Path) -> None:
    """One minibatch, worked out with torch's own KL divergence and mean square; gradients are clipped at norm 0.5."""
    student = untrained_agent("compact", EnvOptions(), 0, DISTINCT_ACTIONS)
    copy = untrained_agent("compact", EnvOptions(), 0, DISTINCT_ACTIONS)
    config = PPOConfig(learning_rate=1e-3, value_coef=0.7)
    learner = Learner(student.network, config, Computation(slice_size=8))
    distiller = Distiller(DistillationConfig(str(teacher), 1, 1, 32), learner, EnvOptions(), DISTINCT_ACTIONS)
    frames = random_frames(8, 4)
    found = distiller.update(frames, 0.25, torch.Generator().manual_seed(0))

    probabilities, values = distiller.label(frames.flatten(0, 1))
    logits, predicted = copy.network(frames.flatten(0, 1))
    kl = torch.nn.functional.kl_div(logits.log_softmax(-1), probabilities, reduction="batchmean")
    square = torch.nn.functional.mse_loss(predicted, 0.25 * values)
    (kl + 0.7 * square / 2).backward()
    norm = torch.nn.utils.clip_grad_norm_(copy.network.parameters(), 0.5)
    torch.optim.Adam(copy.network.parameters(), lr=1e-3, eps=1e-5).step()
    for ours, theirs in zip(student.network.parameters(), copy.network.parameters(), strict=True):
        torch.testing.assert_close(ours, theirs, atol=2e-5, rtol=0)
    assert found["policy_kl"] == pytest.approx(kl.item(), rel=1e-5)
    assert found["value_loss"] == pytest.approx(square.item() / 2, rel=1e-5)
    assert found["gradient_norm"] == pytest.approx(norm.item(), rel=1e-3)
    unexplained = square.item() / np.var(0.25 * values.numpy())
    assert found["teacher_value_r2"] == pytest.approx(1 - unexplained, rel=1e-3)
    entropy = -(probabilities * probabilities.clamp_min(1e-30).log()).sum(-1).mean().item()
    assert found["teacher_entropy"] == pytest.approx(entropy, rel=1e-5)


def test_the_first_update_begins_at_the_mean_of_the_teachers_values(teacher: Path) -> None:
    """With hardly a learning rate nothing else moves."""
    student = untrained_agent("compact", EnvOptions(), 0, DISTINCT_ACTIONS)
    learner = Learner(student.network, PPOConfig(learning_rate=1e-30), Computation())
    distiller = Distiller(DistillationConfig(str(teacher), 1), learner, EnvOptions(), DISTINCT_ACTIONS)
    before = {name: weight.clone() for name, weight in student.network.state_dict().items()}
    frames = random_frames(8, 4)
    distiller.update(frames, 0.5, torch.Generator(), begin=True)
    mean = distiller.label(frames.flatten(0, 1))[1].mean().item()
    assert mean == pytest.approx(3, abs=0.5)
    before["value.bias"] = torch.tensor([0.5 * mean])
    for name, weight in student.network.state_dict().items():
        torch.testing.assert_close(weight, before[name], msg=name)


def test_each_part_has_its_learning_rate_and_both_fall(teacher: Path) -> None:
    ppo = replace(SMALL.ppo, learning_rate=2e-4, decay_start=BATCH // 4)
    trainer = Trainer(imitating(teacher, 2 * BATCH, ppo=ppo))
    rates = []
    for _ in range(3):
        trainer.step()
        rates.append(trainer.learner.optimiser.param_groups[0]["lr"])
    assert rates == pytest.approx([1e-3, 1e-3 / 2, 2e-4 / 8**0.5])


def test_the_student_comes_to_do_and_expect_what_the_teacher_does(teacher: Path) -> None:
    trainer = Trainer(imitating(teacher, 12 * BATCH, total_steps=12 * BATCH))
    scalars = [trainer.step().scalars for _ in range(12)]
    assert scalars[-1]["policy_kl"] < 0.1 * scalars[0]["policy_kl"]
    assert scalars[-1]["value_loss"] < 0.1 * scalars[0]["value_loss"]


def test_a_run_stopped_in_either_part_ends_with_the_same_weights(teacher: Path, tmp_path: Path) -> None:
    """Two updates imitate, two are PPO's; a stop after each. The teacher's file goes when its part is over."""
    computation = Computation(bfloat16=True, slice_size=64)
    config = imitating(teacher, 2 * BATCH, deterministic=True, computation=computation)
    train(config, tmp_path / "whole")
    for part in range(3):
        if part == 2:
            teacher.unlink()
        assert train(config, tmp_path / "parts", **stopped_after(1)) is None
    agent = train(config, tmp_path / "parts")
    assert agent is not None
    assert torch.equal(weights(tmp_path / "whole/agent.safetensors"), weights(tmp_path / "parts/agent.safetensors"))
    whole = load_agent(tmp_path / "whole/agent.safetensors")
    assert whole.training == agent.training
    assert whole.training["distillation"]["steps"] == 2 * BATCH


def test_the_cost_of_both_parts_by_hand(teacher: Path) -> None:
    """Multiply-adds of `compact` with nine actions and of `clear` with nine, two operations each."""
    first = 32 * 32 * 16 * 3 * 25
    rest = 16 * 16 * 32 * 16 * 25 + 16 * 16 * 32 * 32 * 9 + 8 * 8 * 32 * 32 * 9 + 512 * 256 + 256 * 10
    acting, learning = 2 * (first + rest), 2 * (2 * first + 3 * rest)
    clear = 64 * 64 * 16 * 3 * 49 + 32 * 32 * 32 * 16 * 25 + (32 * 32 + 16 * 16 + 8 * 8) * 32 * 32 * 25
    labelling = 2 * (clear + 512 * 256 + 256 * 512 + 512 * 10)
    trainer = Trainer(imitating(teacher, BATCH))
    trainer.step()
    assert trainer.agent.training["flops"] == BATCH * (acting + labelling + 2 * learning)
    trainer.step()
    assert trainer.agent.training["flops"] == BATCH * (2 * acting + labelling + (2 + 3) * learning)


def test_the_first_update_of_ppo_follows_the_last_of_the_teacher(teacher: Path) -> None:
    trainer = Trainer(imitating(teacher, 300))
    names = [set(trainer.step().scalars) for _ in range(3)]
    assert ["policy_kl" in each for each in names] == [True, True, False], "300 steps are two rollouts of 256"
    assert ["approx_kl" in each for each in names] == [False, False, True]
    moments = trainer.learner.optimiser.state_dict()["state"][0]
    assert float(moments["step"]) == 2 * 2 * 4 + 3 * 2, "minibatches of 64 in two epochs, of 128 in three"


def begun(config: TrainConfig, folder: Path, updates: int) -> Path:
    trainer = Trainer(config)
    for _ in range(updates):
        trainer.step()
    folder.mkdir(exist_ok=True)
    write_state(folder / STATE, trainer)
    return folder / STATE


@pytest.mark.parametrize(
    ("steps", "updates"), [(3 * BATCH, 2), (2 * BATCH, 2), (2 * BATCH - 1, 2)], ids=["further", "as far", "rounded"]
)
def test_the_teachers_part_may_be_made_longer_or_end_now(
    teacher: Path, tmp_path: Path, steps: int, updates: int
) -> None:
    """What was done is the same: this is how PPO goes on from a training that was to imitate for longer."""
    state = begun(imitating(teacher, 10 * BATCH), tmp_path, updates)
    trainer = Trainer(imitating(teacher, steps))
    read_state(state, trainer)
    assert ("policy_kl" in trainer.step().scalars) == (steps > 2 * BATCH)


@pytest.mark.parametrize("steps", [0, BATCH])
def test_the_teachers_part_cannot_have_been_shorter(teacher: Path, tmp_path: Path, steps: int) -> None:
    state = begun(imitating(teacher, 10 * BATCH), tmp_path, 2)
    config = imitating(teacher, BATCH) if steps else replace(SMALL, actions="distinct")
    sentence = f"imitated a teacher in 512 of its 512 steps; with distillation.steps = {steps} it would be {steps}"
    with pytest.raises(CheckpointError, match=sentence):
        read_state(state, Trainer(config))


def test_a_training_without_a_teacher_cannot_have_had_one(teacher: Path, tmp_path: Path) -> None:
    state = begun(replace(SMALL, actions="distinct"), tmp_path, 2)
    with pytest.raises(CheckpointError, match=r"imitated a teacher in 0 of its 512 steps; .* it would be 256"):
        read_state(state, Trainer(imitating(teacher, BATCH)))


def test_another_teacher_other_settings_and_a_missing_one_are_refused(teacher: Path, tmp_path: Path) -> None:
    config = imitating(teacher, 10 * BATCH)
    state = begun(config, tmp_path, 1)
    other = save_teacher(tmp_path / "other.safetensors", seed=6)
    with pytest.raises(
        CheckpointError, match=rf"imitated the teacher {fingerprint(load_agent(teacher))[:12]}; .*other"
    ):
        read_state(state, Trainer(imitating(other, 10 * BATCH)))
    changed = replace(config, distillation=replace(config.distillation, learning_rate=0.1))
    with pytest.raises(
        CheckpointError, match=r"trained with distillation.learning_rate = 0.001; it cannot go on with 0.1"
    ):
        read_state(state, Trainer(changed))
    teacher.unlink()
    for attempt in (lambda: read_state(state, Trainer(config)), Trainer(config).step):
        with pytest.raises(CheckpointError, match=r"There is no teacher at .*teacher\.safetensors"):
            attempt()


def test_a_teacher_that_sees_other_pictures_is_refused(tmp_path: Path) -> None:
    easy = save_teacher(tmp_path / "easy.safetensors", options=EnvOptions("easy"))
    with pytest.raises(CheckpointError, match=r"sees frames of EnvOptions\(distribution_mode='easy'"):
        Trainer(imitating(easy, BATCH)).step()


def test_states_of_before_there_were_teachers_go_on(tmp_path: Path) -> None:
    """They lack the cost, the teacher, the decay and the action set."""
    tensors, metadata = load_tensors(begun(SMALL, tmp_path, 2))
    cost = metadata.pop("flops")
    del metadata["distillation"], metadata["fixed"]["actions"], metadata["fixed"]["ppo"]["decay_start"]
    save_tensors(tmp_path / "old.safetensors", tensors, metadata)
    trainer = Trainer(SMALL)
    read_state(tmp_path / "old.safetensors", trainer)
    assert trainer.agent.training["flops"] == cost
    again = Trainer(SMALL)
    read_state(tmp_path / STATE, again)
    trainer.step()
    again.step()
    for ours, theirs in zip(trainer.agent.network.parameters(), again.agent.network.parameters(), strict=True):
        assert torch.equal(ours, theirs)


@pytest.mark.parametrize(
    ("settings", "sentence"),
    [
        ({"steps": 5}, "give both, or neither"),
        ({"teacher": "a.safetensors"}, "give both, or neither"),
        ({"steps": -1}, "distillation.steps is -1"),
        ({"epochs": 0}, "distillation.epochs is 0"),
        ({"minibatch": 0}, "distillation.minibatch is 0"),
    ],
)
def test_settings_that_cannot_be_are_refused(settings: dict[str, object], sentence: str) -> None:
    with pytest.raises(InputError, match=sentence):
        DistillationConfig(**settings)  # type: ignore[arg-type]


def test_minibatches_must_divide_a_rollout(teacher: Path) -> None:
    with pytest.raises(InputError, match="do not divide into minibatches of 100"):
        replace(SMALL, distillation=DistillationConfig(str(teacher), 5, minibatch=100))


def published() -> Agent:
    folder = os.environ.get("COINRUN_PARITY_DATA")
    if not folder or not (Path(folder) / "coinrun.jd").exists():
        pytest.skip("COINRUN_PARITY_DATA does not name a folder with the published agent (coinrun.jd, clips/)")
    return import_agent(Path(folder) / "coinrun.jd")


def test_the_published_agent_labels_frames_as_openais_code_did(tmp_path: Path) -> None:
    save_agent(tmp_path / "openai.safetensors", published())
    recorded = np.load(Path(os.environ["COINRUN_PARITY_DATA"]) / "clips/bug_coin.npz")
    learner = Learner(untrained_agent("compact", EnvOptions(), 0, DISTINCT_ACTIONS).network, PPOConfig(), Computation())
    config = DistillationConfig(str(tmp_path / "openai.safetensors"), 1)
    distiller = Distiller(config, learner, EnvOptions(), DISTINCT_ACTIONS)
    probabilities, values = distiller.label(torch.from_numpy(recorded["observations"]))
    shares = softmax(recorded["policy_logits"], axis=1)
    np.testing.assert_allclose(values.numpy(), recorded["values"], atol=0.005)
    np.testing.assert_allclose(probabilities[:, 7].numpy(), shares[:, 1], atol=0.01)
    np.testing.assert_allclose(probabilities[:, 4].numpy(), shares[:, [0, 7, 8]].sum(axis=1), atol=0.01)
    assert distiller.record(3) == {**asdict(config), "teacher": distiller.fingerprint, "steps": 3}
