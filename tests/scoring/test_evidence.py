"""What a bank shows: masks, removals and their controls."""

from dataclasses import replace

import numpy as np
import pytest

from agents.checkpoint import untrained_agent
from rollouts.bank import BankError, FrameBank
from rollouts.coinrun.table import COINRUN
from rollouts.collecting import SPREAD
from rollouts.errors import InputError
from rollouts.masks import dilate
from scoring.changes import move_silhouette, spread_out
from scoring.evidence import Evidence, gather, masks_of
from scoring.explain.geometry import average_over_cells
from scoring.features.channels import Channels
from scoring.subject import explain


def test_masks_and_removals_fit_the_frames(bank: FrameBank, evidence: Evidence) -> None:
    assert evidence.masks.shape == (len(bank), len(evidence.game.names), 64, 64)
    assert {"crate", "agent", "velocity"} <= set(evidence.removed)
    for name, changed in evidence.removed.items():
        mask = evidence.masks[changed.index, evidence.game.index(name)]
        if evidence.game.kind(name).movable:
            continue  # its pieces are moved
        different = (changed.frames != bank.frames[changed.index]).any(axis=-1)
        assert mask.any(axis=(1, 2)).all(), "a frame without the class is in its list"
        # What is changed lies on objects: the removed ones, or half-transparent ones before them.
        on_objects = evidence.objects[changed.index] | evidence.masks[changed.index, evidence.game.index("velocity")]
        assert not (different & ~on_objects).any()
        if name != "velocity":
            assert (different & mask).any(axis=(1, 2)).mean() > 0.95
    assert len(evidence.removed["agent"].index) == len(bank)


def test_controls_change_background_only_and_as_much_of_it(bank: FrameBank, evidence: Evidence) -> None:
    for name, changed in evidence.control.items():
        different = (changed.frames != bank.frames[changed.index]).any(axis=-1)
        on_objects = evidence.objects[changed.index] | evidence.masks[changed.index, evidence.game.index("velocity")]
        assert not (different & on_objects).any()
        pixels = evidence.masks[changed.index, evidence.game.index(name)].sum(axis=(1, 2))
        assert (different.sum(axis=(1, 2)) <= pixels).all()
        assert different.sum() > 0.7 * pixels.sum()


def test_velocity_is_that_of_another_frame(bank: FrameBank, evidence: Evidence) -> None:
    changed = evidence.removed["velocity"]
    shown = changed.frames[:, 5, [5, 20]]
    own = bank.frames[:, 5, [5, 20]]
    assert sorted(map(bytes, shown)) == sorted(map(bytes, own))
    assert (shown != own).any()


def test_changed_frames_are_spread_evenly_over_the_environments() -> None:
    environment = np.repeat(np.arange(5, dtype=np.int32), [10, 10, 1, 3, 0])
    frames = np.arange(1, 24)
    chosen = spread_out(frames, environment, np.random.default_rng(0), most=12)
    counts = np.bincount(environment[chosen], minlength=5)
    assert counts.tolist() == [4, 4, 1, 3, 0]
    assert (np.diff(chosen) > 0).all()
    assert 0 not in chosen
    assert np.array_equal(spread_out(frames, environment, np.random.default_rng(0), most=23), frames)
    draws = {tuple(spread_out(frames, environment, np.random.default_rng(seed), most=3)) for seed in range(30)}
    assert len(draws) > 20


WALLS = ("top", "left", "right", "end_left", "foot_right")


def test_pieces_of_walls_are_elsewhere_and_only_there_is_the_frame_changed(bank: FrameBank, evidence: Evidence) -> None:
    assert set(WALLS) <= set(evidence.removed)
    for name, changed in evidence.removed.items():
        if not evidence.game.kind(name).movable:
            assert changed.where is None
            continue
        assert changed.where is not None
        mask = evidence.masks[changed.index, evidence.game.index(name)]
        assert changed.where.any(axis=(1, 2)).all()
        assert not (changed.where & ~mask).any(), "a piece is a part of its kind"
        assert (changed.frames != bank.frames[changed.index]).any(axis=(1, 2, 3)).all()


def test_walls_that_are_painted_over_keep_their_outline(bank: FrameBank, evidence: Evidence) -> None:
    changed = evidence.outlined
    assert changed is not None
    wall, surface = (evidence.masks[changed.index, evidence.game.index(kind)] for kind in ("wall", "surface"))
    assert surface.any()
    different = (changed.frames != bank.frames[changed.index]).any(axis=-1)
    assert not (different & ~(wall | surface)).any()
    assert different[wall].mean() > 0.9


def test_what_version_1_looks_at_is_the_same_among_all_kinds(bank: FrameBank, evidence: Evidence) -> None:
    first = gather(bank, game=COINRUN)
    one = evidence.with_kinds(COINRUN)
    assert one.game == first.game == COINRUN
    np.testing.assert_array_equal(one.masks, first.masks)
    for ours, theirs in ((one.removed, first.removed), (one.control, first.control)):
        for name, changed in theirs.items():
            np.testing.assert_array_equal(ours[name].index, changed.index)
            np.testing.assert_array_equal(ours[name].frames, changed.frames)
    assert one.tracks is not None
    assert first.tracks is not None
    np.testing.assert_array_equal(one.tracks.kind, first.tracks.kind)
    np.testing.assert_array_equal(one.tracks.before, first.tracks.before)
    with pytest.raises(InputError, match="gathered without top, left, right"):
        first.with_kinds(evidence.game)


