"""A rating study: the features that raters see, in a folder that is made once.

`study.json` says which agent each feature is of, and is never served; a feature's number in the study says nothing
about it.
"""

import json
import secrets
import tempfile
from collections.abc import Iterable, Mapping
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import numpy as np

from agents.checkpoint import fingerprint, load_agent
from rollouts.errors import InputError
from rollouts.files import write_atomically
from scoring.rating.pictures import SHEETS

FORMAT = "coinrun-rating-1"
FILE, ANSWERS, PICTURES = "study.json", "answers.sqlite", "pictures"


class StudyError(InputError):
    """A study is missing, of another version, or no longer fits its agents."""


@dataclass(frozen=True)
class RatedAgent:
    """An agent of the study: its checkpoint (empty for an untrained one), weights, and headline when it was scored."""

    name: str
    checkpoint: str
    weights_sha256: str
    interpretable_fraction: float | None
    graded_score: float | None


@dataclass(frozen=True)
class RatedFeature:
    """Feature `number` of agent `agent` (its index), and what the score says: its class or the nearest one."""

    agent: int
    number: int
    label: str
    interpretable: bool
    graded: float


@dataclass(frozen=True)
class Study:
    """`features[i]` is shown under the number i; the settings are the score's, with the bank. `token` comes with each
    answer, so that only pages of this study can send any."""

    token: str
    seed: int
    settings: dict[str, Any]
    agents: tuple[RatedAgent, ...]
    features: tuple[RatedFeature, ...]

    def order(self, rater: str) -> list[int]:
        """The features in the rater's own random order, the same whenever they return."""
        generator = np.random.default_rng([self.seed, *rater.encode()])
        return [int(i) for i in generator.permutation(len(self.features))]

    def check_agents(self) -> None:
        """Raises `StudyError` for an agent whose checkpoint has other weights now than when it was rated."""
        for agent in self.agents:
            if agent.checkpoint and Path(agent.checkpoint).exists():
                found = fingerprint(load_agent(agent.checkpoint))
                if found != agent.weights_sha256:
                    raise StudyError(
                        f"{agent.checkpoint} was trained again since its features were given to raters (weights "
                        f"{agent.weights_sha256[:8]} then, {found[:8]} now); make another study with study=FOLDER."
                    )

    def check_same(self, agents: Iterable[str], settings: Mapping[str, Any], folder: Path) -> None:
        """Raises `StudyError` when other agents (by weights) or other settings are asked for than were rated."""
        if sorted(agents) != sorted(agent.weights_sha256 for agent in self.agents):
            raise StudyError(f"{folder} is a study of other agents; name another folder with study=FOLDER.")
        changed = [key for key, value in settings.items() if self.settings[key] != value]
        if changed:
            raise StudyError(
                f"{folder} was made with {changed[0]}={self.settings[changed[0]]}, not {settings[changed[0]]}; "
                "name another folder with study=FOLDER."
            )


def make_study(
    seed: int, settings: Mapping[str, Any], agents: Iterable[RatedAgent], features: Iterable[RatedFeature]
) -> tuple[Study, list[int]]:
    """The study with its features shuffled, and for each of them its place among those given."""
    given = tuple(features)
    order = [int(i) for i in np.random.default_rng([seed, 1]).permutation(len(given))]
    shuffled = tuple(given[i] for i in order)
    return Study(secrets.token_urlsafe(24), seed, dict(settings), tuple(agents), shuffled), order


def picture(folder: Path, feature: int, sheet: str) -> Path:
    """Where a feature's picture lies."""
    return folder / PICTURES / f"{feature}-{sheet}.png"


def vacant(folder: Path) -> bool:
    """Whether a study can be made at `folder`; raises `StudyError` for one that holds anything else than a study."""
    if (folder / FILE).exists():
        return False
    if folder.exists() and (not folder.is_dir() or any(folder.iterdir())):
        raise StudyError(f"{folder} exists and is not a rating study; it is left as it is.")
    return True


def save(folder: Path, study: Study, sheets: Iterable[Mapping[str, bytes]]) -> None:
    """Write a study with its features' pictures; the folder appears when it is complete."""
    folder.parent.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(prefix=f".{folder.name}.", dir=folder.parent) as scratch:
        draft = Path(scratch) / "study"
        for number, pictures in enumerate(sheets):
            for sheet in SHEETS:
                write_atomically(picture(draft, number, sheet), pictures[sheet])
        write_atomically(draft / FILE, json.dumps({"format": FORMAT, **asdict(study)}, indent=2) + "\n")
        draft.rename(folder)


def load(folder: Path) -> Study:
    """Read a study; raises `StudyError` for a folder that holds none, or one of another version."""
    path = folder / FILE
    if not path.exists():
        raise StudyError(f"There is no rating study at {folder}.")
    try:
        found = json.loads(path.read_text())
        version = found.pop("format")
        if version != FORMAT:
            raise StudyError(f"{path} is of version '{version}'; this program reads '{FORMAT}'.")
        agents = tuple(RatedAgent(**agent) for agent in found.pop("agents"))
        features = tuple(RatedFeature(**feature) for feature in found.pop("features"))
        return Study(agents=agents, features=features, **found)
    except StudyError:
        raise
    except (ValueError, KeyError, TypeError, AttributeError) as error:
        raise StudyError(f"{path} is not a complete rating study: {error}.") from error
