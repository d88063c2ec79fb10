"""A game as data: its table hangs together, and says of CoinRun what docs/score-1.md does."""

import re
from collections import Counter
from pathlib import Path

import numpy as np
import pytest

from rollouts.coinrun.concepts import surface
from rollouts.coinrun.table import COINRUN
from rollouts.env import EnvOptions
from rollouts.errors import InputError
from rollouts.game import Game, Kind
from rollouts.games import GAMES, game_named
from rollouts.renderers import RENDERERS
from scenes import played

DEFINITION = (Path(__file__).parents[2] / "docs/score-1.md").read_text()


@pytest.mark.parametrize("game", GAMES.values(), ids=GAMES)
def test_every_kind_is_drawn_and_everything_drawn_is_of_a_kind(game: Game) -> None:
    assert {name for kind in game.kinds for name in kind.drawn} == set(game.drawn)
    assert len(set(game.drawn)) == len(game.drawn)
    for number, name in enumerate(game.drawn):
        drawn = np.zeros((len(game.drawn), 64, 64), dtype=bool)
        drawn[number, 20:30, 20:30] = True
        shown = game.kind_masks(drawn).any(axis=(1, 2))
        assert {kind.name for kind, some in zip(game.kinds, shown, strict=True) if some} == {
            kind.name for kind in game.kinds if name in kind.drawn
        }


@pytest.mark.parametrize("game", [COINRUN, COINRUN.with_concepts()], ids=["kinds", "concepts"])
def test_kinds_are_told_apart(game: Game) -> None:
    for values in zip(*((kind.name, kind.key, kind.words) for kind in game.kinds), strict=True):
        assert len(set(values)) == len(values)
    for kind in game.kinds:
        assert re.fullmatch("#[0-9a-f]{6}", kind.colour)
        assert re.fullmatch("[a-z]", kind.key)
        assert kind.sense in (-1, 0, 1)
        assert kind.removable or not kind.controlled, "what is not removed has no control of its removal"
    looks = [(kind.colour, kind.dash) for kind in game.kinds]
    assert len(set(looks)) == len(looks)


@pytest.mark.parametrize("game", GAMES.values(), ids=GAMES)
def test_a_game_can_be_played_and_drawn(game: Game) -> None:
    assert game_named(game.name) is game
    assert game.name in RENDERERS
    assert EnvOptions(game=game.name, distribution_mode=game.modes[0]).rules is game
    assert sorted(action for group in game.moves.values() for action in group) == list(range(15))
    for move, group in game.moves.items():
        assert sum(action in game.actions for action in group) == 1, f"one of the actions that differ does '{move}'"


def test_a_game_that_is_not_there() -> None:
    with pytest.raises(InputError, match=r"^game is 'tetris'; it can be coinrun\.$"):
        game_named("tetris")


def test_coinruns_kinds_are_those_of_the_score() -> None:
    (listed,) = re.findall(r"^Classes: (.*?)\.", DEFINITION, flags=re.MULTILINE)
    assert list(COINRUN.named("headline")) == re.sub(r" \(with its trail\)", "", listed).split(", ")
    assert COINRUN.kind("enemy").drawn == ("enemy", "trail")
    assert COINRUN.named("removable") == ("coin", "saw", "enemy", "crate", "lava", "agent")
    assert COINRUN.named("controlled") == ("coin", "saw", "enemy", "crate", "lava")
    assert COINRUN.completed_return == 10


def test_coinruns_senses_are_those_of_the_score() -> None:
    (row,) = re.findall(r"^\| sign \| (.*) \|$", DEFINITION, flags=re.MULTILINE)
    positive, negative, either = (part.strip() for part in row.split(";"))
    assert (positive.split()[1], negative.split()[-2], r"\|s\|" in either) == ("≥", "≤", True)
    senses = {
        **dict.fromkeys(re.findall("[a-z]{3,}", positive), 1),
        **dict.fromkeys(re.findall("[a-z]{3,}", negative), -1),
    }
    assert senses == {"coin": 1, "saw": -1, "enemy": -1, "lava": -1}
    assert {name: int(sense) for name, sense in zip(COINRUN.names, COINRUN.senses, strict=True) if sense} == senses


