"""The page's frames: what is taken out of them, and what that leaves."""

import numpy as np

from rollouts.bank import FrameBank
from rollouts.coinrun.masks import CoinRunRenderer, without
from rollouts.coinrun.state import ENEMY, TRAIL, parse
from rollouts.coinrun.table import COINRUN
from rollouts.items import items
from scenes import empty_scene, put
from scoring.evidence import Evidence
from scoring.report.clips import PART_BIT, examples, trajectory


def test_a_trail_goes_with_the_nearest_enemy() -> None:
    scene = empty_scene()
    left, right = put(scene, ENEMY, 30, 33), put(scene, ENEMY, 35, 33)
    trails = [put(scene, TRAIL, 29, 33), put(scene, TRAIL, 35.9, 33), put(scene, TRAIL, 33.5, 33)]
    renderer = CoinRunRenderer()
    found = items(COINRUN, scene, renderer.masks(scene).objects)
    places = [{thing.place for thing in item.things} for item in found if item.kind == "enemy"]
    assert sorted(map(sorted, places)) == [[left, trails[0]], [right, trails[1], trails[2]]]
    scene.entities["alpha"][[left, right]] = 0
    alone = [item for item in items(COINRUN, scene, renderer.masks(scene).objects) if item.kind == "enemy"]
    assert [{thing.place for thing in item.things} for item in alone] == [set(trails)]


def test_a_trajectory_shows_every_object_and_the_frame_without_it(played: FrameBank) -> None:
    clip = trajectory(played)
    renderer = CoinRunRenderer()
    assert len(clip.removed) > len(clip)
    assert (np.diff(clip.index) >= 0).all()
    for i in range(0, len(clip), 7):
        state = parse(played.states[i])
        drawn, names = renderer.masks(state).drawn, COINRUN.drawn
        merged = [names.index("enemy") if name == "trail" else names.index(name) for name in names]
        for c, name in enumerate(names):
            if name != "trail":
                wanted = drawn[[k for k, to in enumerate(merged) if to == c]].any(axis=0)
                numbers = [n for n, kind in enumerate(clip.kinds[i], start=1) if kind == name]
                assert (np.isin(clip.labels[i] & ~np.uint8(PART_BIT), numbers) == wanted).all()
    for m in range(0, len(clip.removed), 5):
        i, number = int(clip.index[m]), int(clip.item[m]) + 1
        changed = (clip.removed[m] != clip.frames[i]).any(axis=-1)
        assert changed.any()
        assert not (changed & ((clip.labels[i] & 127) != number)).any()  # nothing changes but the object's own pixels
        state = parse(played.states[i])
        things = items(COINRUN, state, renderer.masks(state).objects)[number - 1].things
        assert (renderer.render(without(state, things)) == clip.removed[m]).all()


def test_examples_take_out_whole_classes(bank: FrameBank, evidence: Evidence) -> None:
    clip, evidence = examples(bank, evidence), evidence.with_kinds(COINRUN)
    for c, name in enumerate(COINRUN.names):
        for i in range(len(clip)):
            labels = clip.labels[i]
            if name == "surface":
                assert ((labels >= PART_BIT) == evidence.masks[i, c]).all()
            elif name in clip.kinds[i]:
                assert ((labels & 127 == clip.kinds[i].index(name) + 1) == evidence.masks[i, c]).all()
            else:
                assert not evidence.masks[i, c].any()
    coins = evidence.removed["coin"]
    rows_of_coins = [m for m in range(len(clip.removed)) if clip.kinds[clip.index[m]][clip.item[m]] == "coin"]
    assert (clip.index[rows_of_coins] == coins.index).all()
    assert (clip.removed[rows_of_coins] == coins.frames).all()


def test_outlines_of_parts_are_where_the_renderer_finds_them(
    played: FrameBank, bank: FrameBank, evidence: Evidence
) -> None:
    kinds = [COINRUN.widest.kind(name) for name in ("top", "enemy_left", "enemy_right")]
    renderer, clip = CoinRunRenderer(), trajectory(played, outlined=kinds)
    for i in range(0, len(clip), 5):
        state = parse(played.states[i])
        found = renderer.regions(state, renderer.masks(state))
        for kind in kinds:
            assert (clip.regions[kind.name][i] == found[kind.name]).all()
    assert clip.regions["top"].any()
    assert set(trajectory(played).regions) == set()
    shown = examples(bank, evidence, kinds)
    for kind in kinds:
        assert (shown.regions[kind.name] == evidence.masks[:, COINRUN.widest.index(kind.name)]).all()
    assert set(shown.kinds[0]) <= set(COINRUN.names)  # outlines of all frames are of what is drawn
