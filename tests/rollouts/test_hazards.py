"""Causes of CoinRun's failures, on scenes made by hand."""

import numpy as np
import pytest

from rollouts.coinrun.hazards import CoinRunReplay, without_hazard
from rollouts.coinrun.state import COIN, ENEMY, LAVA, LAVA_TOP, SAW, WALL, serialize
from rollouts.coinrun.table import COINRUN
from rollouts.errors import InputError
from rollouts.procgen_state import State
from scenes import empty_scene, put

NOOP = 4


def deadly(*hazards: str) -> State:
    """The agent on a floor of walls, with these hazards where it stands, and one of each other kind out of reach."""
    scene = empty_scene()
    scene.grid[31] = WALL
    scene.agent["x"], scene.agent["y"] = 32.5, 32 + scene.agent["ry"]
    for kind, name in ((SAW, "saw"), (ENEMY, "enemy")):
        put(scene, kind, 32.5 if name in hazards else 35.5, 32.5)
    scene.grid[32, 32 if "lava" in hazards else 29] = LAVA_TOP
    scene.episode["cur_time"] = scene.episode["timeout"] - (1 if "time" in hazards else 2)
    return scene


@pytest.fixture(scope="module")
def replay() -> CoinRunReplay:
    return CoinRunReplay()


@pytest.mark.parametrize("hazard", COINRUN.hazards)
def test_a_scene_with_one_hazard(replay: CoinRunReplay, hazard: str) -> None:
    assert replay.cause(deadly(hazard), NOOP) == hazard


def test_several_hazards_none_and_a_coin(replay: CoinRunReplay) -> None:
    assert replay.cause(deadly("saw", "lava"), NOOP) == "several"
    assert replay.cause(deadly("enemy", "time"), NOOP) == "several"
    with pytest.raises(InputError, match="does not end with action 4"):
        replay.cause(deadly(), NOOP)
    with_coin = deadly()
    with_coin.grid[32, 32] = COIN
    assert replay.cause(with_coin, NOOP) == "unknown", "no hazard: the coin ends the episode whatever is taken away"
    deep = deadly("lava")
    deep.grid[32, 32] = LAVA
    assert replay.cause(deep, NOOP) == "lava", "the surface of lava and what is below both count"


def test_taking_a_hazard_away_leaves_the_rest() -> None:
    scene = deadly("saw")
    before = serialize(scene)
    assert set(without_hazard(scene, "saw").entities["type"]) == {0, ENEMY}
    assert set(without_hazard(scene, "enemy").entities["type"]) == {0, SAW}
    assert set(np.unique(without_hazard(scene, "lava").grid)) == {WALL, 100}
    assert without_hazard(scene, "time").episode["cur_time"] == 0
    assert serialize(scene) == before
    with pytest.raises(InputError, match="no hazard 'coin'; there are saw, enemy, lava, time"):
        without_hazard(scene, "coin")
