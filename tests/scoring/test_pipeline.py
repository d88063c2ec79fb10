"""The whole score on real frames: planted detectors are found, untrained networks are not, and bad input is refused."""

import json
from dataclasses import replace

import numpy as np
import pytest
import torch
from torch import nn

from agents.checkpoint import Agent, untrained_agent
from rollouts.bank import BankError, FrameBank
from rollouts.coinrun.table import COINRUN
from rollouts.collecting import BankPlan, collect
from rollouts.env import EnvOptions
from rollouts.errors import InputError
from rollouts.masks import dilate
from scoring import subject
from scoring.evidence import Evidence, gather
from scoring.explain.geometry import average_over_cells
from scoring.explain.methods import attribute
from scoring.features.channels import Channels
from scoring.features.projection import covered
from scoring.metrics.orbay import orbay2020, threshold
from scoring.metrics.statistics import NO_NUMBER
from scoring.pipeline import attributed_frames, check, score, score_subject
from scoring.record import ClassRecord, why_no_headline
from scoring.settings import DILATIONS, ScoreConfig
from scoring.tables import comparison, feature_frame, features_table, label

FAST = ScoreConfig(features="channels", steps=4, bootstrap=200, permutations=99, refits=1, components=4)


@pytest.fixture
def agent() -> Agent:
    return untrained_agent("compact", EnvOptions(), seed=0)


def brown_detector() -> Agent:
    """The value is minus the summed response of one channel to the brown of crates; the other channels are random.

    1a keeps the red-blue contrast of single pixels, 2a and 2b pass it on, and everything behind sums it up.
    """
    agent = untrained_agent("compact", EnvOptions(), seed=0)
    network = agent.network
    with torch.no_grad():
        for name in ("1a_conv", "2a_conv", "2b_conv", "3a_conv"):
            conv = network.trunk.get_submodule(name)
            assert isinstance(conv, nn.Conv2d)
            conv.weight[0] = 0
            centre = conv.weight.shape[-1] // 2
            if name == "1a_conv":
                conv.weight[0, :, centre, centre] = torch.tensor([4.0, 0.0, -4.0])
            else:
                conv.weight[0, 0, centre, centre] = 1.0
        network.trunk.get_submodule("fc1_linear").weight.zero_()
        network.trunk.get_submodule("fc1_linear").weight[0, :16] = 1.0  # channel 0 of the 4 x 4 cells
        network.value.weight.zero_()
        network.value.weight[0, 0] = -1.0
    return agent


def test_a_score_is_complete_and_can_be_written(agent: Agent, bank: FrameBank, evidence: Evidence) -> None:
    increments: list[int] = []
    found = score(agent, bank, evidence, replace(FAST, features="nmf"), lambda more, note="": increments.append(more))
    assert sum(increments) == attributed_frames(bank, evidence, replace(FAST, features="nmf"))
    text = json.dumps(found.record.to_json())
    for word in (
        "interpretable_fraction",
        "graded_score",
        "lift",
        "localisation",
        "orbay2020",
        "prevalence",
        "completeness_error",
        "settings",
        "versions",
        "renderer_sha256",
        "weights_sha256",
    ):
        assert word in text
    assert found.record.headline.features == 4
    table = feature_frame(found)
    assert len(table) == 4 * len(COINRUN.with_concepts().names)
    assert set(table["class"]) == set(COINRUN.with_concepts().names)
    share = table.groupby("feature")["share"].first()
    assert share.sum() == pytest.approx(1)
    assert comparison([("a", found.record), ("b", found.record)]).row_count == 12
    assert features_table(found).row_count == 4
    assert all(label(found, k).startswith(f"{k}: ") for k in range(4))


