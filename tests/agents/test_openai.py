"""Published agents are imported to the last digit that float32 allows, and nothing in their files is executed."""

import os
import pickle
import re
import struct
import subprocess
import sys
from pathlib import Path

import joblib
import numpy as np
import pytest
import torch
from numpy.typing import NDArray
from tensorboard.compat.proto.graph_pb2 import GraphDef
from tensorboard.compat.proto.types_pb2 import DT_FLOAT

from agents.checkpoint import fingerprint, load_agent, save_agent
from agents.openai import import_agent, read_joblib
from agents.tensors import CheckpointError

CLIPS = ("bug_coin", "bug_saw", "failure_down", "failure_obscured", "failure_offscreen", "failure_wait")
FILES = ("coinrun.jd", "coinrun.model.pb")
SHAPES = {
    "pi/1a/conv2d/kernel": (7, 7, 3, 16),
    "pi/1a/conv2d/bias": (16,),
    "pi/2a/conv2d/kernel": (5, 5, 16, 32),
    "pi/2a/conv2d/bias": (32,),
    "pi/2b/conv2d/kernel": (5, 5, 32, 32),
    "pi/2b/conv2d/bias": (32,),
    "pi/3a/conv2d/kernel": (5, 5, 32, 32),
    "pi/3a/conv2d/bias": (32,),
    "pi/4a/conv2d/kernel": (5, 5, 32, 32),
    "pi/4a/conv2d/bias": (32,),
    "pi/dense/kernel": (512, 256),
    "pi/dense/bias": (256,),
    "pi/dense_1/kernel": (256, 512),
    "pi/dense_1/bias": (512,),
    "pi/w": (512, 9),
    "pi/b": (9,),
    "vf/w": (512, 1),
    "vf/b": (1,),
}
Params = dict[str, NDArray[np.float32]]


@pytest.fixture(scope="module")
def published() -> Path:
    folder = os.environ.get("COINRUN_PARITY_DATA")
    if not folder or not all(Path(folder, name).exists() for name in (*FILES, "clips")):
        pytest.skip(
            "COINRUN_PARITY_DATA does not name a folder with the published agent (coinrun.jd, .model.pb, clips/)"
        )
    return Path(folder)


@pytest.fixture
def params() -> Params:
    generator = np.random.default_rng(0)
    return {name: generator.normal(size=shape).astype(np.float32) for name, shape in SHAPES.items()}


def graph_of(params: Params) -> GraphDef:
    """A frozen graph as TensorFlow 1 writes it: an array of one number as a list, any other as bytes."""
    graph = GraphDef()
    square = graph.node.add(name="ppo2_model/pi/1a/pow/y", op="Const").attr["value"].tensor
    square.dtype, square.float_val[:] = DT_FLOAT, [2.0]
    for name, array in params.items():
        tensor = graph.node.add(name=f"ppo2_model/{name}", op="Const").attr["value"].tensor
        tensor.dtype = DT_FLOAT
        for size in array.shape:
            tensor.tensor_shape.dim.add(size=size)
        if array.size == 1:
            tensor.float_val[:] = array.ravel().tolist()
        else:
            tensor.tensor_content = array.tobytes()
    graph.node.add(name="ppo2_model/vf/add", op="Add", input=["ppo2_model/vf/MatMul", "ppo2_model/vf/b"])
    return graph


def write(path: Path, params: Params) -> Path:
    """A file as the authors publish them, of the kind that the path's suffix says."""
    if path.suffix == ".pb":
        path.write_bytes(graph_of(params).SerializeToString())
    else:
        variables = {f"ppo2_model/{name}:0": array for name, array in params.items()}
        joblib.dump({"params": variables, "args": {"cnn": "clear"}}, path)
    return path


@pytest.mark.parametrize("file", FILES)
@pytest.mark.parametrize("clip", CLIPS)
def test_values_and_logits_are_those_of_openais_code(published: Path, clip: str, file: str) -> None:
    agent = import_agent(published / file)
    recorded = np.load(published / "clips" / f"{clip}.npz")
    with torch.no_grad():
        logits, values = agent.network(torch.from_numpy(recorded["observations"]))
    np.testing.assert_allclose(values.numpy(), recorded["values"], rtol=0, atol=0.005)
    np.testing.assert_allclose(logits.numpy(), recorded["policy_logits"], rtol=0, atol=0.04)


