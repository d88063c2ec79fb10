"""An edited agent does not read the direction that was projected out, and reads everything else as before."""

import re

import numpy as np
import pytest
import torch
from torch import nn

from agents.checkpoint import Agent, fingerprint, untrained_agent
from agents.editing import project_out, reader, without_feature
from agents.networks import ActorCritic, Blueprint
from rollouts.env import EnvOptions
from rollouts.errors import InputError

FRAMES = torch.from_numpy(np.random.default_rng(0).integers(0, 256, (4, 64, 64, 3), dtype=np.uint8))
READERS = [
    ("compact", "2a", "2b_conv"),
    ("compact", "2b", "3a_conv"),
    ("compact", "3a", "fc1_linear"),
    ("clear", "4a", "fc1_linear"),
    ("nature", "3a", "fc1_linear"),
    ("impala", "1c", "2a_conv"),
]


def agent(network: str) -> Agent:
    return untrained_agent(network, EnvOptions(), seed=1)


def direction(channels: int) -> np.ndarray:
    return np.random.default_rng(2).normal(size=channels).astype(np.float32)


def from_the_reader(network: ActorCritic, name: str) -> nn.Sequential:
    """The trunk from what the reader reads, dense layers from before the flattening."""
    names = [child for child, _ in network.trunk.named_children()]
    start = names.index(name)
    return nn.Sequential(*list(network.trunk)[start - (names[start - 1] == "flatten") :])


def before_the_reader(network: ActorCritic, name: str) -> torch.Tensor:
    names = [child for child, _ in network.trunk.named_children()]
    start = names.index(name)
    return nn.Sequential(*list(network.trunk)[: start - (names[start - 1] == "flatten")])(network.prepare(FRAMES))


@pytest.mark.parametrize(("network", "layer", "name"), READERS)
@torch.no_grad()
def test_what_reads_a_layer_is_blind_to_the_direction_and_to_nothing_else(network: str, layer: str, name: str) -> None:
    """Move the (pooled) channels along v at every cell: the output stays; move them across v: it changes as before."""
    original = agent(network)
    assert reader(original.network, layer) == name
    channels = before_the_reader(original.network, name).shape[1]
    v = direction(channels)
    edited = without_feature(original, layer, v)
    shift, across = torch.from_numpy(v), torch.from_numpy(direction(channels)[::-1].copy())
    across -= (across @ shift) / (shift @ shift) * shift
    hidden = before_the_reader(edited.network, name)
    steps = torch.randn(len(hidden), 1, *hidden.shape[2:], generator=torch.Generator().manual_seed(3))
    rest = {who: from_the_reader(one.network, name) for who, one in (("original", original), ("edited", edited))}
    along = hidden + steps * shift[:, None, None]
    torch.testing.assert_close(rest["edited"](along), rest["edited"](hidden), rtol=1e-4, atol=1e-4)
    assert (rest["original"](along) - rest["original"](hidden)).abs().max() > 0.05
    # On activations without any of v, the edited network is the original one.
    clean = steps * across[:, None, None]
    torch.testing.assert_close(rest["edited"](clean), rest["original"](clean), rtol=1e-4, atol=1e-4)


@torch.no_grad()
def test_one_channel_is_edited_out_through_the_pooling() -> None:
    edited = without_feature(agent("compact"), "2b", np.eye(32, dtype=np.float32)[5])
    hidden = edited.network.until("2b")(edited.network.prepare(FRAMES))
    changed = hidden.clone()
    changed[:, 5] = 7
    after = edited.network.after("2b")
    torch.testing.assert_close(after(changed), after(hidden), rtol=0, atol=0)
    changed[:, 6] = 7
    assert (after(changed)[1] - after(hidden)[1]).abs().max() > 0.01


@pytest.mark.parametrize("shape", [(6, 4, 3, 3), (6, 4 * 9)])
def test_projection_agrees_with_the_matrix_at_every_place_of_the_kernel(shape: tuple[int, ...]) -> None:
    weight = np.random.default_rng(0).normal(size=shape)
    v = np.array([1.0, -2.0, 0.5, 3.0])
    projector = np.eye(4) - np.outer(v, v) / (v @ v)
    expected = weight.reshape(6, 4, 9).copy()
    for place in range(9):
        expected[:, :, place] = expected[:, :, place] @ projector
    projected = project_out(torch.from_numpy(weight), torch.from_numpy(v))
    np.testing.assert_allclose(projected, expected.reshape(shape), atol=1e-12)


def test_only_one_weight_of_a_new_agent_changes() -> None:
    original = agent("compact")
    original.evaluation = {"unseen": 1}
    before = fingerprint(original)
    edited = without_feature(original, "2b", direction(32))
    assert fingerprint(original) == before
    changed = {
        name
        for name, tensor in edited.network.state_dict().items()
        if not torch.equal(tensor, original.network.state_dict()[name])
    }
    assert changed == {"trunk.3a_conv.weight"}
    assert edited.evaluation == {}, "what was measured of the original is not true of the edited agent"
    twice = without_feature(edited, "2b", 3 * direction(32))
    torch.testing.assert_close(twice.network.state_dict(), edited.network.state_dict())


def test_a_direction_that_nothing_reads_changes_nothing() -> None:
    original = agent("compact")
    with torch.no_grad():
        original.network.trunk.get_submodule("3a_conv").weight[:, 5] = 0
    edited = without_feature(original, "2b", np.eye(32, dtype=np.float32)[5])
    assert fingerprint(edited) == fingerprint(original)


def test_what_cannot_be_edited_is_refused_in_one_sentence() -> None:
    compact = agent("compact")
    for layer, v, message in (
        ("2b", direction(16), "The direction has shape (16,); layer 2b has 32 channels."),
        ("2b", np.zeros(32, dtype=np.float32), "zero or not finite"),
        ("2b", np.full(32, np.nan, dtype=np.float32), "zero or not finite"),
        ("9z", direction(32), "compact has no layer '9z'"),
    ):
        with pytest.raises(InputError, match=re.escape(message)):
            without_feature(compact, layer, v)
    with pytest.raises(InputError, match="Layer 1a of impala is read by 1b, which has a skip path"):
        without_feature(agent("impala"), "1a", direction(16))
    modules = {"1a_conv": nn.Conv2d(3, 4, 8, 8), "1a": nn.ReLU(), "flatten": nn.Flatten()}
    with pytest.raises(InputError, match="Only the heads of shallow read layer 1a"):
        reader(ActorCritic("shallow", 15, Blueprint(modules, 256, ("1a",), "1a")), "1a")