def test_energies_are_those_of_a_slow_loop(agent: Agent, bank: FrameBank, evidence: Evidence) -> None:
    """kappa of a few pairs, from the maps and masks one cell at a time."""
    found = score(agent, bank, evidence, replace(FAST, dilation=0))
    maps = np.abs(found.maps)
    geometry = found.geometry
    for k, name in ((0, "left"), (3, "crate"), (7, "top")):
        masks = evidence.masks[:, COINRUN.with_concepts().index(name)]
        hit = total = 0.0
        for i in range(len(bank)):
            for row in range(geometry.size):
                for column in range(geometry.size):
                    # Cells of compact's 2b are 4 pixels wide, centred on pixels 0, 4, 8: half pixels at both ends.
                    y, x = row * 4, column * 4
                    weights = np.outer(*(np.array([0.5, 1, 1, 1, 0.5]),) * 2)
                    window = np.pad(masks[i].astype(float), 2)[y : y + 5, x : x + 5]
                    inside = np.pad(np.ones((64, 64)), 2)[y : y + 5, x : x + 5]
                    hit += maps[i, k, row, column] * (weights * window).sum() / (weights * inside).sum()
                    total += maps[i, k, row, column]
        assert found.features.of["energy"][k, COINRUN.with_concepts().index(name)] == pytest.approx(
            hit / total, rel=1e-4
        )


def test_causal_effect_is_that_of_a_slow_loop(agent: Agent, bank: FrameBank, evidence: Evidence) -> None:
    found = score(agent, bank, evidence, FAST)
    basis = Channels(32)
    own = attribute(agent.network, "2b", bank.frames, steps=FAST.steps)
    changed = evidence.removed["crate"]
    after = attribute(agent.network, "2b", changed.frames, steps=FAST.steps)
    y = average_over_cells(
        dilate(evidence.masks[changed.index, COINRUN.with_concepts().index("crate")], FAST.dilation), found.geometry
    )
    for k in (1, 5):
        original = sum((np.abs(basis.transform(own)[i, k]) * y[j]).sum() for j, i in enumerate(changed.index))
        removed = (np.abs(basis.transform(after)[:, k]) * y).sum()
        assert found.features.of["causal"][k, COINRUN.with_concepts().index("crate")] == pytest.approx(
            1 - removed / original, rel=1e-3
        )
    drop = float((own.outputs[changed.index] - after.outputs).mean())
    assert found.record.classes["crate"].target_drop == pytest.approx(drop, rel=1e-3, abs=1e-7)


def test_what_is_reported_beside_a_score_does_not_change_it(agent: Agent, bank: FrameBank, evidence: Evidence) -> None:
    explained = subject.explain(agent.network, "2b", bank, evidence, steps=FAST.steps, pool=False)
    full, brief = (score_subject(agent, explained, FAST, dilations) for dilations in (DILATIONS, ()))
    assert set(full.record.diagnostics.dilations) == {"0", "4"}
    assert not brief.record.diagnostics.dilations
    for name in ("graded_score", "interpretable_fraction"):
        one, other = getattr(brief.record.headline, name), getattr(full.record.headline, name)
        np.testing.assert_allclose([one.value, one.low, one.high], [other.value, other.low, other.high], rtol=1e-12)
    np.testing.assert_allclose(brief.features.of["kappa"], full.features.of["kappa"], rtol=1e-12, atol=1e-12)
    np.testing.assert_array_equal(brief.features.of["p"], full.features.of["p"])


def test_version_1_stands_beside_version_2(agent: Agent, bank: FrameBank, evidence: Evidence) -> None:
    config = replace(FAST, features="nmf")
    both = score(agent, bank, evidence, config, beside=True).record
    alone = score(agent, bank, evidence, replace(config, version=1)).record
    assert (both.version, alone.version) == (2, 1)
    brief = both.diagnostics.version_1
    assert brief is not None
    assert brief.interpretable_fraction == alone.headline.interpretable_fraction.value
    assert brief.graded_score == pytest.approx(alone.headline.graded_score.value)
    assert set(alone.classes) == set(COINRUN.names)
    assert set(both.classes) == set(COINRUN.with_concepts().names)
    assert alone.diagnostics.version_1 is None
    assert score(agent, bank, evidence, replace(config, version=1), beside=True).record.diagnostics.version_1 is None


