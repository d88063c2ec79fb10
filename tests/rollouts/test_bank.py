"""Banks hold what was played, and come back from the disk unchanged."""

import zipfile
from dataclasses import fields, replace
from pathlib import Path

import numpy as np
import pytest
from numpy.typing import NDArray

from rollouts.bank import BankError, FrameBank, load, save
from rollouts.collecting import BankPlan, collect, collection_steps
from rollouts.env import EnvOptions, make_env, observe

PLAN = BankPlan("spread", environments=4, per_environment=3, interval=5, consecutive=True, pool_frames=64)
OPTIONS = EnvOptions(num_levels=20)


def policy(seed: int):  # type: ignore[no-untyped-def]
    generator = np.random.default_rng(seed)

    def act(frames: NDArray[np.uint8]) -> NDArray[np.int32]:
        return generator.integers(0, 15, len(frames), dtype=np.int32)

    return act


@pytest.fixture(scope="module")
def bank() -> FrameBank:
    return collect([("one", policy(0)), ("two", policy(1))], OPTIONS, PLAN, seed=0)


def test_frames_are_the_ones_played(bank: FrameBank) -> None:
    """Replay the first player's environments step by step."""
    act, env = policy(0), make_env(2, OPTIONS, seed=0)
    episode = np.zeros(2, dtype=int)
    rows = []
    for step in range(15):
        _, frames, _ = observe(env)
        level = [info["level_seed"] for info in env.get_info()]
        actions = act(frames)
        env.act(actions)
        reward, after, first = observe(env)
        if step % 5 == 4:
            rows.append((frames, after, actions, reward, level, episode.copy()))
        episode += first
    assert bank.environment.tolist() == [0, 0, 0, 1, 1, 1, 2, 2, 2, 3, 3, 3]
    assert bank.time.tolist() == [0, 1, 2] * 4
    assert bank.player.tolist() == [0] * 6 + [1] * 6
    for index in range(6):
        frames, after, actions, reward, level, _ = rows[index % 3]
        environment = index // 3
        assert np.array_equal(bank.frames[index], frames[environment])
        assert bank.next_frames is not None
        assert np.array_equal(bank.next_frames[index], after[environment])
        assert bank.actions[index] == actions[environment]
        assert bank.rewards[index] == reward[environment]
        assert bank.level[index] == level[environment]


def test_states_draw_their_frames(bank: FrameBank) -> None:
    env = make_env(1, EnvOptions(), seed=9)
    assert bank.next_states is not None
    assert bank.next_frames is not None
    for states, frames in ((bank.states, bank.frames), (bank.next_states, bank.next_frames)):
        for state, frame in zip(states, frames, strict=True):
            env.callmethod("set_state", [state])
            assert np.array_equal(observe(env)[1][0], frame)


def test_episodes_are_unique_in_the_bank() -> None:
    long = replace(PLAN, interval=400, per_environment=4, pool_frames=0)
    bank = collect([("one", policy(0)), ("two", policy(1))], OPTIONS, long, seed=0)
    assert len(np.unique(bank.episode)) > 4
    for episode in np.unique(bank.episode):
        assert len(np.unique(bank.environment[bank.episode == episode])) == 1
        assert len(np.unique(bank.level[bank.episode == episode])) == 1


def test_round_trip(bank: FrameBank, tmp_path: Path) -> None:
    save(tmp_path / "bank.zip", bank)
    loaded = load(tmp_path / "bank.zip", frames=12)
    for field in fields(FrameBank):
        ours, theirs = getattr(bank, field.name), getattr(loaded, field.name)
        assert np.array_equal(ours, theirs) if isinstance(ours, np.ndarray) else ours == theirs
    assert loaded.pool.shape == (64, 64, 64, 3)
    assert len(np.unique(loaded.pool_environment)) == 64


def test_the_same_seed_gives_the_same_bank_and_progress_ends_at_the_total() -> None:
    increments: list[int] = []

    def progress(more: int, note: str = "") -> None:
        increments.append(more)

    banks = [collect([("one", policy(0))], OPTIONS, PLAN, seed=3, progress=progress) for _ in range(2)]
    assert banks[0].states == banks[1].states
    assert sum(increments) == 2 * collection_steps(PLAN), "both banks told all their steps"


def test_bad_banks_are_refused(bank: FrameBank, tmp_path: Path) -> None:
    path = tmp_path / "bank.zip"
    with pytest.raises(BankError, match="no bank at"):
        load(path)
    save(path, bank)
    with pytest.raises(BankError, match="has 12 frames, 512 were asked for"):
        load(path, frames=512)
    whole = path.read_bytes()
    for keep in (0, 100, len(whole) // 2, len(whole) - 30):
        path.write_bytes(whole[:keep])
        with pytest.raises(BankError, match="not a complete bank"):
            load(path)
    with zipfile.ZipFile(path, "w", zipfile.ZIP_LZMA) as archive:
        archive.writestr("metadata.json", '{"format": "something-else"}')
    with pytest.raises(BankError, match="holds 'something-else', not a bank"):
        load(path)


def test_a_bank_of_other_options_or_another_renderer_is_refused(bank: FrameBank) -> None:
    bank.check_options(EnvOptions(num_levels=5), "the agent")
    bank.check_renderer()
    with pytest.raises(BankError, match=r"hard, velocity painted, but the agent was trained on easy"):
        bank.check_options(EnvOptions("easy"), "the agent")
    with pytest.raises(BankError, match="not painted"):
        bank.check_options(EnvOptions(paint_velocity=False), "the agent")
    with pytest.raises(BankError, match="drawn by renderer abc"):
        replace(bank, renderer="abc").check_renderer()


def test_environments_are_shared_out_as_evenly_as_can_be() -> None:
    bank = collect([(str(i), policy(i)) for i in range(3)], OPTIONS, PLAN, seed=0)
    players = [np.unique(bank.player[bank.environment == e]).tolist() for e in range(4)]
    assert players == [[0], [0], [1], [2]]
    assert len(bank.pool) == 64
    assert np.bincount(bank.pool_environment).tolist() == [1] * 64
    with pytest.raises(BankError, match="4 environments cannot be shared out among 5 agents"):
        collect([(str(i), policy(i)) for i in range(5)], OPTIONS, PLAN, seed=0)
