"""What a bank shows: masks, removals and their controls."""

from dataclasses import replace

import numpy as np
import pytest

from agents.checkpoint import untrained_agent
from rollouts.bank import BankError, FrameBank
from rollouts.coinrun.table import COINRUN
from rollouts.collecting import SPREAD
from rollouts.masks import dilate
from scoring.evidence import Evidence, gather, move_silhouette, spread_out
from scoring.explain.geometry import average_over_cells
from scoring.features.channels import Channels
from scoring.subject import explain


def test_masks_and_removals_fit_the_frames(bank: FrameBank, evidence: Evidence) -> None:
    assert evidence.masks.shape == (len(bank), len(COINRUN.names), 64, 64)
    assert {"crate", "agent", "velocity"} <= set(evidence.removed)
    for name, changed in evidence.removed.items():
        mask = evidence.masks[changed.index, COINRUN.index(name)]
        different = (changed.frames != bank.frames[changed.index]).any(axis=-1)
        assert mask.any(axis=(1, 2)).all(), "a frame without the class is in its list"
        # What is changed lies on objects: the removed ones, or half-transparent ones before them.
        on_objects = evidence.objects[changed.index] | evidence.masks[changed.index, COINRUN.index("velocity")]
        assert not (different & ~on_objects).any()
        if name != "velocity":
            assert (different & mask).any(axis=(1, 2)).mean() > 0.95
    assert len(evidence.removed["agent"].index) == len(bank)


def test_controls_change_background_only_and_as_much_of_it(bank: FrameBank, evidence: Evidence) -> None:
    for name, changed in evidence.control.items():
        different = (changed.frames != bank.frames[changed.index]).any(axis=-1)
        on_objects = evidence.objects[changed.index] | evidence.masks[changed.index, COINRUN.index("velocity")]
        assert not (different & on_objects).any()
        pixels = evidence.masks[changed.index, COINRUN.index(name)].sum(axis=(1, 2))
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


def test_pieces_of_walls_are_elsewhere_and_only_there_is_the_frame_changed(bank: FrameBank, seen: Evidence) -> None:
    assert set(WALLS) <= set(seen.outlined)
    for name in seen.outlined:
        changed = seen.removed[name]
        assert changed.where is not None
        mask = seen.masks[changed.index, seen.game.index(name)]
        assert changed.where.any(axis=(1, 2)).all()
        assert not (changed.where & ~mask).any(), "a piece is a part of its kind"
        assert (changed.frames != bank.frames[changed.index]).any(axis=(1, 2, 3)).all()
        assert np.array_equal(changed.index, seen.outlined[name].index)
    assert all(changed.where is None for name, changed in seen.removed.items() if name not in seen.outlined)


def test_walls_that_are_painted_over_keep_their_outline(bank: FrameBank, seen: Evidence, evidence: Evidence) -> None:
    for name in WALLS:
        changed = seen.outlined[name]
        wall, surface = (evidence.masks[changed.index, COINRUN.index(kind)] for kind in ("wall", "surface"))
        assert surface.any()
        different = (changed.frames != bank.frames[changed.index]).any(axis=-1)
        assert not (different & ~wall).any()
        assert different[wall].mean() > 0.9


def test_attribution_on_pieces_is_that_of_a_slow_sum(bank: FrameBank, seen: Evidence) -> None:
    agent = untrained_agent("compact", bank.options, 0)
    subject = explain(agent.network, "2b", bank, seen, steps=1, pool=False)
    basis = Channels(subject.geometry.channels)
    measured = subject.measure(basis, [subject.masks(2)])[0]
    for name in WALLS:
        c = seen.game.index(name)
        changed, maps = seen.removed[name], basis.transform(subject.own)
        assert changed.where is not None
        y = average_over_cells(dilate(changed.where[:, None], 2), subject.geometry)
        wanted = np.einsum("mkhw,mhw->k", np.abs(maps[changed.index]), y[:, 0])
        np.testing.assert_allclose(measured.original[:, c].sum(axis=-1), wanted, rtol=1e-4)
        after = basis.transform(subject.removed[name])
        wanted = np.einsum("mkhw,mhw->k", np.abs(after), y[:, 0])
        np.testing.assert_allclose(measured.removed[:, c].sum(axis=-1), wanted, rtol=1e-4)
        whole = subject.masks(2).shares[changed.index, c]
        wanted = np.einsum("mkhw,mhw->k", np.abs(basis.transform(subject.outlined[name])), whole)
        np.testing.assert_allclose(measured.outlined[:, c].sum(axis=-1), wanted, rtol=1e-4)


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
