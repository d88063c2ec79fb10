"""Every method that draws maps over pixels, by name: a new one is a file and a line here."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import TypeVar

from rollouts.errors import InputError
from scoring.explain.pixels.base import PixelMethod
from scoring.explain.pixels.competitive import competitive
from scoring.explain.pixels.controls import edges, mean_map, noise
from scoring.explain.pixels.grad_cam import grad_cam, guided_grad_cam
from scoring.explain.pixels.gradients import gradient, gradient_x_input, smoothgrad, vargrad
from scoring.explain.pixels.guided import deconvnet, guided_backprop
from scoring.explain.pixels.integrated import from_black, from_blurred, from_mean
from scoring.explain.pixels.objects import lime, removal, shapley
from scoring.explain.pixels.occlusion import occlusion
from scoring.explain.pixels.region import minimal_region

Entry = TypeVar("Entry")


@dataclass(frozen=True)
class Listed:
    """A method, and what it claims: `signed` maps, which raise or lower the target. A `control` looks at no network."""

    draw: PixelMethod
    signed: bool = True
    control: bool = False


PIXEL_METHODS: Mapping[str, Listed] = {
    "removal": Listed(removal),
    "shapley": Listed(shapley),
    "lime": Listed(lime),
    "gradient": Listed(gradient),
    "gradient_x_input": Listed(gradient_x_input),
    "smoothgrad": Listed(smoothgrad),
    "vargrad": Listed(vargrad, signed=False),
    "ig_black": Listed(from_black),
    "ig_mean": Listed(from_mean),
    "ig_blurred": Listed(from_blurred),
    "guided_backprop": Listed(guided_backprop),
    "deconvnet": Listed(deconvnet),
    "grad_cam": Listed(grad_cam, signed=False),
    "guided_grad_cam": Listed(guided_grad_cam),
    "competitive": Listed(competitive),
    "occlusion": Listed(occlusion),
    "minimal_region": Listed(minimal_region, signed=False),
    "edges": Listed(edges, signed=False, control=True),
    "mean_map": Listed(mean_map, control=True),
    "noise": Listed(noise, control=True),
}


ALL = "all"


def methods_named(names: Sequence[str]) -> dict[str, Listed]:
    """The methods of these names, as `entries_named` has them."""
    return entries_named(PIXEL_METHODS, names, "methods")


def entries_named(table: Mapping[str, Entry], names: Sequence[str], key: str) -> dict[str, Entry]:
    """A table's entries of these names, or of `all`, in its order; raises `InputError` for one that is not there."""
    asked = list(table) if tuple(names) == (ALL,) else list(names)
    for name in asked:
        if name not in table:
            raise InputError(f"{key} has '{name}'; it can have {', '.join(table)}, or be all.")
    return {name: entry for name, entry in table.items() if name in asked}
