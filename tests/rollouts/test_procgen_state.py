"""The part of the state that procgen's games share is read from any of them, and put together again."""

import struct

import numpy as np
import pytest
from procgen import ProcgenGym3Env

from rollouts.procgen_state import END_OF_BUFFER, StateError, assemble, layout, read

MARK = layout(("i4", "end_of_buffer"))
"""The least that a game's own part can be."""


def state_of(game: str) -> bytes:
    data = ProcgenGym3Env(num=1, env_name=game, rand_seed=0).callmethod("get_state")[0]
    assert isinstance(data, bytes)
    return data


def own_part(data: bytes, game: str) -> tuple[int, np.dtype[np.void]]:
    """Where the game's own part begins, and a layout for it."""
    with pytest.raises(StateError, match=r"more than its content\.$") as error:
        read(data, game, MARK)
    words = int(str(error.value).split()[-5]) // 4 + 1
    return len(data) - 4 * words, layout(("i4", " ".join(f"word{number}" for number in range(words))))


@pytest.mark.parametrize("game", ["coinrun", "maze", "starpilot", "fruitbot", "climber", "ninja"])
def test_what_games_share_is_read_and_the_bytes_come_back(game: str) -> None:
    data = state_of(game)
    _, own = own_part(data, game)
    state = read(data, game, own)
    assert assemble(state) == data
    assert state.own.item()[-1] == END_OF_BUFFER
    assert state.episode["cur_time"] == 0
    assert state.game["use_backgrounds"] == 1
    assert state.grid.shape == (state.view["grid_height"], state.view["grid_width"])
    assert state.agent["type"] == 0
    assert np.isfinite(state.agent["x"])


def test_bytes_that_are_no_state_are_refused() -> None:
    data = state_of("coinrun")
    with pytest.raises(StateError, match=r"^The state ends inside the version: 3 bytes are too few\.$"):
        read(data[:3], "coinrun", MARK)
    with pytest.raises(StateError, match=r"^The state has version 7; this codec reads version 0\.$"):
        read(struct.pack("<i", 7) + data[4:], "coinrun", MARK)
    with pytest.raises(StateError, match=r"^The state is of the game 'coinrun', not of maze\.$"):
        read(data, "maze", MARK)
    with pytest.raises(StateError, match=r"^The state is of the game '\?', not of coinrun\.$"):
        read(data[:4] + struct.pack("<i", 2**30) + data[8:], "coinrun", MARK)
    cut, own = own_part(data, "coinrun")
    with pytest.raises(StateError, match=r"^The state ends inside the grid"):
        read(data[: cut - 4], "coinrun", own)
    with pytest.raises(StateError, match=r"^The state ends inside the game's own fields"):
        read(data[:-1], "coinrun", own)


def test_counts_that_cannot_be_are_refused() -> None:
    data = state_of("coinrun")
    _, own = own_part(data, "coinrun")
    entities = read(data, "coinrun", own).entities
    before = data.index(entities.tobytes())
    assert struct.unpack("<i", data[before - 4 : before]) == (len(entities),)
    for count in (-1, 0, 4_001):
        with pytest.raises(StateError, match=f"^The state has {count} entities; there is always the player"):
            read(data[: before - 4] + struct.pack("<i", count) + data[before:], "coinrun", own)
    for width, height, cells in ((64, 64, 4095), (0, 64, 0), (-64, -64, 4096), (128, 64, 8192)):
        state = read(data, "coinrun", own)
        state.view["grid_width"], state.view["grid_height"], state.view["grid_cells"] = width, height, cells
        with pytest.raises(StateError, match=f"^The grid is said to be {width} x {height} cells and to have {cells}"):
            read(assemble(state), "coinrun", own)
    state = read(data, "coinrun", own)
    state.rand_gen.text = b"1 " * 4000
    with pytest.raises(StateError, match=r"^rand_gen is said to be 8000 characters long, which no generator is\.$"):
        read(assemble(state), "coinrun", own)
