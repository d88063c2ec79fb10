"""What is served of a rating study: nothing of its agents, and nothing that needs PyTorch, so that serving takes little
memory."""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from pydantic import TypeAdapter, ValidationError

from rollouts.documents import read_json
from rollouts.errors import InputError
from rollouts.game import Game
from rollouts.games import game_named
from scoring.rules import Version, version_numbered

FILE, ANSWERS, PICTURES = "study.json", "answers.sqlite", "pictures"
SHEETS = ("strongest", "drawn", "places")
"""The pictures of a feature, by name."""


class StudyError(InputError):
    """A study is missing, of another version, or no longer fits its agents."""


@dataclass(frozen=True)
class Served:
    """`features` are shown under the numbers 0, 1, …; `token` comes with each answer."""

    token: str
    seed: int
    features: int
    game: Game
    version: Version

    def order(self, rater: str) -> list[int]:
        """The features in the rater's own random order, the same whenever they return."""
        generator = np.random.default_rng([self.seed, *rater.encode()])
        return [int(i) for i in generator.permutation(self.features)]


@dataclass(frozen=True)
class _Settings:
    version: int = 1


@dataclass(frozen=True)
class _Document:
    token: str
    seed: int
    settings: _Settings
    features: Sequence[Any]
    game: str = "coinrun"


_DOCUMENT = TypeAdapter(_Document)


def served(folder: Path) -> Served:
    """Of the study in a folder, which `study.load` has read; raises `StudyError` for a folder that holds none."""
    try:
        document = _DOCUMENT.validate_python(read_json(folder / FILE))
    except ValidationError as error:
        raise StudyError(f"{folder / FILE} is not a complete rating study: {error.errors()[0]['msg']}.") from error
    game, version = game_named(document.game), version_numbered(document.settings.version)
    return Served(document.token, document.seed, len(document.features), game, version)


def picture(folder: Path, feature: int, sheet: str) -> Path:
    """Where a feature's picture lies."""
    return folder / PICTURES / f"{feature}-{sheet}.png"
