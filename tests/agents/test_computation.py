"""Every way of computing a network gives the same answer, within the rounding of its number format."""

import os
import subprocess
import sys
import sysconfig
from pathlib import Path

import pytest
import torch

from agents.computation import Computation, choose, computes_bfloat16, missing_for_compiling
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


@pytest.mark.skipif(missing_for_compiling() is not None, reason=f"there is no {missing_for_compiling()}")
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
    assert choose("compact", 10**6, device="cpu").compiled == (missing_for_compiling() is None)
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


@pytest.fixture(params=["compiler", "compiler that CXX names", "headers"])
def lacking(request: pytest.FixtureRequest, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> str:
    """A machine that lacks one of the things that compiling needs, and what it is said to be; the others are there."""
    monkeypatch.delenv("CXX", raising=False)
    compiler = tmp_path / "bin/g++"
    compiler.parent.mkdir()
    compiler.touch(mode=0o755)
    (tmp_path / "Python.h").touch()
    monkeypatch.setenv("PATH", str(compiler.parent))
    monkeypatch.setattr(sysconfig, "get_path", lambda name: str(tmp_path))
    assert missing_for_compiling() is None
    if request.param == "compiler":
        compiler.unlink()
        return "a C++ compiler, and there is no g++ on the PATH."
    if request.param == "headers":
        (tmp_path / "Python.h").unlink()
        return f"Python's headers, and there is no {tmp_path / 'Python.h'}."
    monkeypatch.setenv("CXX", "clang++")
    return "a C++ compiler, and there is no clang++ on the PATH."


def test_what_compiling_needs_and_is_not_there_is_said(lacking: str) -> None:
    said: list[str] = []
    assert not choose("compact", 10**6, device="cpu", tell=said.append).compiled
    assert said == [f"compact is computed without compiling it, more slowly: that needs {lacking}"]
    for network, steps, compiled in (("impala", 10**6, "auto"), ("compact", 1000, "auto"), ("compact", 10**6, "false")):
        choose(network, steps, device="cpu", compiled=compiled, tell=said.append)
    assert len(said) == 1, "it would not have been compiled anyway"
    with pytest.raises(InputError) as error:
        choose("compact", 10**6, device="cpu", compiled="true")
    assert str(error.value) == f"Compiling a network needs {lacking}"


@pytest.mark.parametrize("lacking", ["compiler"], indirect=True)
@pytest.mark.usefixtures("lacking")
def test_the_compiler_that_is_looked_for_is_the_one_that_torch_calls(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in (None, "clang++"):
        program = "from torch._inductor import config; print(config.cpp.cxx[1])"
        environment = os.environ | ({"CXX": name} if name else {})
        said = subprocess.run([sys.executable, "-c", program], env=environment, capture_output=True, text=True)
        for key, value in environment.items():
            monkeypatch.setenv(key, value)
        assert f"no {said.stdout.strip()} on the PATH" in str(missing_for_compiling())


@pytest.mark.parametrize(
    ("flags", "expected"),
    [
        ({"avx2": True, "avx512_f": True, "avx512_bw": True, "avx512_vnni": True, "avx512_bf16": False}, False),
        ({"avx2": True, "avx512_f": True, "avx512_bf16": True, "amx_bf16": False}, True),
        ({"avx2": True, "avx512_f": True, "avx512_bf16": False, "amx_bf16": True}, True),
        ({"neon": True, "bf16": True}, True),
        ({"neon": True, "fp16_arith": True, "bf16": False}, False),
        ({"architecture": "riscv64"}, False),
    ],
    ids=["Skylake", "Zen 4", "Sapphire Rapids", "Graviton 3", "Graviton 2", "unknown"],
)
def test_cpus_that_compute_in_bfloat16(flags: dict[str, bool], expected: bool, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(torch.cpu, "get_capabilities", lambda: flags)
    monkeypatch.setattr(torch.ops.mkldnn, "_is_mkldnn_bf16_supported", lambda: True)
    assert computes_bfloat16("cpu") == expected
    assert choose("clear", 1000, device="cpu").bfloat16 == expected
    assert choose("clear", 1000, device="cpu", precision="bfloat16").bfloat16, "what is asked for is done"
    monkeypatch.setattr(torch.ops.mkldnn, "_is_mkldnn_bf16_supported", lambda: False)
    assert not computes_bfloat16("cpu"), "a build of torch without oneDNN"


@pytest.mark.parametrize(("major", "expected"), [(7, False), (8, True), (9, True)], ids=["V100, T4", "A100", "H100"])
def test_gpus_that_compute_in_bfloat16(major: int, expected: bool, monkeypatch: pytest.MonkeyPatch) -> None:
    """A GPU older than Ampere computes bfloat16 too, by converting it: torch says yes of it unless asked otherwise."""

    class Properties:
        def __init__(self, device: int) -> None:
            self.major = major

    monkeypatch.setattr(torch.cuda, "is_available", lambda: True)
    monkeypatch.setattr(torch.cuda, "current_device", lambda: 0)
    monkeypatch.setattr(torch.cuda, "get_device_properties", Properties)
    monkeypatch.setattr(torch.cuda, "_check_bf16_tensor_supported", lambda device: True)
    assert torch.cuda.is_bf16_supported()
    assert computes_bfloat16("cuda") == expected
    assert choose("clear", 1000).bfloat16 == expected


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