def test_the_published_graph_and_joblib_file_are_one_agent(published: Path) -> None:
    joblib_file, graph = (import_agent(published / file) for file in FILES)
    for name, tensor in joblib_file.network.state_dict().items():
        assert torch.equal(graph.network.state_dict()[name], tensor), name
    assert fingerprint(graph) == fingerprint(joblib_file)
    assert (graph.actions, graph.options) == (joblib_file.actions, joblib_file.options)


@pytest.mark.parametrize("file", ["agent.jd", "agent.pb"])
def test_every_weight_stands_where_the_layouts_say(params: Params, tmp_path: Path, file: str) -> None:
    weights = import_agent(write(tmp_path / file, params)).network.state_dict()
    assert sum(tensor.numel() for tensor in weights.values()) == 360_138
    for layer in ("1a", "2a", "2b", "3a", "4a"):
        assert weights[f"trunk.{layer}_conv.weight"][7, 2, 3, 4] == params[f"pi/{layer}/conv2d/kernel"][3, 4, 2, 7]
        assert weights[f"trunk.{layer}_conv.bias"][7] == params[f"pi/{layer}/conv2d/bias"][7]
    row, column, channel = 1, 2, 5  # TensorFlow flattens (4, 4, 32), PyTorch (32, 4, 4)
    assert (
        weights["trunk.fc1_linear.weight"][9, channel * 16 + row * 4 + column]
        == params["pi/dense/kernel"][row * 128 + column * 32 + channel, 9]
    )
    for ours, theirs in (("trunk.fc2_linear", "pi/dense_1/kernel"), ("policy", "pi/w"), ("value", "vf/w")):
        assert torch.equal(weights[f"{ours}.weight"], torch.from_numpy(params[theirs].T.copy()))
    for ours, theirs in (("fc1_linear", "pi/dense/bias"), ("fc2_linear", "pi/dense_1/bias")):
        assert torch.equal(weights[f"trunk.{ours}.bias"], torch.from_numpy(params[theirs]))
    assert torch.equal(weights["policy.bias"], torch.from_numpy(params["pi/b"]))
    assert torch.equal(weights["value.bias"], torch.from_numpy(params["vf/b"]))


@pytest.mark.parametrize("file", ["agent.jd", "agent.pb"])
def test_an_agent_without_the_two_idle_keys(params: Params, tmp_path: Path, file: str) -> None:
    params |= {"pi/w": params["pi/w"][:, :7].copy(), "pi/b": params["pi/b"][:7].copy()}
    agent = import_agent(write(tmp_path / file, params))
    assert agent.actions == (4, 7, 1, 5, 8, 2, 3)
    assert torch.equal(agent.network.policy.weight, torch.from_numpy(params["pi/w"].T.copy()))


@pytest.mark.parametrize("file", ["agent.jd", "agent.pb"])
@pytest.mark.parametrize("name", ["pi/2b/conv2d/kernel", "vf/b"])
@pytest.mark.parametrize("number", [np.nan, np.inf, -np.inf])
def test_weights_that_are_not_finite(params: Params, tmp_path: Path, file: str, name: str, number: float) -> None:
    params[name].flat[-1] = number
    with pytest.raises(CheckpointError, match=rf"{file}: the weights '{name}' are not all finite numbers\.$"):
        import_agent(write(tmp_path / file, params))


@pytest.mark.parametrize("file", ["agent.jd", "agent.pb"])
@pytest.mark.parametrize(
    ("name", "shape"),
    [
        ("pi/1a/conv2d/kernel", (5, 5, 3, 16)),
        ("pi/3a/conv2d/bias", (16,)),
        ("pi/dense/kernel", (1024, 256)),
        ("pi/dense_1/kernel", (256 * 512,)),
        ("pi/w", (512, 15)),
        ("vf/b", (1, 1)),
    ],
)
def test_weights_of_another_shape(params: Params, tmp_path: Path, file: str, name: str, shape: tuple[int, ...]) -> None:
    params[name] = np.ones(shape, np.float32)
    expected = f"{file} is not a published CoinRun agent: '{name}' has shape {shape} instead of {SHAPES[name]}."
    with pytest.raises(CheckpointError, match=re.escape(expected)):
        import_agent(write(tmp_path / file, params))


@pytest.mark.parametrize("file", ["agent.jd", "agent.pb"])
@pytest.mark.parametrize("name", ["pi/1a/conv2d/kernel", "pi/dense_1/bias", "pi/b", "vf/b"])
def test_weights_that_are_missing(params: Params, tmp_path: Path, file: str, name: str) -> None:
    del params[name]
    with pytest.raises(
        CheckpointError, match=rf"{file} is not a published CoinRun agent: it lacks the weights '{name}'"
    ):
        import_agent(write(tmp_path / file, params))


