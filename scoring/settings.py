"""How an agent is scored."""

from dataclasses import dataclass

from rollouts.errors import InputError
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
    steps: int = 32
    components: int = 8
    rotations: int = 5
    refits: int = 5
    dilation: int = 2
    tau: float = 0.1
    bootstrap: int = 2000
    permutations: int = 9999
    seed: int = 0
    version: int = 2

    def __post_init__(self) -> None:
        version_numbered(self.version)
        kind_named(self.features)
        choices: tuple[tuple[str, tuple[object, ...]], ...] = (("projection", PROJECTIONS), ("dilation", DILATIONS))
        for name, allowed in choices:
            if getattr(self, name) not in allowed:
                raise InputError(f"{name} is '{getattr(self, name)}'; it can be {', '.join(map(str, allowed))}.")
        for name in ("steps", "components", "rotations", "bootstrap", "permutations"):
            if getattr(self, name) < 1:
                raise InputError(f"{name} is {getattr(self, name)}; it must be at least 1.")
        if self.refits < 0:
            raise InputError(f"refits is {self.refits}; it must be at least 0.")
        if not 0 <= self.tau < 1:
            raise InputError(f"tau is {self.tau}; it must be at least 0 and below 1.")

    @property
    def definition(self) -> Version:
        """What the version means."""
        return version_numbered(self.version)

    @property
    def root_rows(self) -> bool:
        """Whether the NMF's rows are divided by the root of their sum."""
        return self.definition.root_rows
