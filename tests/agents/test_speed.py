"""What the benchmark counts and how it puts times together; that it runs is tested with its command."""

import pytest
import torch

from agents.computation import Computation
from agents.ppo import PPOConfig
from agents.speed import Measurement, Variant, _medians, changes, matrix_flops, measure, network_flops, paths, shortened
from rollouts.errors import InputError


def test_flops_of_the_compact_network_by_hand() -> None:
    """Multiply-adds of each layer, two operations each; the first convolution passes no gradient to the frame."""
    first = 32 * 32 * 16 * 3 * 25
    rest = 16 * 16 * 32 * 16 * 25 + 16 * 16 * 32 * 32 * 9 + 8 * 8 * 32 * 32 * 9 + 512 * 256 + 256 * 16
    forward, backward = 2 * (first + rest), 2 * (first + 2 * rest)
    assert network_flops("compact", epochs=3) == forward + 3 * (forward + backward)


def test_a_step_pays_its_rollout_once_and_its_update_for_every_epoch() -> None:
    ppo = PPOConfig(num_envs=8, rollout_steps=64, minibatches=4, epochs=3)
    assert shortened(ppo) == PPOConfig(num_envs=8, rollout_steps=16, minibatches=1, epochs=1)
    rounds = [Measurement(0.5, seconds, 1e9, 100) for seconds in (0.1, 0.5, 0.2)]
    found = _medians(rounds, ppo, flops=10)
    assert found.rounds == pytest.approx([128 / 0.8, 128 / 2.0, 128 / 1.1])
    assert found.steps_per_second == pytest.approx(128 / 1.1)
    assert found.flops == pytest.approx(1280 / 1.1)
    with pytest.raises(InputError, match="A minibatch of 24 is no whole number of steps of 48"):
        shortened(PPOConfig(num_envs=48, rollout_steps=1, minibatches=2))


def test_variants_end_where_the_fast_path_is() -> None:
    fast = paths("clear", "cpu")["fast"]
    assert list(paths("clear", "cpu")) == ["plain", "fast", "contiguous"]
    last = changes("clear", "cpu")["+ compiled"]
    assert last.memory_kept
    assert fast.memory_kept
    assert last.computation.slice_size == fast.computation.slice_size
    assert not changes("clear", "cpu")["plain"].computation.bfloat16


def test_two_variants_are_measured_in_turn() -> None:
    ppo = PPOConfig(num_envs=4, rollout_steps=8, minibatches=2, epochs=2)
    told: list[tuple[int, str]] = []
    variants = {"a": Variant(Computation(), False), "b": Variant(Computation(slice_size=8), True)}
    rates, environments = measure("compact", ppo, variants, 1, 1, 0, lambda done, name: told.append((done, name)))
    assert told == [(1, "a"), (2, "b"), (3, "a"), (4, "b")]
    assert set(rates) == {"a", "b"}
    for each in rates.values():
        assert 0 < each.steps_per_second < environments
        assert each.peak_bytes > 100e6


def test_a_matrix_product_has_a_rate() -> None:
    assert matrix_flops("cpu", torch.float32, seconds=0.05) > 1e8
