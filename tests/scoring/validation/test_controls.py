"""Controls are what their names say."""

import numpy as np
import torch

from agents.checkpoint import untrained_agent
from rollouts.env import EnvOptions
from scoring.laboratory.networks import cascade, distilled, randomised
from scoring.validation.controls import HANDMADE, handmade


def test_randomising_changes_the_named_parts_and_no_others() -> None:
    agent = untrained_agent("compact", EnvOptions(), seed=0)
    assert cascade(agent.network) == ["value", "fc1_linear", "3a_conv", "2b_conv", "2a_conv", "1a_conv"]
    changed = randomised(agent, ["value", "2b_conv"], seed=1)
    for (name, ours), theirs in zip(
        agent.network.named_parameters(), changed.network.parameters(), strict=True
    ):  # biases begin at 0 in every network
        alike = torch.equal(ours, theirs)
        assert alike == (name not in ("value.weight", "trunk.2b_conv.weight")), name


def test_a_distilled_network_reaches_its_loss_or_says_how_far_it_came() -> None:
    generator = np.random.default_rng(0)
    frames = generator.integers(0, 256, (48, 64, 64, 3), dtype=np.uint8)
    values = generator.standard_normal(48).astype(np.float32)
    student, reached = distilled("compact", frames, values, loss=0.3, seed=0, batch=16)
    assert reached <= 0.3
    with torch.no_grad():
        outputs = student.network(torch.from_numpy(frames))[1].numpy()
    assert np.corrcoef(outputs, values)[0, 1] > 0.7
    _, reached = distilled("compact", frames, values, loss=0, seed=0, most=1)
    assert reached > 0.3


def test_features_made_by_hand() -> None:
    """On a frame that is half black and half grey, with a square of the coin's yellow in the grey."""
    frame = np.zeros((1, 64, 64, 3), dtype=np.uint8)
    frame[:, :, 32:] = 128
    frame[:, 40:48, 48:56] = (255, 204, 0)
    network = handmade().network
    with torch.no_grad():
        hidden = network.until("2b")(network.prepare(torch.from_numpy(frame)))[0].numpy()
    edges, constant, yellow = (hidden[HANDMADE.index(name)] for name in ("edges", "constant", "yellow"))
    assert edges[4:7, 8].min() > 10 * edges[4:7, 3].max()
    assert edges[4:7, 3].max() == 0
    inside = constant[1:-1, 1:-1]
    assert inside.min() == inside.max() > 0
    rows, columns = np.nonzero(yellow)
    assert set(rows) <= {9, 10, 11, 12}
    assert set(columns) <= {11, 12, 13, 14}
    assert yellow.max() > 0