def test_every_concept_has_its_region_and_parts_lie_within_what_they_are_of() -> None:
    game, renderer = COINRUN.with_concepts(), RENDERERS["coinrun"]()
    shown = np.zeros(len(game.kinds), dtype=int)
    for data, _ in played(EnvOptions(), 8, every=15, samples=12, seed=2):
        state = renderer.parse(data)
        visible = renderer.masks(state)
        masks = dict(zip(game.names, game.kind_masks(visible.drawn, renderer.regions(state, visible)), strict=True))
        shown += [mask.any() for mask in masks.values()]
        wall = visible.drawn[COINRUN.drawn.index("wall")]
        for kind in game.kinds:
            if kind.drawn == ("wall",):
                assert not (masks[kind.name] & ~wall).any()
        assert np.array_equal(masks["enemy_left"] | masks["enemy_right"], masks["enemy"])
        assert not (masks["enemy_left"] & masks["enemy_right"]).any()
        assert masks["screen_edge"].sum() == 64 * 64 - 60 * 60
    assert {name for name, frames in zip(game.names, shown, strict=True) if not frames} <= {"lava"}


def test_enemies_walk_where_they_look() -> None:
    """But in the step in which they turn."""
    renderer, agree = RENDERERS["coinrun"](), Counter[tuple[str, bool]]()
    for data, _ in played(EnvOptions(), 8, every=10, samples=30, seed=3):
        state = renderer.parse(data)
        visible = renderer.masks(state)
        regions = renderer.regions(state, visible)
        for thing in visible.objects:
            if thing.drawn == "enemy":
                side = "enemy_left" if state.entities["vx"][thing.place] < 0 else "enemy_right"
                agree[side, bool(regions[side][thing.mask].all())] += 1
    assert {side for side, _ in agree} == {"enemy_left", "enemy_right"}
    assert agree["enemy_left", False] + agree["enemy_right", False] <= 0.05 * agree.total()


def test_a_game_without_concepts_says_so() -> None:
    with pytest.raises(InputError, match="Toy has no concepts: score it with version 1"):
        TOY.with_concepts()


TOY = Game(
    name="toy",
    title="Toy",
    modes=("easy",),
    actions=(0,),
    moves={"nothing": (0,)},
    completed_return=1,
    completed_words="is done",
    most_steps=100,
    hazards=(),
    drawn=("cat", "tail", "clock", "ground"),
    kinds=(
        Kind("cat", "#000000", "cat", "c", sense=1, made_of=("cat", "tail")),
        Kind("clock", "#111111", "clock", "k", headline=False, display=True),
        Kind("top", "#222222", "top", "t", made_of=("ground",), part=surface),
        Kind("ground", "#333333", "ground", "g", sense=-1, removable=False, controlled=False),
    ),
)


def test_masks_of_kinds_by_hand() -> None:
    drawn = np.zeros((2, 4, 64, 64), dtype=bool)
    drawn[0, 0, 5, 5] = drawn[0, 1, 5, 6] = drawn[1, 2, 0, :3] = True
    drawn[0, 3, 40:] = True
    kinds = TOY.kind_masks(drawn)
    assert kinds.shape == (2, 4, 64, 64)
    assert np.argwhere(kinds[0, 0]).tolist() == [[5, 5], [5, 6]]
    np.testing.assert_array_equal(kinds[:, 1], drawn[:, 2])
    np.testing.assert_array_equal(kinds[0, 2], surface(drawn[0, 3]))
    assert 0 < kinds[0, 2].sum() < drawn[0, 3].sum()
    np.testing.assert_array_equal(kinds[:, 3], drawn[:, 3])
    assert np.count_nonzero(TOY.object_mask(drawn)[0]) == 2 + 24 * 64
    assert not TOY.object_mask(drawn)[1].any(), "a display is no object"
    np.testing.assert_array_equal(TOY.displays(kinds), drawn[:, 2])


def test_flags_and_senses_keep_the_kinds_order() -> None:
    assert TOY.named("headline") == ("cat", "top", "ground")
    assert TOY.flags("headline").tolist() == [True, False, True, True]
    assert TOY.flags("sense").tolist() == [True, False, False, True]
    assert TOY.senses.tolist() == [1, 0, 0, -1]
    assert (TOY.index("top"), TOY.kind("top").key) == (2, "t")
