"""What is one layout, and how many unseen levels have one that was trained on."""

from collections import Counter
from dataclasses import replace

import numpy as np
import pytest

from rollouts.coinrun.layouts import KNOWN, layout, picture
from rollouts.coinrun.state import CRATE, SAW, parse
from rollouts.env import FIRST_UNSEEN_LEVEL, LAST_LEVEL, EnvOptions, make_env
from rollouts.errors import InputError
from rollouts.layouts import MOST_LEVELS, NewLayouts, Starts, level_hashes, shares
from rollouts.procgen_state import State
from scenes import empty_scene, put

EASY, HARD = EnvOptions("easy"), EnvOptions("hard")


def begun(options: EnvOptions, level: int) -> State:
    """The state that an environment of this one level begins in."""
    env = make_env(1, replace(options, num_levels=1, start_level=level), seed=5)
    return parse(env.callmethod("get_state")[0])


@pytest.mark.parametrize("options", [EASY, HARD])
def test_levels_begin_as_in_an_environment_of_their_own(options: EnvOptions) -> None:
    levels = [0, 7, 123_456, FIRST_UNSEEN_LEVEL, LAST_LEVEL - 1]
    for level, data in zip(levels, Starts(options, num=2)(levels), strict=True):
        state, alone = parse(data), begun(options, level)
        assert state.episode["current_level_seed"] == alone.episode["current_level_seed"] == level
        for part in ("grid", "entities", "own"):
            assert (getattr(state, part) == getattr(alone, part)).all()
        assert state.world["background_index"] == alone.world["background_index"]
        assert (layout(state), picture(state)) == (layout(alone), picture(alone))


def scene(*things: tuple[int, float, float]) -> State:
    made = empty_scene()
    for thing in things:
        put(made, *thing)
    return made


def test_a_layout_is_where_things_are_and_a_picture_is_what_they_look_like() -> None:
    first = scene((SAW, 5, 6), (CRATE, 7, 8))
    other_order = scene((CRATE, 7, 8), (SAW, 5, 6))
    other_order.world["bg_pct_x"] = 0.123
    assert (layout(first), picture(first)) == (layout(other_order), picture(other_order))
    for part, name in (("own", "wall_theme"), ("world", "background_index"), ("entities", "image_theme")):
        themed = first.copy()
        getattr(themed, part)[name][...] += 1
        assert layout(themed) == layout(first)
        assert picture(themed) != picture(first)
    turned = first.copy()
    turned.entities["vx"] += 0.15
    walled = first.copy()
    walled.grid[3, 4] = 15
    for changed in (turned, walled, scene((SAW, 5, 7), (CRATE, 7, 8)), scene((SAW, 5, 6))):
        assert layout(changed) != layout(first)
        assert picture(changed) != picture(first)


def test_levels_of_one_hash_are_alike() -> None:
    """Levels that begin alike are found by their hashes, and looked at cell by cell."""
    hashes = list(level_hashes(EASY, range(300)))
    (value, count), *_ = Counter(one for _, one in hashes).most_common(1)
    assert count > 1
    same = [begun(EASY, level) for level, (_, one) in enumerate(hashes) if one == value]
    for state in same[1:]:
        assert (state.grid == same[0].grid).all()
        for name in ("type", "x", "y", "image_theme"):
            assert sorted(state.entities[name]) == sorted(same[0].entities[name])


def test_shares_by_hand() -> None:
    trained = [b"a", b"b", b"a", b"c"]
    unseen = [b"a", b"c", b"d", b"c"]
    assert shares(trained, unseen, [1, 2, 3, 4]).tolist() == [0.25, 0.25, 0.25, 0.75]


@pytest.mark.parametrize("options", [EASY, HARD])
def test_what_is_told_of_200_levels_is_measured(options: EnvOptions) -> None:
    """On other unseen levels than those of docs/metrics.md; four standard errors of 768 levels are 0.055."""
    unseen = np.random.default_rng(1).integers(FIRST_UNSEEN_LEVEL, LAST_LEVEL, 768).tolist()
    own, others = (zip(*level_hashes(options, levels), strict=True) for levels in (range(200), unseen))
    told = KNOWN[options.distribution_mode][200]
    for trained, new, share in zip(own, others, told, strict=True):
        assert shares(trained, new, [200])[0] == pytest.approx(share, abs=0.055)


def test_levels_with_a_layout_that_was_trained_on_are_not_new() -> None:
    options = EnvOptions("easy", num_levels=50, start_level=100)
    new = NewLayouts(options, "it")
    assert not new(range(100, 150)).any()
    unseen = range(FIRST_UNSEEN_LEVEL, FIRST_UNSEEN_LEVEL + 100)
    known = {value for value, _ in level_hashes(options, range(100, 150))}
    expected = [value not in known for value, _ in level_hashes(options, unseen)]
    assert 0 < sum(expected) < 100
    assert new(unseen).tolist() == expected
    assert (new.asked, new.known) == (150, 150 - sum(expected))


def test_agents_of_too_many_levels_are_refused() -> None:
    with pytest.raises(InputError, match=r"^it was trained on all levels, so that layouts=new leaves none"):
        NewLayouts(EnvOptions("easy"), "it")
    with pytest.raises(InputError, match=r"^it was trained on 1,000,001 levels; layouts=new looks at each"):
        NewLayouts(EnvOptions("easy", num_levels=MOST_LEVELS + 1), "it")
