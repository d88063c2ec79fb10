"""Every way of computing a network gives the same answer, within the rounding of its number format."""

import shutil
import subprocess
import sys

import pytest
import torch

from agents.computation import Computation, choose
from agents.networks import NETWORKS, ActorCritic
from rollouts.errors import InputError

FRAMES = torch.randint(0, 256, (6, 64, 64, 3), dtype=torch.uint8, generator=torch.Generator().manual_seed(0))


def gradients(network: str, computation: Computation) -> tuple[torch.Tensor, torch.Tensor]:
    """Logits and values of six frames, and the gradient of the sum of their squares with respect to the weights."""
    torch.manual_seed(0)
    agent = ActorCritic(network, 15)
    torch.nn.init.orthogonal_(agent.policy.weight)
    logits, values = computation.function(agent)(FRAMES)
    outputs = torch.cat([logits, values[:, None]], dim=1)
    outputs.square().sum().backward()
    return outputs.detach(), torch.cat([p.grad.flatten() for p in agent.parameters() if p.grad is not None])


@pytest.mark.parametrize("network", sorted(NETWORKS))
@pytest.mark.parametrize(
    ("computation", "tolerance"),
    [
        (Computation(layout="permuted"), 1e-4),
        (Computation(layout="contiguous"), 1e-4),
        (Computation(bfloat16=True), 0.05),
    ],
    ids=["permuted", "contiguous", "bfloat16"],
)
def test_layouts_agree(network: str, computation: Computation, tolerance: float) -> None:
    reference, reference_gradient = gradients(network, Computation())
    outputs, gradient = gradients(network, computation)
    assert outputs.dtype == torch.float32
    assert (outputs - reference).norm() < tolerance * reference.norm()
    assert (gradient - reference_gradient).norm() < tolerance * reference_gradient.norm()


@pytest.mark.skipif(shutil.which("cc") is None, reason="no C++ compiler on the PATH")
def test_compiling_agrees() -> None:
    reference, reference_gradient = gradients("compact", Computation())
    outputs, gradient = gradients("compact", Computation(compiled=True))
    assert (outputs - reference).norm() < 1e-4 * reference.norm()
    assert (gradient - reference_gradient).norm() < 1e-4 * reference_gradient.norm()


def test_choices() -> None:
    assert choose("compact", 10**6, "plain", "cpu") == Computation("cpu", layout="permuted")
    assert choose("clear", 10**6, "contiguous", "cpu") == Computation("cpu", layout="contiguous")
    fast = choose("impala", 10**6, device="cpu", precision="bfloat16")
    assert fast == Computation("cpu", bfloat16=True, slice_size=256)
    compiles = shutil.which("cc") is not None
    assert choose("compact", 10**6, device="cpu").compiled == compiles
    assert not choose("compact", 10**5, device="cpu").compiled, "compiling takes longer than it saves"
    assert not choose("compact", 10**6, device="cpu", compiled="false").compiled


@pytest.mark.parametrize(
    ("settings", "sentence"),
    [
        ({"path": "quick"}, "path is 'quick'; it can be fast, plain, contiguous"),
        ({"device": "tpu"}, "device is 'tpu'; it can be auto, cpu, cuda"),
        ({"precision": "float16"}, "precision is 'float16'; it can be"),
        ({"compiled": "maybe"}, "compiled is 'maybe'; it can be"),
    ],
)
def test_settings_that_cannot_be_are_refused(settings: dict[str, str], sentence: str) -> None:
    with pytest.raises(InputError, match=sentence):
        choose("compact", 10**6, **settings)


def test_a_missing_gpu_is_said(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(torch.cuda, "is_available", lambda: False)
    with pytest.raises(InputError, match="torch finds no GPU here"):
        choose("clear", 10**6, device="cuda")


def test_a_missing_compiler_is_said(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(shutil, "which", lambda program: None)
    assert not choose("compact", 10**6, device="cpu").compiled
    with pytest.raises(InputError, match=r"needs a C\+\+ compiler"):
        choose("compact", 10**6, device="cpu", compiled="true")


def test_freed_memory_is_kept() -> None:
    """The page faults of making a large array again and again, as the kernel counts them."""

    program = """
import resource, sys
import torch
from agents.computation import tune_process
tuned = sys.argv[1] == "tuned" and tune_process()
def faults():
    before = resource.getrusage(resource.RUSAGE_SELF).ru_minflt
    for _ in range(10):
        torch.ones(20_000_000)
    return resource.getrusage(resource.RUSAGE_SELF).ru_minflt - before
faults()
print(int(tuned), faults())
"""
    found = {}
    for mode in ("tuned", "untuned"):
        output = subprocess.run([sys.executable, "-c", program, mode], capture_output=True, text=True, check=True)
        took_effect, found[mode] = (int(word) for word in output.stdout.split())
        if mode == "tuned" and not took_effect:
            pytest.skip("this C library is not glibc")
    assert found["tuned"] < found["untuned"] / 10
