"""Variants of the same training."""

from agents.computation import Computation
from agents.speed.variants import changes, paths


def test_variants_end_where_the_fast_path_is() -> None:
    fast = paths("clear", "cpu")["fast"]
    assert list(paths("clear", "cpu")) == ["plain", "fast", "contiguous"]
    last = changes("clear", "cpu")["+ compiled"]
    assert last.memory_kept
    assert fast.memory_kept
    assert last.computation.slice_size == fast.computation.slice_size
    assert not changes("clear", "cpu")["plain"].computation.bfloat16


def test_each_change_stands_on_the_one_before() -> None:
    steps = changes("impala", "cpu")
    assert list(steps) == [
        "plain",
        "+ channels last",
        "+ bfloat16",
        "+ slices of 256",
        "+ memory kept",
        "+ compiled",
    ]
    sliced = Computation("cpu", bfloat16=True, layout="channels_last", slice_size=256)
    assert steps["+ slices of 256"].computation == steps["+ memory kept"].computation == sliced
    assert [variant.memory_kept for variant in steps.values()] == [False] * 4 + [True] * 2
