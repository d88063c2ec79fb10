"""What a machine could do at best, and what the network asks of it."""

import torch

from agents.speed.machine import describe, matrix_flops, network_flops


def test_flops_of_the_compact_network_by_hand() -> None:
    """Multiply-adds of each layer, two operations each; the first convolution passes no gradient to the frame."""
    first = 32 * 32 * 16 * 3 * 25
    rest = 16 * 16 * 32 * 16 * 25 + 16 * 16 * 32 * 32 * 9 + 8 * 8 * 32 * 32 * 9 + 512 * 256 + 256 * 16
    forward, backward = 2 * (first + rest), 2 * (first + 2 * rest)
    assert network_flops("compact", epochs=3) == forward + 3 * (forward + backward)


def test_a_matrix_product_has_a_rate() -> None:
    assert matrix_flops("cpu", torch.float32, seconds=0.05) > 1e8


def test_figures_belong_to_a_machine() -> None:
    machine = describe(threads=1, cores=2)
    assert machine.description.startswith("1 of 2 cores of ")
    assert machine.torch == torch.__version__