def test_other_graphs(params: Params, tmp_path: Path) -> None:
    path = tmp_path / "agent.pb"
    with pytest.raises(CheckpointError, match=r"no checkpoint at .*agent\.pb"):
        import_agent(path)
    with pytest.raises(CheckpointError, match=r"agent\.pb is not .* lacks the weights 'pi/1a/conv2d/kernel'"):
        import_agent(write(path, {"conv1/kernel": np.ones((3, 3), np.float32)}))
    with pytest.raises(CheckpointError, match=r"agent\.pb is not .* it has weights 'pi/1a/batch_norm/gamma' beside"):
        import_agent(write(path, params | {"pi/1a/batch_norm/gamma": np.ones(16, np.float32)}))
    path.write_bytes(b"")
    with pytest.raises(CheckpointError, match=r"agent\.pb is not a TensorFlow graph: it has no nodes"):
        import_agent(path)
    for content in (b"text", pickle.dumps({"params": {}, "args": {}}), b"\x0a\xff" * 20):
        path.write_bytes(content)
        with pytest.raises(CheckpointError, match=r"agent\.pb is not a complete TensorFlow graph"):
            import_agent(path)


@pytest.mark.parametrize("keep", [1, 100, 10_000, 700_000, -1, -60])
def test_a_truncated_graph(params: Params, tmp_path: Path, keep: int) -> None:
    path = write(tmp_path / "agent.pb", params)
    path.write_bytes(path.read_bytes()[:keep])
    with pytest.raises(CheckpointError, match=r"agent\.pb is not a complete TensorFlow graph"):
        import_agent(path)


def test_a_graph_cut_between_two_nodes(params: Params, tmp_path: Path) -> None:
    graph = graph_of(params)
    del graph.node[10:]
    (tmp_path / "agent.pb").write_bytes(graph.SerializeToString())
    with pytest.raises(CheckpointError, match="lacks the weights 'pi/4a/conv2d/bias'"):
        import_agent(tmp_path / "agent.pb")


def test_one_number_stands_for_a_constant_array_and_a_wrong_count_is_refused(params: Params, tmp_path: Path) -> None:
    graph = graph_of(params)
    [bias] = [node.attr["value"].tensor for node in graph.node if node.name == "ppo2_model/pi/b"]
    bias.ClearField("tensor_content")
    bias.float_val[:] = [0.25]
    (tmp_path / "agent.pb").write_bytes(graph.SerializeToString())
    assert import_agent(tmp_path / "agent.pb").network.policy.bias.tolist() == [0.25] * 9
    for values, content in (([0.25] * 4, b""), ([], b""), ([], b"123"), ([], b"1234" * 10)):
        bias.float_val[:], bias.tensor_content = values, content
        (tmp_path / "agent.pb").write_bytes(graph.SerializeToString())
        with pytest.raises(CheckpointError, match=r"agent\.pb has a damaged tensor 'ppo2_model/pi/b'"):
            import_agent(tmp_path / "agent.pb")


def test_only_reading_a_graph_loads_tensorboard() -> None:
    code = "import sys, agents.openai; sys.exit('tensorboard' in sys.modules)"
    assert subprocess.run([sys.executable, "-c", code], check=False, cwd=Path(__file__).parents[2]).returncode == 0


@pytest.mark.parametrize("file", FILES)
def test_an_imported_agent_survives_the_projects_format(published: Path, tmp_path: Path, file: str) -> None:
    agent = import_agent(published / file)
    save_agent(tmp_path / "agent.safetensors", agent)
    loaded = load_agent(tmp_path / "agent.safetensors", "clear")
    assert fingerprint(loaded) == fingerprint(agent)
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
    with pytest.raises(CheckpointError, match=r"empty\.jd is not a published CoinRun agent: it lacks the weights"):
        import_agent(tmp_path / "empty.jd")
    joblib.dump(np.zeros(3), tmp_path / "array.jd")
    with pytest.raises(CheckpointError, match=r"array\.jd is not a published CoinRun agent"):
        import_agent(tmp_path / "array.jd")


def test_a_truncated_published_file(published: Path, tmp_path: Path) -> None:
    whole = (published / "coinrun.jd").read_bytes()
    for keep in (100, 10_000, len(whole) - 1000):
        (tmp_path / "short.jd").write_bytes(whole[:keep])
        with pytest.raises(CheckpointError, match="not a complete joblib file"):
            import_agent(tmp_path / "short.jd")
