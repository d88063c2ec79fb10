"""How an agent is scored."""

from dataclasses import dataclass
from typing import Annotated

from annotated_types import Interval

from rollouts.errors import InputError
from rollouts.ranges import Seed, check_ranges
from scoring.features.kinds import kind_named
from scoring.features.projection import PROJECTIONS
from scoring.rules import Version, version_numbered

DILATIONS = (0, 2, 4)
"""Pixels by which masks are widened: one of them in the score, the others reported beside it."""


@dataclass(frozen=True)
class ScoreConfig:
    """How an agent is scored. `layer` may be `default`, the network's own. Raises `InputError` for what cannot be."""

    layer: str = "default"
    features: str = "nmf"
    projection: str = "none"
    target: str = "value"
    attribution: str = "integrated_gradients"
    steps: Annotated[int, Interval(ge=1, le=10_000)] = 32
    components: Annotated[int, Interval(ge=1, le=10_000)] = 8
    rotations: Annotated[int, Interval(ge=1, le=1000)] = 5
    refits: Annotated[int, Interval(ge=0, le=1000)] = 5
    dilation: int = 2
    tau: Annotated[float, Interval(ge=0, lt=1)] = 0.1
    bootstrap: Annotated[int, Interval(ge=20, le=1_000_000)] = 2000  # below 20 an interval may miss its own value
    permutations: Annotated[int, Interval(ge=1, le=1_000_000)] = 9999
    seed: Seed = 0
    version: int = 2

    def __post_init__(self) -> None:
        check_ranges(self)
        version_numbered(self.version)
        kind_named(self.features)
        choices: tuple[tuple[str, tuple[object, ...]], ...] = (("projection", PROJECTIONS), ("dilation", DILATIONS))
        for name, allowed in choices:
            if getattr(self, name) not in allowed:
                raise InputError(f"{name} is '{getattr(self, name)}'; it can be {', '.join(map(str, allowed))}.")

    @property
    def definition(self) -> Version:
        """What the version means."""
        return version_numbered(self.version)

    @property
    def root_rows(self) -> bool:
        """Whether the NMF's rows are divided by the root of their sum."""
        return self.definition.root_rows
