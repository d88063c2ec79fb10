"""From cells to pixels."""

import numpy as np
import pytest
import torch
from torch import nn

from agents.networks import ActorCritic
from scoring.explain.geometry import layer_geometry
from scoring.features.projection import box_kernel, covered, effective_receptive_field, push_forward


def test_covered_equals_a_slow_loop() -> None:
    generator = np.random.default_rng(0)
    for kind in ("clear", "compact", "nature"):
        agent = ActorCritic(kind, 2)
        for layer in agent.layers[1:3]:
            geometry = layer_geometry(agent, layer)
            cells = generator.random((2, 3, geometry.size, geometry.size)) < 0.02
            expected = np.zeros((2, 3, 64, 64), dtype=bool)
            for n, k, row, column in np.argwhere(cells):
                expected[n, k, slice(*geometry.box(row)), slice(*geometry.box(column))] = True
            np.testing.assert_array_equal(covered(cells, geometry), expected)


@pytest.mark.parametrize(("kind", "layer"), [("clear", "2b"), ("clear", "4a"), ("compact", "2b"), ("nature", "2a")])
def test_pushing_forward_keeps_each_cells_mass_inside_its_receptive_field(kind: str, layer: str) -> None:
    geometry = layer_geometry(ActorCritic(kind, 2), layer)
    generator = np.random.default_rng(0)
    side = geometry.receptive_field
    kernel = generator.random((2, side, side)).astype(np.float32)
    kernel /= kernel.sum(axis=(1, 2), keepdims=True)
    last = geometry.size - 1
    for row, column in ((0, 0), (last, last // 2), (last // 2, last // 2)):
        maps = np.zeros((1, 2, geometry.size, geometry.size), dtype=np.float32)
        maps[0, :, row, column] = (2.0, -3.0)
        pixels = push_forward(maps, kernel, geometry)
        assert pixels.shape == (1, 2, 64, 64)
        np.testing.assert_allclose(pixels.sum(axis=(2, 3)), [[2, -3]], rtol=1e-4)
        np.testing.assert_array_equal(pixels[0, 0] != 0, covered(maps[:, :1] != 0, geometry)[0, 0])
        top, left = (geometry.corner + cell * geometry.jump for cell in (row, column))
        if top >= 0 and left >= 0 and top + side <= 64 and left + side <= 64:
            np.testing.assert_allclose(pixels[0, 0, top : top + side, left : left + side], 2 * kernel[0], rtol=1e-4)


def test_pushing_forward_adds_up() -> None:
    geometry = layer_geometry(ActorCritic("compact", 2), "2b")
    maps = np.random.default_rng(0).random((2, 3, geometry.size, geometry.size)).astype(np.float32)
    both = push_forward(maps, box_kernel(geometry), geometry)
    np.testing.assert_allclose(both.sum(axis=(2, 3)), maps.sum(axis=(2, 3)), rtol=1e-4)
    parts = sum(
        push_forward(maps * (np.arange(16) == row)[:, None], box_kernel(geometry), geometry) for row in range(16)
    )
    np.testing.assert_allclose(both, parts, rtol=1e-3, atol=1e-6)


def linear(kind: str) -> ActorCritic:
    """All weights equal, no pooling nonlinearity felt: activations are weighted sums of pixels (all positive)."""
    agent = ActorCritic(kind, 2)
    for parameter in agent.parameters():
        nn.init.zeros_(parameter) if parameter.ndim == 1 else nn.init.constant_(parameter, 0.01)
    return agent


def test_effective_receptive_field_of_uniform_weights_has_the_closed_form_width() -> None:
    """sd^2 = sum over layers of jump^2 (k^2 - 1) / 12 (Luo et al. 2016), 4.50 px at the clear network's 2b."""
    agent = linear("clear")
    geometry = layer_geometry(agent, "2b")
    frames = np.full((1, 64, 64, 3), 100, dtype=np.uint8)
    directions = np.eye(32, dtype=np.float32)[:1]
    kernel = effective_receptive_field(agent, "2b", geometry, directions, frames)
    assert kernel.shape == (1, 24, 24)
    assert kernel.sum() == pytest.approx(1, rel=1e-5)
    offset = np.arange(24) - 11.5
    sd = np.sqrt((kernel[0].sum(axis=0) * offset**2).sum())
    closed_form = np.sqrt(((7**2 - 1) + (2**2 - 1) + 2 * 4 * (5**2 - 1)) / 12)
    assert closed_form == pytest.approx(4.50, abs=0.01)
    assert sd == pytest.approx(closed_form, rel=0.01)


def test_effective_receptive_field_follows_the_direction() -> None:
    """A channel that looks at one pixel has a kernel with one pixel."""
    agent = ActorCritic("compact", 2)
    with torch.no_grad():
        conv = agent.trunk.get_submodule("1a_conv")
        assert isinstance(conv, nn.Conv2d)
        conv.weight.zero_()
        conv.weight[0, :, 1, 3] = 1
        conv.weight[1, :, 4, 0] = 1
    geometry = layer_geometry(agent, "1a")
    frames = np.full((2, 64, 64, 3), 50, dtype=np.uint8)
    directions = np.zeros((3, 16), dtype=np.float32)
    directions[0, 0] = directions[1, 1] = directions[2, 0] = directions[2, 1] = 1
    kernel = effective_receptive_field(agent, "1a", geometry, directions, frames)
    assert np.argwhere(kernel[0]).tolist() == [[1, 3]]
    assert np.argwhere(kernel[1]).tolist() == [[4, 0]]
    np.testing.assert_allclose(kernel[2][kernel[2] > 0], 0.5)
