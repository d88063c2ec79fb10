"""Ways of carrying out the same training, to be measured beside one another."""

from dataclasses import dataclass, replace

from agents.computation import PATHS, Computation, choose

LONG_RUN = 10**9
"""Steps of the run that a computation is chosen for: compiling pays."""


@dataclass(frozen=True)
class Variant:
    """One way of carrying out the training: the computation, and whether freed memory is kept."""

    computation: Computation
    memory_kept: bool


def paths(network: str, device: str) -> dict[str, Variant]:
    """The plain path (CleanRL's data path), the fast one, and the plain one in contiguous memory."""
    return {
        path: Variant(choose(network, LONG_RUN, path, device), memory_kept=path == "fast")
        for path in ("plain", "fast", *(p for p in PATHS if p not in ("plain", "fast")))
    }


def changes(network: str, device: str) -> dict[str, Variant]:
    """From plain to fast, one change after another, compiling among them whether or not the fast path does."""
    plain = choose(network, LONG_RUN, "plain", device)
    slice_size = choose(network, LONG_RUN, "fast", device).slice_size
    channels_last = replace(plain, layout="channels_last")
    bfloat16 = replace(channels_last, bfloat16=True)
    sliced = replace(bfloat16, slice_size=slice_size)
    return {
        "plain": Variant(plain, False),
        "+ channels last": Variant(channels_last, False),
        "+ bfloat16": Variant(bfloat16, False),
        f"+ slices of {slice_size}": Variant(sliced, False),
        "+ memory kept": Variant(sliced, True),
        "+ compiled": Variant(replace(sliced, compiled=True), True),
    }