def test_effects_are_those_of_slow_sums(bank: FrameBank, evidence: Evidence) -> None:
    agent = untrained_agent("compact", bank.options, 0)
    subject = explain(agent.network, "2b", bank, evidence, steps=1, pool=False)
    basis = Channels(subject.geometry.channels)
    measured = subject.measure(basis, [subject.masks(2)])[0]
    maps, masks = basis.transform(subject.own), subject.masks(2).shares
    assert evidence.outlined is not None
    assert subject.outlined is not None
    for name in (*WALLS, "crate", "velocity", "enemy"):
        c, changed = evidence.game.index(name), evidence.removed[name]
        y = masks[changed.index, c]
        if changed.where is not None:
            y = average_over_cells(dilate(changed.where[:, None], 2), subject.geometry)[:, 0]
        before, after = maps[changed.index], basis.transform(subject.removed[name])
        left, mass, turnover = (
            np.einsum("mkhw,mhw->k", np.abs(part), y, dtype=np.float64) for part in (after, before, before - after)
        )
        np.testing.assert_allclose(measured.removal.causal()[:, c], 1 - left / mass, rtol=1e-4, atol=1e-6)
        np.testing.assert_allclose(measured.removal.turnover.of()[:, c], turnover / (mass + left), rtol=1e-4)
        drop = np.sign(subject.own.outputs[changed.index] - subject.removed[name].outputs)
        of_frames = np.einsum("mkhw,mhw->mk", before, y, dtype=np.float64)
        agreement = drop @ of_frames / np.abs(of_frames).sum(axis=0)
        np.testing.assert_allclose(measured.removal.agreement.of()[:, c], agreement, rtol=1e-3, atol=1e-6)
    for name in WALLS:
        c = evidence.game.index(name)
        y = masks[evidence.outlined.index, c]
        before, after = maps[evidence.outlined.index], basis.transform(subject.outlined)
        left, mass = (np.einsum("mkhw,mhw->k", np.abs(part), y, dtype=np.float64) for part in (after, before))
        np.testing.assert_allclose(measured.outline.causal()[:, c], 1 - left / mass, rtol=1e-4, atol=1e-6)


def test_enemies_of_one_direction_go_when_all_enemies_go(bank: FrameBank, evidence: Evidence) -> None:
    assert not {"enemy_left", "enemy_right"} & set(evidence.removed)
    assert evidence.game.removed_with(evidence.game.kind("enemy_left")) == "enemy"
    subject = explain(untrained_agent("compact", bank.options, 0).network, "2b", bank, evidence, steps=1, pool=False)
    (measured,) = subject.measure(Channels(subject.geometry.channels), [subject.masks(0)])
    of = {
        name: measured.removal.left.below[:, evidence.game.index(name)]
        for name in ("enemy", "enemy_left", "enemy_right")
    }
    assert of["enemy_left"].any()
    np.testing.assert_allclose(of["enemy_left"] + of["enemy_right"], of["enemy"], rtol=1e-5)


def test_prevalence(evidence: Evidence) -> None:
    prevalence = evidence.prevalence
    assert prevalence["velocity"] == pytest.approx(13 * 26 / 64**2)
    assert prevalence["surface"] < prevalence["wall"] < prevalence["objects"]
    assert evidence.pixels.sum() == evidence.masks.sum()


def test_silhouettes_move_to_free_places() -> None:
    generator = np.random.default_rng(0)
    silhouette = np.zeros((64, 64), dtype=bool)
    silhouette[5:8, 5:10] = True
    silhouette[6, 7] = False
    occupied = np.ones((64, 64), dtype=bool)
    occupied[40:43, 30:36] = False
    places = [move_silhouette(silhouette, occupied, generator) for _ in range(20)]
    columns = set()
    for place in places:
        assert place is not None
        assert place.sum() == silhouette.sum()
        assert not (place & occupied).any()
        columns.add(int(np.nonzero(place)[1].min()))
    assert columns == {30, 31}
    occupied[41, 32] = True
    # The hole of the silhouette may lie on what is occupied.
    place = move_silhouette(silhouette, occupied, generator)
    assert place is not None
    assert np.nonzero(place)[1].min() == 30
    assert move_silhouette(silhouette, np.ones((64, 64), dtype=bool), generator) is None


def test_a_bank_of_another_renderer_is_refused(bank: FrameBank) -> None:
    with pytest.raises(BankError, match="drawn by renderer 000000000000"):
        gather(replace(bank, renderer="0" * 64))
    assert SPREAD.frames == 512


def test_frames_in_another_order_than_their_states_are_refused_before_any_mask(bank: FrameBank) -> None:
    for gathering in (gather, lambda bank: masks_of(bank, COINRUN)):
        with pytest.raises(BankError, match="The bank's frame 0 is not what its state shows"):
            gathering(replace(bank, frames=bank.frames[::-1]))