def test_the_features_of_an_untrained_network_are_not_interpretable(
    agent: Agent, bank: FrameBank, evidence: Evidence, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(subject, "eligible", lambda pixels, episode: (pixels > 0).any(axis=0))
    for features in ("channels", "nmf", "rotated"):
        found = score(agent, bank, evidence, replace(FAST, features=features, rotations=2))
        assert found.record.headline.interpretable_fraction.value <= 0.05


def test_a_planted_detector_is_found(bank: FrameBank, evidence: Evidence, monkeypatch: pytest.MonkeyPatch) -> None:
    """One channel that answers to brown sits on crates far more than chance, goes when they go, and is negative."""
    monkeypatch.setattr(subject, "eligible", lambda pixels, episode: (pixels > 0).any(axis=0))
    found = score(brown_detector(), bank, evidence, FAST)
    assert found.features.share[0] == pytest.approx(1)
    assert found.record.diagnostics.dead_features == 31
    crate = COINRUN.with_concepts().index("crate")
    assert found.features.of["sign"][0, crate] == pytest.approx(-1)
    assert found.features.of["lift"][0, crate] > 1
    assert found.features.of["causal"][0, crate] > 0.3
    assert abs(found.features.of["causal_control"][0, crate]) < 0.2


@pytest.mark.parametrize("projection", ["rf_box", "erf"])
def test_projections_widen_the_attribution(agent: Agent, bank: FrameBank, evidence: Evidence, projection: str) -> None:
    plain = score(agent, bank, evidence, FAST)
    projected = score(agent, bank, evidence, replace(FAST, projection=projection))
    assert projected.maps.shape[2:] == (64, 64)
    np.testing.assert_allclose(projected.features.share, plain.features.share, atol=0.05)
    assert projected.record.diagnostics.orbay2020 == plain.record.diagnostics.orbay2020


def test_orbay2020_equals_a_slow_loop_on_five_frames(agent: Agent, bank: FrameBank, evidence: Evidence) -> None:
    found = score(agent, bank, evidence, FAST)
    w = np.abs(found.maps[:5])
    geometry = found.geometry
    shares = []
    for i in range(5):
        for k in range(w.shape[1]):
            top = w[i, k].max()
            if top == 0:
                continue
            box = np.zeros((64, 64), dtype=bool)
            for row in range(16):
                for column in range(16):
                    if w[i, k, row, column] > 0.1 * top:
                        y, x = 4 * row, 4 * column
                        box[max(y - 10, 0) : y + 11, max(x - 10, 0) : x + 11] = True  # 21 pixels wide
            shares.append((box & evidence.objects[i]).sum() / box.sum())
    areas = [covered(threshold(w[:, k]), geometry) for k in range(w.shape[1])]
    assert orbay2020(areas, evidence.objects[:5]) == pytest.approx(np.mean(shares))


def test_a_trajectory_gets_no_interval_and_no_headline(agent: Agent, bank: FrameBank, evidence: Evidence) -> None:
    one = replace(bank, environment=np.zeros_like(bank.environment), time=np.arange(len(bank), dtype=np.int32))
    found = score(agent, one, evidence, FAST)
    assert found.record.headline.interpretable_fraction == NO_NUMBER
    assert found.record.diagnostics.lift.value is None
    assert 0 < found.record.diagnostics.orbay2020.rf_box.value < 1
    assert np.isfinite(found.features.of["kappa"][0, COINRUN.with_concepts().index("screen_edge")])


def test_one_frame_gets_no_number_that_needs_another(agent: Agent, bank: FrameBank) -> None:
    one = collect(
        [("idle", lambda frames: np.full(len(frames), 4, np.int32))],
        EnvOptions().unseen(),
        BankPlan("trajectory", 1, 1, 1, False, 0),
        seed=8,
    )
    found = score(agent, one, gather(one), FAST)
    record = found.record
    through_boxes = record.diagnostics.orbay2020.rf_box
    assert through_boxes.value is not None
    assert through_boxes.value > 0
    assert through_boxes.chance is None
    assert record.headline.graded_score == NO_NUMBER
    assert "NaN" not in json.dumps(record.to_json())
    assert why_no_headline(record) == (
        "The bank has 1 of the 4 environments that a headline, intervals and tests need."
    )


def test_a_feature_that_never_fires_is_dead_and_counts(agent: Agent, bank: FrameBank, evidence: Evidence) -> None:
    """It scores 0 in the headline's denominator, and gets no number of its own."""
    alive = score(agent, bank, evidence, FAST)
    conv = agent.network.trunk.get_submodule("2b_conv")
    assert isinstance(conv, nn.Conv2d)
    assert conv.bias is not None
    silenced = int(alive.features.share.argmax())
    with torch.no_grad():
        conv.weight[silenced], conv.bias[silenced] = 0, 0
    found = score(agent, bank, evidence, FAST)
    assert found.record.diagnostics.dead_features == np.count_nonzero(found.features.share < 0.001) > 0
    assert found.features.share[silenced] == found.verdict.grades[silenced] == 0
    assert np.isnan(found.features.of["kappa"][silenced]).all()
    headline = found.record.headline
    assert headline.features == 32
    assert headline.graded_score.value == pytest.approx(found.verdict.grades.sum() / 32)
    assert "NaN" not in json.dumps(found.record.to_json())


def test_a_class_that_never_appears_is_reported_without_a_number(
    agent: Agent, bank: FrameBank, evidence: Evidence
) -> None:
    c = COINRUN.with_concepts().index("crate")
    masks = evidence.masks.copy()
    masks[:, c] = False
    others = {
        kind: {name: changed for name, changed in getattr(evidence, kind).items() if name != "crate"}
        for kind in ("removed", "control")
    }
    found = score(agent, bank, replace(evidence, masks=masks, **others), FAST)
    assert found.record.classes["crate"] == ClassRecord(0, 0, False, 0)
    assert "crate" not in found.record.headline.eligible
    for name in ("kappa", "causal", "iou", "average_precision"):
        numbers = found.features.of[name]
        assert not (numbers[:, c] > 0).any()
    assert not (found.verdict.kind == c).any()
    assert "NaN" not in json.dumps(found.record.to_json())


def test_bad_input_is_refused_before_any_work(agent: Agent, bank: FrameBank, evidence: Evidence) -> None:
    with pytest.raises(InputError, match="no layer '9x'; its layers are 1a, 2a, 2b, 3a"):
        score(agent, bank, evidence, replace(FAST, layer="9x"))
    with pytest.raises(InputError, match="logits 0 to 14"):
        score(agent, bank, evidence, replace(FAST, target="logit:15"))
    with pytest.raises(InputError, match="components is 33; layer 2b has 32 channels"):
        score(agent, bank, evidence, replace(FAST, features="nmf", components=33))
    with pytest.raises(InputError, match="attribution is 'lime'"):
        score(agent, bank, evidence, replace(FAST, attribution="lime"))
    easy = untrained_agent("compact", EnvOptions("easy"), seed=0)
    with pytest.raises(BankError, match="trained on easy"):
        score(easy, bank, evidence, FAST)
    empty = replace(bank, pool=bank.pool[:0], pool_environment=bank.pool_environment[:0])
    with pytest.raises(InputError, match="no pool of frames"):
        score(agent, empty, evidence, replace(FAST, features="nmf"))
    for change in ({"features": "pca"}, {"projection": "cam"}, {"steps": 0}, {"dilation": 3}, {"tau": 1.0}):
        with pytest.raises(InputError, match=next(iter(change))):
            replace(FAST, **change)  # type: ignore[arg-type]


def test_a_game_without_concepts_is_told_before_any_work(agent: Agent, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(EnvOptions, "rules", property(lambda options: replace(COINRUN, concepts=())))
    with pytest.raises(InputError, match="CoinRun has no concepts: score it with version 1"):
        check(agent, FAST)
    assert check(agent, replace(FAST, version=1))[0] == "2b"
