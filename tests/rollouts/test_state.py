"""The codec gives back every byte, and refuses what would abort the process."""

import json
import os
import struct
import subprocess
import sys
import time
from pathlib import Path

import numpy as np
import pytest
from procgen import ProcgenGym3Env

from rollouts import bank as banks
from rollouts.coinrun.state import CRATE, ENEMY, SAW, SPACE, TRAIL, check, parse, serialize
from rollouts.env import EnvOptions, make_env, observe
from rollouts.procgen_state import PLAYER, State, StateError
from scenes import HARD, empty_scene, played, put


@pytest.fixture(scope="module")
def data() -> bytes:
    return played(HARD, environments=8, every=40, samples=1, seed=3)[5][0]


def test_states_of_play_are_accepted_and_survive_unchanged() -> None:
    """Random play of both modes, and a bank that an agent played."""
    hard = played(HARD, environments=64, every=6, samples=32)
    easy = played(EnvOptions("easy", paint_velocity=False), environments=64, every=6, samples=32)
    bank = banks.load(Path(__file__).parents[1] / "data/9bebc94/bank.zip")
    states = [state for state, _ in hard + easy] + [*bank.states, *(bank.next_states or ())]
    assert len(states) >= 4096 + len(bank)
    for state in states:
        assert serialize(parse(state)) == state


def test_fields_say_what_the_game_does() -> None:
    """Walk to the right and watch the player; the level's number and the clock are the game's own."""
    env = make_env(1, EnvOptions(num_levels=5, start_level=11), seed=0)
    before = parse(env.callmethod("get_state")[0])
    assert before.episode["cur_time"] == 0
    assert (before.game["level_seed_low"], before.game["level_seed_high"]) == (11, 16)
    assert before.agent["x"] == pytest.approx(1.5)
    for _ in range(6):
        env.act(np.array([7], dtype=np.int32))
    after = parse(env.callmethod("get_state")[0])
    assert after.agent["x"] > before.agent["x"]
    assert after.episode["cur_time"] == 6
    assert after.world["action_vx"] == 1
    assert after.own["facing_right"] == 1
    assert after.episode["current_level_seed"] == env.get_info()[0]["level_seed"]
    assert (after.grid == 1).sum() == 1, "a level has one coin"
    assert (after.grid[:, 0] == 15).sum() >= 60, "the first column is the level's left wall"


def test_a_restored_state_goes_on_as_the_original_did(data: bytes) -> None:
    generator = np.random.default_rng(0)
    actions = generator.integers(0, 15, (60, 1), dtype=np.int32)
    runs = []
    for seed in (1, 2):
        env = make_env(1, HARD, seed)
        env.callmethod("set_state", [serialize(parse(data))])
        seen = []
        for action in actions:
            env.act(action)
            reward, frame, first = env.observe()
            seen.append((float(reward[0]), bool(first[0]), frame["rgb"].tobytes()))
        runs.append(seen)
    assert runs[0] == runs[1]


def test_a_copy_can_be_edited_alone(data: bytes) -> None:
    state = parse(data)
    edited = state.copy()
    edited.agent["x"] = 5
    edited.grid[3, 4] = SPACE
    edited.world["background_index"] = 7
    edited.rand_gen.text = b""
    assert serialize(state) == data
    assert parse(serialize(_with(state, "world", "background_index", 7))).world["background_index"] == 7


def _with(state: State, part: str, name: str, value: float, index: object = ...) -> State:
    changed = state.copy()
    getattr(changed, part)[name][index] = value
    return changed


