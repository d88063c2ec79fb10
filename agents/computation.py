"""How a network is computed on this machine: rounding and speed, nothing of the algorithm.

`docs/performance.md` says what each choice was measured to bring.
"""

import copy
import ctypes
import os
import platform
import shutil
import sysconfig
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import torch
from torch import Tensor
from torch.utils.flop_counter import FlopCounterMode

from agents.networks import ActorCritic
from rollouts.errors import InputError

PATHS = ("fast", "plain", "contiguous")
LAYOUTS = ("channels_last", "permuted", "contiguous")

COMPILED = {"cpu": ("clear", "compact", "nature"), "cuda": ("clear", "compact", "nature", "impala")}
"""Networks that run faster compiled. `impala` is slower on a CPU: its max pooling is."""
COMPILATION_PAYS = 500_000
"""Steps from which on a run earns back the time that compiling takes."""
BFLOAT16_FLAGS = ("avx512_bf16", "amx_bf16", "bf16")
"""Of processors that multiply in bfloat16: two of x86 and one of arm. Any other AVX-512 converts to float32 first."""
SLICES = {"cpu": 256, "cuda": 8192}
HALVES = {"cpu": 1, "cuda": 2}


@dataclass(frozen=True)
class Computation:
    """Device, number format, memory layout, and how much goes through the network at once.

    `layout` is that of the frames and weights inside: `channels_last`; `permuted`, CleanRL's (frames as a permuted
    view, weights as they were made); `contiguous` (both forced into the order channel, row, column).
    A minibatch is cut into slices of `slice_size` frames whose gradients add up; 0 takes it whole.
    The environments are played in `halves` groups in turn, so that one is stepped while the other is in the network.
    Raises `InputError` for a device that is not there, and for compiling where something that it needs is not.
    """

    device: str = "cpu"
    bfloat16: bool = False
    layout: str = "channels_last"
    slice_size: int = 0
    compiled: bool = False
    halves: int = 1

    def __post_init__(self) -> None:
        if self.device not in SLICES:
            raise InputError(f"device is '{self.device}'; it can be {' or '.join(SLICES)}.")
        if self.device == "cuda" and not torch.cuda.is_available():
            raise InputError("device is 'cuda', but torch finds no GPU here.")
        if self.layout not in LAYOUTS:
            raise InputError(f"layout is '{self.layout}'; it can be {', '.join(LAYOUTS)}.")
        if self.slice_size < 0 or self.halves < 1:
            raise InputError("slice_size must be at least 0, and halves at least 1.")
        if self.compiled and (missing := missing_for_compiling()):
            raise InputError(f"Compiling a network needs {missing}.")

    def function(self, network: ActorCritic) -> Callable[[Tensor], tuple[Tensor, Tensor]]:
        """Frames (batch, 64, 64, 3) uint8 -> logits (batch, actions) and values (batch,), both float32.

        Moves the network to the device and into the layout; parameters stay shared with it.
        """
        network.to(self.device)
        if self.layout == "channels_last":
            network.to(memory_format=torch.channels_last)  # type: ignore[call-overload]

        def forward(frames: Tensor) -> tuple[Tensor, Tensor]:
            prepared = network.prepare(frames)
            if self.layout == "contiguous":
                prepared = prepared.contiguous()
            with torch.autocast(self.device, torch.bfloat16, enabled=self.bfloat16):
                logits, values = network.heads(network.trunk(prepared))
            return logits.float(), values.float()

        return torch.compile(forward, dynamic=False) if self.compiled else forward


