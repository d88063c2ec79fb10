"""The examples of docs/extending.md, run as they stand: what is added in one place works everywhere."""

import re
import sys
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from agents.checkpoint import load_agent, save_agent, untrained_agent
from agents.networks import NETWORKS
from rollouts.bank import FrameBank
from rollouts.coinrun.table import COINRUN
from rollouts.env import EnvOptions
from rollouts.errors import InputError
from scoring import numbers
from scoring.evidence import Evidence
from scoring.explain.geometry import layer_geometry
from scoring.explain.methods import METHODS, attribute
from scoring.features.kinds import FEATURES, shown_kinds
from scoring.pipeline import score
from scoring.report.cards import cards
from scoring.settings import ScoreConfig
from scoring.tables import feature_frame, features_table

TEXT = (Path(__file__).parents[2] / "docs/extending.md").read_text()
FAST = ScoreConfig(features="channels", steps=2, bootstrap=50, permutations=20, refits=1, components=4)


def example(heading: str) -> dict[str, Any]:
    """What the code under a heading defines."""
    section = TEXT.split(f"\n## {heading}\n")[1].split("\n## ")[0]
    names: dict[str, Any] = {"__name__": "example"}
    for code in re.findall(r"```python\n(.*?)```", section, flags=re.DOTALL):
        exec(code, names)
    return names


def test_a_network(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setitem(NETWORKS, "shallow", example("A network")["shallow"])  # type: ignore[arg-type]
    agent = untrained_agent("shallow", EnvOptions(), seed=0)
    save_agent(tmp_path / "shallow.safetensors", agent)
    assert load_agent(tmp_path / "shallow.safetensors").network.kind == "shallow"
    geometry = layer_geometry(agent.network, "2a")
    assert (geometry.size, geometry.jump, geometry.receptive_field) == (8, 8, 5 + 2 * 4)
    frames = np.random.default_rng(0).integers(0, 256, (2, 64, 64, 3), dtype=np.uint8)
    assert attribute(agent.network, "1a", frames).maps.shape == (2, 16, 16, 16)


def test_a_method(monkeypatch: pytest.MonkeyPatch, bank: FrameBank, evidence: Evidence) -> None:
    monkeypatch.setitem(METHODS, "layer_cam", example("A method of attribution")["layer_cam"])  # type: ignore[arg-type]
    agent = untrained_agent("compact", EnvOptions(), seed=0)
    ours, plain = (attribute(agent.network, "2b", bank.frames[:3], method=m) for m in ("layer_cam", "gradient"))
    assert plain.activations is not None
    assert (ours.maps >= 0).all()
    np.testing.assert_array_equal(ours.maps, plain.activations * plain.maps.clip(0))
    assert np.isnan(ours.completeness_error).all(), "it does not claim to sum to anything"
    result = score(agent, bank, evidence, replace(FAST, attribution="layer_cam"))
    assert (result.maps >= 0).all()
    assert result.record.diagnostics.completeness_error.max is None


def test_a_metric(monkeypatch: pytest.MonkeyPatch, bank: FrameBank, evidence: Evidence) -> None:
    names = example("A metric")
    for module in [module for name, module in sys.modules.items() if name.startswith("scoring.")]:
        if getattr(module, "METRICS", None) is numbers.METRICS and module is not numbers:
            monkeypatch.setattr(module, "METRICS", (*numbers.METRICS, names["METRIC"]))
    monkeypatch.setattr(numbers, "METRICS", (*numbers.METRICS, names["METRIC"]))
    result = score(untrained_agent("compact", EnvOptions(), seed=0), bank, evidence, FAST)
    table = feature_frame(result)
    k, c = 3, COINRUN.with_concepts().index("crate")
    shares = result.judged.subject.masks(FAST.dilation).shares[:, c]
    hits = [
        float(share[np.unravel_index(np.abs(maps).argmax(), maps.shape)] > 0)
        for maps, share in zip(result.maps[:, k], shares, strict=True)
        if share.any()
    ]
    (told,) = table[(table["feature"] == k) & (table["class"] == "crate")]["pointing"]
    assert told == pytest.approx(np.mean(hits))
    assert "pointing" in [column.header for column in features_table(result).columns]
    assert all("pointing game" in [term for term, _, _ in card.facts] for card in cards(result))
    with pytest.raises(InputError, match=r"shares has the shape \(2, 1, 4, 4\); it must be \(N C H W\) with N = 3"):
        names["pointing"](np.zeros((3, 2, 4, 4)), np.zeros((2, 1, 4, 4)))


def test_a_kind_of_features(monkeypatch: pytest.MonkeyPatch, bank: FrameBank, evidence: Evidence) -> None:
    monkeypatch.setitem(FEATURES, "pca", example("A kind of features")["KIND"])  # type: ignore[arg-type]
    result = score(untrained_agent("compact", EnvOptions(), seed=0), bank, evidence, replace(FAST, features="pca"))
    assert result.record.headline.features == 4
    np.testing.assert_allclose(result.basis.directions @ result.basis.directions.T, np.eye(4), atol=1e-5)
    assert result.record.diagnostics.factorisation is not None
    assert len(result.record.diagnostics.factorisation.graded_score) == 2, "on the pool, and on one resample of it"
    assert "pca" in shown_kinds()
