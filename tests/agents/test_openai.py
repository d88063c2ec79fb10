"""Published agents are imported to the last digit that float32 allows, and nothing in their files is executed."""

import os
import pickle
import struct
from pathlib import Path

import numpy as np
import pytest
import torch

from agents.checkpoint import CheckpointError, load_agent, save_agent
from agents.openai import import_agent, read_joblib

CLIPS = ("bug_coin", "bug_saw", "failure_down", "failure_obscured", "failure_offscreen", "failure_wait")


@pytest.fixture(scope="module")
def published() -> Path:
    folder = os.environ.get("COINRUN_PARITY_DATA")
    if not folder or not Path(folder, "coinrun.jd").exists():
        pytest.skip("COINRUN_PARITY_DATA does not name a folder with the published agent (coinrun.jd and clips/)")
    return Path(folder)


@pytest.mark.parametrize("clip", CLIPS)
def test_values_and_logits_are_those_of_openais_code(published: Path, clip: str) -> None:
    agent = import_agent(published / "coinrun.jd")
    recorded = np.load(published / "clips" / f"{clip}.npz")
    with torch.no_grad():
        logits, values = agent.network(torch.from_numpy(recorded["observations"]))
    np.testing.assert_allclose(values.numpy(), recorded["values"], atol=0.005)
    np.testing.assert_allclose(logits.numpy(), recorded["policy_logits"], atol=0.04)


def test_an_imported_agent_survives_the_projects_format(published: Path, tmp_path: Path) -> None:
    agent = import_agent(published / "coinrun.jd")
    save_agent(tmp_path / "agent.safetensors", agent)
    loaded = load_agent(tmp_path / "agent.safetensors", "clear")
    assert loaded.actions == (4, 7, 1, 5, 8, 2, 3, 4, 4)
    assert loaded.options.paint_velocity


class Evil:
    """Unpickles by calling a function."""

    def __init__(self, marker: Path) -> None:
        self.marker = marker

    def __reduce__(self) -> tuple[object, tuple[str]]:
        return os.mkdir, (str(self.marker),)


def test_code_in_a_pickle_is_named_and_not_run(tmp_path: Path) -> None:
    (tmp_path / "evil.jd").write_bytes(pickle.dumps({"params": Evil(tmp_path / "marker")}, protocol=3))
    with pytest.raises(CheckpointError, match=r"holds 'posix\.mkdir', which is neither"):
        read_joblib(tmp_path / "evil.jd")
    assert not (tmp_path / "marker").exists()


def test_damaged_and_foreign_files(tmp_path: Path) -> None:
    with pytest.raises(CheckpointError, match="no checkpoint at"):
        read_joblib(tmp_path / "missing.jd")
    for content in (b"", b"text", pickle.dumps({"a": 1})[:-3], b"\x80\x03" + struct.pack("<B", 255)):
        (tmp_path / "broken.jd").write_bytes(content)
        with pytest.raises(CheckpointError, match="not a complete joblib file"):
            read_joblib(tmp_path / "broken.jd")
    (tmp_path / "other.jd").write_bytes(pickle.dumps({"args": {"cnn": "impala"}}, protocol=3))
    with pytest.raises(CheckpointError, match="holds a 'impala' network"):
        import_agent(tmp_path / "other.jd")
    (tmp_path / "empty.jd").write_bytes(pickle.dumps({"args": {"cnn": "clear"}, "params": {}}, protocol=3))
    with pytest.raises(CheckpointError, match="not a published CoinRun agent"):
        import_agent(tmp_path / "empty.jd")


def test_a_truncated_published_file(published: Path, tmp_path: Path) -> None:
    whole = (published / "coinrun.jd").read_bytes()
    for keep in (100, 10_000, len(whole) - 1000):
        (tmp_path / "short.jd").write_bytes(whole[:keep])
        with pytest.raises(CheckpointError, match="not a complete joblib file"):
            import_agent(tmp_path / "short.jd")
