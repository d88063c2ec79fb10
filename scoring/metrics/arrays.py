"""Arrays that metrics take and give."""

from typing import Any

import numpy as np
from numpy.typing import NDArray

from rollouts.errors import InputError

FloatArray = NDArray[np.float64]
BoolArray = NDArray[np.bool_]
IntArray = NDArray[np.int64]
Maps = NDArray[np.floating[Any]]
Labels = NDArray[np.integer[Any]]
Weights = NDArray[np.float64] | NDArray[np.int64]


def ratio(numerator: FloatArray, denominator: FloatArray) -> FloatArray:
    """Element-wise quotient of two arrays that broadcast; nan where the denominator is 0."""
    shape = np.broadcast_shapes(numerator.shape, denominator.shape)
    return np.divide(numerator, denominator, out=np.full(shape, np.nan), where=denominator != 0)


def check_axes(**arrays: tuple[NDArray[Any], str]) -> dict[str, int]:
    """The length of each named axis of arrays given as `name=(array, "N K H W")`; a leading `...` stands for any axes.

    Raises `InputError` naming the first array whose rank, or the length of an axis that others have too, is another.
    """
    lengths: dict[str, int] = {}
    for name, (array, axes) in arrays.items():
        names = axes.split()
        free = names[:1] == ["..."]
        names = names[free:]
        own = array.shape[len(array.shape) - len(names) :] if free else array.shape
        matches = len(own) == len(names) and all(lengths.get(a, n) == n for a, n in zip(names, own, strict=True))
        if not matches:
            known = ", ".join(f"{axis} = {lengths[axis]}" for axis in names if axis in lengths)
            raise InputError(
                f"{name} has the shape {array.shape}; it must be ({axes}){' with ' + known if known else ''}."
            )
        lengths |= dict(zip(names, own, strict=True))
    return lengths
