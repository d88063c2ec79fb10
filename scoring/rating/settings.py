"""What a rating study is asked for with."""

from collections.abc import Sequence
from dataclasses import dataclass, fields

from agents.banks import BankSettings, Frames, PoolFrames
from rollouts.errors import InputError
from scoring.features.kinds import shown_kinds
from scoring.settings import ScoreConfig

LONGEST_NAME = 60
"""Characters of a rater's name."""


@dataclass(frozen=True)
class RatingConfig(ScoreConfig):
    """How the agents of a study are scored, and on which bank: what it depends on besides its agents.

    The bank is a file, or a kind that all of them play in equal parts. Raises `InputError` for features that nobody
    should rate, and for what cannot be.
    """

    bank: str = "spread"
    frames: Frames = 512
    pool_frames: PoolFrames = 512
    levels: str = "unseen"
    precision: str = "float32"

    def __post_init__(self) -> None:
        super().__post_init__()
        if self.features not in shown_kinds():
            raise InputError(f"features is '{self.features}'; {' or '.join(shown_kinds())} can be rated.")
        if self.projection != "none":
            raise InputError(f"projection is '{self.projection}'; features are rated on the layer's own cells, none.")

    @property
    def score(self) -> ScoreConfig:
        """The settings of the score alone."""
        return ScoreConfig(**{field.name: getattr(self, field.name) for field in fields(ScoreConfig)})

    def banking(self, env_threads: int = 1) -> BankSettings:
        """The bank; where it is played, so many threads step the environments."""
        return BankSettings(
            self.bank, self.frames, self.pool_frames, self.levels, self.seed, env_threads, self.precision
        )


def raters_named(given: Sequence[str]) -> list[str]:
    """The raters' names; raises `InputError` for one that cannot be shown or is there twice."""
    names = [name.strip() for name in given]
    for name in names:
        if not 0 < len(name) <= LONGEST_NAME or not name.isprintable():
            raise InputError(f"raters names {name!r}; a name has 1 to {LONGEST_NAME} printable characters.")
    if len(set(names)) < len(names):
        raise InputError("raters names someone twice.")
    return names
