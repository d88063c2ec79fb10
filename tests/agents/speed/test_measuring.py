"""How the benchmark puts times together; that it runs is tested with its command."""

import pytest

from agents.computation import Computation
from agents.ppo import PPOConfig
from agents.speed.measuring import Measurement, measure, medians, shortened
from agents.speed.variants import Variant
from rollouts.errors import InputError


def test_a_step_pays_its_rollout_once_and_its_update_for_every_epoch() -> None:
    ppo = PPOConfig(num_envs=8, rollout_steps=64, minibatches=4, epochs=3)
    assert shortened(ppo) == PPOConfig(num_envs=8, rollout_steps=16, minibatches=1, epochs=1)
    rounds = [Measurement(0.5, seconds, 1e9, 100) for seconds in (0.1, 0.5, 0.2)]
    rates = medians(rounds, ppo, flops=10)
    assert rates.rounds == pytest.approx([128 / 0.8, 128 / 2.0, 128 / 1.1])
    assert rates.steps_per_second == pytest.approx(128 / 1.1)
    assert rates.flops == pytest.approx(1280 / 1.1)
    with pytest.raises(InputError, match="A minibatch of 24 is no whole number of steps of 48"):
        shortened(PPOConfig(num_envs=48, rollout_steps=1, minibatches=2))


@pytest.mark.long
def test_two_variants_are_measured_in_turn() -> None:
    ppo = PPOConfig(num_envs=4, rollout_steps=8, minibatches=2, epochs=2)
    done: list[tuple[int, str]] = []
    variants = {"a": Variant(Computation(), False), "b": Variant(Computation(slice_size=8), True)}
    measured = measure("compact", ppo, variants, 1, 1, 0, lambda more, note="": done.append((more, note)))
    assert done == [(1, "a"), (1, "b"), (1, "a"), (1, "b")]
    assert set(measured.rates) == {"a", "b"}
    for rates in measured.rates.values():
        assert 0 < rates.steps_per_second < measured.environments
        assert rates.peak_bytes > 100e6
    written = measured.to_json()
    assert written["environment_steps_per_second"] == measured.environments
    assert written["variants"]["b"]["memory_kept"]
    assert written["variants"]["b"]["computation"]["slice_size"] == 8
    assert written["variants"]["b"]["rounds"] == measured.rates["b"].rounds
