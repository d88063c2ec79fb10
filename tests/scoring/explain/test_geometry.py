"""Where cells lie in the frame, against the support of gradients."""

import numpy as np
import pytest
import torch
from torch import nn

from agents.networks import NETWORKS, ActorCritic
from rollouts.errors import InputError
from scoring.explain.geometry import average_over_cells, cell_of_pixel, cell_weights, layer_geometry

LAYERS = [(network, layer) for network in NETWORKS for layer in ActorCritic(network, 2).layers]


def positive(network: str) -> ActorCritic:
    """A random network with positive weights and average in place of max pooling: every gradient in it is positive."""
    torch.manual_seed(0)
    agent = ActorCritic(network, 2)
    for parameter in agent.parameters():
        nn.init.uniform_(parameter, 0.1, 1.0)
    for name, module in agent.trunk.named_children():
        if isinstance(module, nn.MaxPool2d):
            setattr(agent.trunk, name, nn.AvgPool2d(module.kernel_size, module.stride, module.padding))
    return agent


@pytest.mark.parametrize(("network", "layer"), LAYERS)
def test_receptive_fields_are_the_support_of_the_gradient(network: str, layer: str) -> None:
    agent = positive(network)
    geometry = layer_geometry(agent, layer)
    frame = torch.rand(1, 3, 64, 64, generator=torch.Generator().manual_seed(1)).double().requires_grad_()
    hidden = agent.double().until(layer)(frame)
    assert hidden.shape[1:] == (geometry.channels, geometry.size, geometry.size)
    last = geometry.size - 1
    for row, column in {(0, 0), (last, last), (last // 2, last // 3), (0, last), (last // 2, last)}:
        (gradient,) = torch.autograd.grad(hidden[0, 0, row, column], frame, retain_graph=True)
        support = gradient[0, 0] > 0
        expected = torch.zeros(64, 64, dtype=torch.bool)
        expected[slice(*geometry.box(row)), slice(*geometry.box(column))] = True
        assert torch.equal(support, expected)


@pytest.mark.parametrize(
    ("layer", "field", "jump", "start"), [("1a", 7, 1, 0), ("2b", 24, 2, 0.5), ("3a", 42, 4, 1.5), ("4a", 78, 8, 3.5)]
)
def test_the_clear_network_has_the_published_receptive_fields(layer: str, field: int, jump: int, start: float) -> None:
    geometry = layer_geometry(ActorCritic("clear", 2), layer)
    assert (geometry.receptive_field, geometry.jump, geometry.start) == (field, jump, start)


def test_an_unknown_layer_is_answered_with_the_list() -> None:
    with pytest.raises(InputError, match="1a, 2a, 2b, 3a, 4a"):
        layer_geometry(ActorCritic("clear", 2), "5a")


@pytest.mark.parametrize(("network", "layer"), LAYERS)
def test_cell_weights_by_counting_fine_slices(network: str, layer: str) -> None:
    """Cut each cell into 1000 slices and look up the pixel of each."""
    geometry = layer_geometry(ActorCritic(network, 2), layer)
    weights = cell_weights(geometry)
    for cell in range(geometry.size):
        slices = geometry.centres[cell] + geometry.jump * ((np.arange(1000) + 0.5) / 1000 - 0.5)
        pixels = np.floor(slices + 0.5).astype(int)
        pixels = pixels[(pixels >= 0) & (pixels < 64)]
        counted = np.bincount(pixels, minlength=64) / len(pixels)
        np.testing.assert_allclose(weights[cell], counted, atol=2e-3)


def test_average_over_cells_by_hand() -> None:
    """The clear network's 2b has cells of exactly 2 x 2 pixels; compact's 2b has cells centred on pixels 0, 4, 8 ..."""
    mask = np.zeros((64, 64), dtype=bool)
    mask[10:12, 20] = True
    clear = average_over_cells(mask, layer_geometry(ActorCritic("clear", 2), "2b"))
    assert clear[5, 10] == pytest.approx(0.5)
    assert clear.sum() == pytest.approx(0.5)
    compact = average_over_cells(mask, layer_geometry(ActorCritic("compact", 2), "2b"))
    # Cell 3 of the rows covers 9.5 (half of pixel 10) to 14; pixel 20 is the centre of column 5: 1.5 of 4 rows, 1 of 4.
    assert compact[3, 5] == pytest.approx(1.5 / 4 / 4)
    assert compact[2, 5] == pytest.approx(0.5 / 4 / 4)


def test_pixels_belong_to_the_nearest_cell() -> None:
    clear = cell_of_pixel(layer_geometry(ActorCritic("clear", 2), "2b"))
    assert clear.tolist() == [pixel // 2 for pixel in range(64)]
    nature = cell_of_pixel(layer_geometry(ActorCritic("nature", 2), "2a"))
    assert nature[5] == -1  # cell 0 is centred on 9.5 and 8 pixels wide
    assert nature[6] == 0
    assert nature[63] == -1