def choose(
    network: str,
    total_steps: int,
    path: str = "fast",
    device: str = "auto",
    precision: str = "auto",
    compiled: str = "auto",
    tell: Callable[[str], None] = lambda sentence: None,
) -> Computation:
    """The computation that a run's settings mean on this machine.

    `path` is `fast`, `plain` (CleanRL's data path: a permuted view, float32, whole minibatches, nothing compiled) or
    `contiguous` (the same with frames forced into channels-first memory). `device` is `cpu`, `cuda` or `auto`, a GPU
    where there is one. `precision` is `float32`, `bfloat16` or `auto`: bfloat16 where the processor computes in it.
    `compiled` is `true`, `false` or `auto`: where measurement favours it, the run is long enough to earn it back, and
    what it needs is there; `tell` is called with a sentence where that alone is missing. Raises `InputError` for
    anything else.
    """
    options = {
        "path": (path, PATHS),
        "device": (device, ("auto", *SLICES)),
        "precision": (precision, ("auto", "float32", "bfloat16")),
        "compiled": (compiled, ("auto", "true", "false")),
    }
    for key, (value, allowed) in options.items():
        if value not in allowed:
            raise InputError(f"{key} is '{value}'; it can be {', '.join(allowed)}.")
    if device == "auto":
        device = "cuda" if torch.cuda.is_available() else "cpu"
    if path != "fast":
        return Computation(device, layout="permuted" if path == "plain" else "contiguous", halves=HALVES[device])
    pays = network in COMPILED[device] and total_steps >= COMPILATION_PAYS
    if compiled == "auto" and pays and (missing := missing_for_compiling()):
        tell(f"{network} is computed without compiling it, more slowly: that needs {missing}.")
        pays = False
    return Computation(
        device,
        bfloat16=computes_bfloat16(device) if precision == "auto" else precision == "bfloat16",
        slice_size=SLICES[device],
        compiled=pays if compiled == "auto" else compiled == "true",
        halves=HALVES[device],
    )


def missing_for_compiling() -> str | None:
    """What `torch.compile` needs and this machine lacks, of a C++ compiler and Python's headers; None for nothing."""
    compiler = os.environ.get("CXX", "g++")  # the one that torch calls
    if shutil.which(compiler) is None:
        return f"a C++ compiler, and there is no {compiler} on the PATH"
    headers = Path(sysconfig.get_path("include")) / "Python.h"
    return None if headers.is_file() else f"Python's headers, and there is no {headers}"


def computes_bfloat16(device: str) -> bool:
    """Whether the device multiplies bfloat16 matrices in hardware, which is where that is faster than float32."""
    if device == "cuda":
        return torch.cuda.is_bf16_supported(including_emulation=False)
    able = torch.cpu.get_capabilities()
    return any(able.get(flag, False) for flag in BFLOAT16_FLAGS) and torch.ops.mkldnn._is_mkldnn_bf16_supported()


def frame_flops(network: ActorCritic) -> tuple[int, int]:
    """Floating-point operations that one frame costs: a forward pass, and a forward and a backward pass."""
    model = copy.deepcopy(network).to("meta")
    frames = torch.zeros(1, 64, 64, 3, dtype=torch.uint8, device="meta")
    with FlopCounterMode(display=False) as acting, torch.no_grad():
        model(frames)
    with FlopCounterMode(display=False) as learning:
        logits, values = model(frames)
        (logits.sum() + values.sum()).backward()
    return int(acting.get_total_flops()), int(learning.get_total_flops())


def tune_process() -> bool:
    """Have this process keep the memory that it frees for the next tensor, and cuDNN choose its convolutions by trial.

    glibc gives every large block back to the kernel at once and gets it again page by page. Both concern the whole
    process, so commands call this and libraries do not. Returns whether the first took effect: another C library
    keeps its own ways.
    """
    torch.backends.cudnn.benchmark = True
    if platform.libc_ver()[0] != "glibc":
        return False
    libc = ctypes.CDLL(None)
    mmap_max, trim_threshold = -4, -1  # M_MMAP_MAX, M_TRIM_THRESHOLD of malloc.h
    return bool(libc.mallopt(mmap_max, 0) and libc.mallopt(trim_threshold, 2**31 - 1))
