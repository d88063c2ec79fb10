"""Learning curves: which runs share a colour, and what is drawn of them."""

from pathlib import Path

import numpy as np
import pytest
from matplotlib.figure import Figure

from agents.checkpoint import untrained_agent
from agents.evaluation import Evaluation
from rollouts.env import EnvOptions
from scoring.report import curves
from scoring.report.curves import curves_figure, group, grouped

ZOO = Path(__file__).parents[3] / "zoo"


def test_runs_that_differ_in_their_seed_belong_together() -> None:
    assert group(Path("runs/train/compact-hard-n0-s1/agent.safetensors")) == "compact-hard-n0"
    assert group(Path("runs/train/compact-hard-n0-s12-plain/agent.safetensors")) == "compact-hard-n0-plain"
    assert group(Path("zoo/compact-hard-all.safetensors")) == "compact-hard-all"
    zoo = ZOO / "compact-hard-all.safetensors"
    assert {name: len(agents) for name, agents in grouped([zoo, zoo]).items()} == {"compact-hard-all": 2}


def test_a_line_is_the_curve_and_its_end_the_evaluations(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    drawn: list[Figure] = []
    monkeypatch.setattr(curves, "save", lambda figure, path: drawn.append(figure))
    first, second = (untrained_agent("compact", EnvOptions(), seed) for seed in (0, 1))
    first.curve, second.curve = [(0, 1.0), (2_000_000, 6.5)], [(0, 0.0), (1_000_000, 3.0)]
    first.steps = 2_000_000
    first.evaluation = {"unseen": Evaluation((1000, 2000), 10, 0.6, (0.3, 0.8), 6.0, 100.0)}
    curves_figure(tmp_path / "curves.png", {"one": [first], "other": [second]}, "Title")
    (axis,) = drawn[0].axes
    lines = [np.column_stack([line.get_xdata(), line.get_ydata()]).tolist() for line in axis.lines]
    assert lines == [[[0, 1.0], [2, 6.5]], [[2, 6.0]], [[0, 0.0], [1, 3.0]]]
    assert axis.lines[1].get_markerfacecolor() == "white"
    assert axis.get_ylim() == (0, pytest.approx(10.2))
    assert axis.get_ylabel() == "mean return (10: every level completed)"