def test_bytes_that_are_no_state(data: bytes) -> None:
    for keep in (0, 3, 4, 10, 100, 7000, len(data) // 2, len(data) - 1):
        with pytest.raises(StateError, match="ends inside"):
            parse(data[:keep])
    with pytest.raises(StateError, match=r"long, 4 more than its content"):
        parse(data + b"1234")
    with pytest.raises(StateError, match="version 1; this codec reads version 0"):
        parse(struct.pack("<i", 1) + data[4:])
    maze = ProcgenGym3Env(num=1, env_name="maze", rand_seed=0).callmethod("get_state")[0]
    with pytest.raises(StateError, match="of the game 'maze', not of coinrun"):
        parse(maze)


@pytest.mark.parametrize(
    ("part", "name", "value"),
    [
        ("game", "use_generated_assets", 1),
        ("game", "use_backgrounds", 2),
        ("game", "level_seed_low", -1),
        ("game", "grid_step", 1),
        ("episode", "is_waiting_for_step", 1),
        ("episode", "grid_size", 4095),
        ("episode", "reward", np.nan),
        ("world", "background_index", 62),
        ("world", "bg_pct_x", np.inf),
        ("world", "maxspeed", 0),
        ("world", "use_procgen_background", 1),
        ("view", "visibility", 0),
        ("view", "out_of_bounds_object", 42),
        ("view", "grid_width", 32),
        ("own", "wall_theme", 6),
        ("own", "end_of_buffer", 0),
        ("entities", "alpha", 1.5),
        ("entities", "x", np.nan),
        ("entities", "image_theme", 9),
        ("entities", "image_type", 99),
        ("entities", "type", 7),
        ("entities", "render_z", 3),
    ],
)
def test_values_that_cannot_be_drawn_are_refused(data: bytes, part: str, name: str, value: float) -> None:
    state = parse(data)
    with pytest.raises(StateError, match=name if part != "entities" else "entity|player|" + name):
        serialize(_with(state, part, name, value))


def test_entities_cells_and_generators_are_checked(data: bytes) -> None:
    state = parse(data)
    lonely = state.copy()
    lonely.entities = lonely.entities[lonely.entities["type"] != PLAYER]
    with pytest.raises(StateError, match="0 players"):
        serialize(lonely)
    twins = state.copy()
    twins.entities = np.concatenate([twins.entities, twins.entities[twins.entities["type"] == PLAYER]])
    with pytest.raises(StateError, match="2 players"):
        serialize(twins)
    strange = state.copy()
    strange.grid[10, 10] = 33
    with pytest.raises(StateError, match="holds 33"):
        serialize(strange)
    for text in (b"", b"1 2 3", state.rand_gen.text[:-4] + b" 999", b"9" * 10 + state.rand_gen.text[10:]):
        broken = state.copy()
        broken.rand_gen.text = text
        with pytest.raises(StateError, match="rand_gen is not the text"):
            serialize(broken)


def many(state: State, kind: int, count: int, spread: float = 0) -> State:
    """The state with more entities of a type, over the player."""
    crowded = state.copy()
    generator = np.random.default_rng(0)
    x, y = float(state.agent["x"]), float(state.agent["y"])
    for _ in range(count):
        put(crowded, kind, x + generator.uniform(-spread, spread), y + generator.uniform(-spread, spread))
    return crowded


def test_what_moves_something_has_a_range() -> None:
    scene = empty_scene()
    saw, enemy, trail = (put(scene, kind, 20, 20) for kind in (SAW, ENEMY, TRAIL))
    check(scene)
    for part, name, value, index, sentence in (
        ("entities", "grow_rate", 1e5, saw, "grow_rate of a saw is 100000; it must be 1."),
        ("entities", "grow_rate", 1.06, trail, "grow_rate of a trail is 1.06; it must be between 0 and 1.05."),
        ("entities", "rx", 1.2, enemy, "rx of an entity is 1.2; it must be between 0 and 1."),
        ("entities", "vx", 1e3, 0, "vx of the player is 1000; it must be between -5 and 5."),
        ("entities", "vy", 0.1, saw, "vy of a saw is 0.1; it must be 0."),
        ("entities", "friction", 1e6, enemy, "friction of an enemy is 1e+06; it must be between 0 and 1."),
        ("entities", "smart_step", 1, saw, "smart_step of a saw is 1; it must be 0."),
        ("entities", "expire_time", 9, enemy, "expire_time of an enemy is 9; it must be between -2.14748e+09 and 0."),
        ("entities", "life_time", 9, trail, "life_time of a trail is 9; it must be between 0 and 8."),
        ("entities", "vrot", np.nan, 0, "vrot of the player is nan; it must be 0."),
        ("world", "mixrate", 1e4, ..., "mixrate is 10000; it must be between 0 and 1."),
        ("world", "max_jump", 6, ..., "max_jump is 6; it must be between 0.001 and 5."),
        ("own", "air_control", 1e3, ..., "air_control is 1000; it must be between 0 and 1."),
        ("own", "gravity", -1, ..., "gravity is -1; it must be between 0 and 5."),
        ("episode", "timeout", 2**30, ..., "timeout is 1.07374e+09; it must be between 1 and 10000."),
        ("episode", "episodes_remaining", 7, ..., "episodes_remaining is 7; it must be 0."),
        ("game", "center_agent", 0, ..., "center_agent is 0; it must be 1."),
    ):
        with pytest.raises(StateError) as error:
            check(_with(scene, part, name, value, index))
        assert str(error.value) == sentence


def test_there_are_no_more_entities_than_a_step_has_time_for() -> None:
    scene = empty_scene()
    for kind, count, sentence in (
        (ENEMY, 65, "The state has an enemy 65 times; CoinRun has it at most 64 times."),
        (TRAIL, 65, "The state has a trail of one age 65 times; CoinRun has it at most 64 times."),
        (CRATE, 4, "The state has 4 crates at a place; CoinRun has at most 3."),
    ):
        check(many(scene, kind, count - 1))
        with pytest.raises(StateError) as error:
            check(many(scene, kind, count))
        assert str(error.value) == sentence
    apart = many(scene, CRATE, 64)
    crates = apart.entities[1:]
    crates["x"], crates["y"] = np.arange(64) % 8 * 2, np.arange(64) // 8 * 2
    check(apart)


def test_a_step_of_the_fullest_states_ends_at_once() -> None:
    """As many enemies as may be among as many crates as may be; of 48 crates in two heaps a step takes minutes."""
    env = make_env(1, HARD, 0)
    generator = np.random.default_rng(0)
    slowest = 0.0
    for _ in range(5):
        scene = many(many(empty_scene(), ENEMY, 64, 0.5), CRATE, 63)
        number, (dx, dy) = np.arange(63), generator.uniform(0, 1, 2)
        crates = scene.entities["type"] == CRATE
        scene.entities["x"][crates] = 31 + dx + number // 3 % 3 * 1.001
        scene.entities["y"][crates] = 29 + dy + number // 9 * 1.001
        scene.entities["vx"][scene.entities["type"] == ENEMY] = 1
        scene.agent["vx"], scene.agent["vy"] = 5, -5
        scene.own["last_agent_y"], scene.world["max_jump"] = 100, 5
        env.callmethod("set_state", [serialize(scene)])
        observe(env)
        began = time.perf_counter()
        env.act(np.array([4], dtype=np.int32))
        observe(env)
        slowest = max(slowest, time.perf_counter() - began)
    assert slowest < 5


def fuzz(seed: int, trials: int, seconds: float) -> tuple[int, int]:
    """How many mutations were refused and accepted, in a process of its own: procgen would take this one with it."""
    script = Path(__file__).parent / "fuzz_states.py"
    done = subprocess.run(
        [sys.executable, str(script), str(seed), str(trials)],
        capture_output=True,
        text=True,
        timeout=seconds,
        check=False,
        env={**os.environ, "PYTHONPATH": os.pathsep.join(sys.path)},
    )
    assert done.returncode == 0, f"It ended with {done.returncode} in trial {done.stderr[-1000:]}"
    report = json.loads(done.stdout)
    assert report["open_ended"] == [], "what comes after an accepted state is accepted"
    assert report["slowest"] < 5
    print(report)
    for refused, accepted in report["counts"].values():
        assert refused > 0
        assert accepted > trials / 200
    refused, accepted = np.sum(list(report["counts"].values()), axis=0)
    assert refused + accepted == trials
    return int(refused), int(accepted)


def test_mutated_states_are_refused_or_played_on_from() -> None:
    refused, accepted = fuzz(seed=0, trials=2000, seconds=180)
    assert min(refused, accepted) > 500


@pytest.mark.slow
def test_100_000_mutated_states_are_refused_or_played_on_from() -> None:
    refused, accepted = fuzz(seed=1, trials=100_000, seconds=3600)
    assert min(refused, accepted) > 25_000
