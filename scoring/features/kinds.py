"""Every kind of features, by name: a new one is a file and a line here."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Protocol

from rollouts.errors import InputError
from scoring.explain.base import Maps
from scoring.features.base import FeatureSet
from scoring.features.channels import Channels
from scoring.features.nmf import fit_nmf
from scoring.features.rotated import rotated


class FeatureSettings(Protocol):
    """What the kinds of features need of the settings of a score."""

    @property
    def components(self) -> int: ...

    @property
    def rotations(self) -> int: ...

    @property
    def seed(self) -> int: ...

    @property
    def root_rows(self) -> bool: ...


@dataclass(frozen=True)
class FeatureKind:
    """How features of a kind come about on a layer of C channels.

    `fit` takes C, the attributions (M, C, H, W) of a pool of frames where the kind is `fitted` (else None), and the
    settings; `count` takes C and the settings. Of a fitted kind the headline is the mean over fits to resampled pools.
    A `control` is there to be compared with: nobody edits it, rates it, or is shown it. `draws` is how many sets of C
    features it holds, so that the share below which a feature is dead is as much smaller.
    """

    fit: Callable[[int, Maps | None, FeatureSettings], FeatureSet]
    count: Callable[[int, FeatureSettings], int]
    fitted: bool = False
    control: bool = False
    draws: Callable[[FeatureSettings], int] = lambda settings: 1


def _fit_nmf(channels: int, pool: Maps | None, settings: FeatureSettings) -> FeatureSet:
    assert pool is not None
    return fit_nmf(pool, settings.components, settings.seed, settings.root_rows)


FEATURES: Mapping[str, FeatureKind] = {
    "nmf": FeatureKind(_fit_nmf, lambda channels, settings: settings.components, fitted=True),
    "channels": FeatureKind(lambda channels, pool, settings: Channels(channels), lambda channels, settings: channels),
    "rotated": FeatureKind(
        lambda channels, pool, settings: rotated(channels, settings.rotations, settings.seed),
        lambda channels, settings: channels * settings.rotations,
        control=True,
        draws=lambda settings: settings.rotations,
    ),
}


def kind_named(name: str) -> FeatureKind:
    """Raises `InputError` for a kind of features that is not there."""
    if name not in FEATURES:
        raise InputError(f"features is '{name}'; it can be {', '.join(FEATURES)}.")
    return FEATURES[name]


def shown_kinds() -> list[str]:
    """The kinds that people look at, rate and edit: all but the controls."""
    return [name for name, kind in FEATURES.items() if not kind.control]
