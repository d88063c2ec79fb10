"""A rating study: the features that raters see, in a folder that is made once.

`study.json` says which agent each feature is of, and is never served; a feature's number in the study says nothing
about it.
"""

import secrets
import tempfile
from collections.abc import Iterable, Mapping
from dataclasses import asdict, dataclass
from pathlib import Path

import numpy as np
from pydantic import TypeAdapter, ValidationError

from agents.checkpoint import fingerprint, load_agent
from rollouts.bank import content_sha256
from rollouts.bank import load as load_bank
from rollouts.documents import DocumentError, read_json, write_json
from rollouts.files import write_atomically
from rollouts.game import Game
from rollouts.games import game_named
from scoring.rating.served import FILE, SHEETS, Served, StudyError, picture
from scoring.rating.settings import RatingConfig

FORMAT = "coinrun-rating-1"


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
    """Feature `number` of agent `agent` (its index), and what the score says: its kind of thing or the nearest one."""

    agent: int
    number: int
    label: str
    interpretable: bool
    graded: float


@dataclass(frozen=True)
class Study:
    """`features[i]` is shown under the number i. `token` comes with each answer, so that only pages of this study can
    send any. Studies that name no game are of CoinRun. `bank_sha256` is of the content of the bank that the agents were
    scored on, None where that was not yet told. All names of kinds in a study are of its settings' version of
    the score."""

    token: str
    seed: int
    settings: RatingConfig
    agents: tuple[RatedAgent, ...]
    features: tuple[RatedFeature, ...]
    game: str = "coinrun"
    bank_sha256: str | None = None

    @property
    def rules(self) -> Game:
        """The game's table."""
        return game_named(self.game)

    @property
    def served(self) -> Served:
        """What raters' pages may ask for."""
        return Served(self.token, self.seed, len(self.features), self.rules, self.settings.definition)

    def check_agents(self) -> None:
        """Raises `StudyError` for an agent whose checkpoint has other weights now than when it was rated."""
        for agent in self.agents:
            if agent.checkpoint and Path(agent.checkpoint).exists():
                weights = fingerprint(load_agent(agent.checkpoint))
                if weights != agent.weights_sha256:
                    raise StudyError(
                        f"{agent.checkpoint} was trained again since its features were given to raters (weights "
                        f"{agent.weights_sha256[:8]} then, {weights[:8]} now); make another study with study=FOLDER."
                    )

    def check_same(self, agents: Iterable[str], settings: RatingConfig, folder: Path) -> None:
        """Raises `StudyError` for agents (by weights), a bank (by content) or settings that are not the study's."""
        if sorted(agents) != sorted(agent.weights_sha256 for agent in self.agents):
            raise StudyError(f"{folder} is a study of other agents; name another folder with study=FOLDER.")
        made, asked = asdict(self.settings), asdict(settings)
        changed = [key for key in ("version", *asked) if made[key] != asked[key]]
        if changed:
            raise StudyError(
                f"{folder} was made with {changed[0]}={made[changed[0]]}, not {asked[changed[0]]}; "
                "name another folder with study=FOLDER."
            )
        if self.bank_sha256 is not None and Path(settings.bank).is_file():
            found = content_sha256(load_bank(settings.bank))
            if found != self.bank_sha256:
                raise StudyError(
                    f"{settings.bank} is another bank than {folder} was made with (SHA-256 {found[:8]}, then "
                    f"{self.bank_sha256[:8]}); name another folder with study=FOLDER."
                )


_STUDY = TypeAdapter(Study)


def make_study(
    game: Game,
    settings: RatingConfig,
    agents: Iterable[RatedAgent],
    features: Iterable[RatedFeature],
    bank_sha256: str | None = None,
) -> tuple[Study, list[int]]:
    """The study with its features shuffled, and for each of them its place among those given."""
    given, seed = tuple(features), settings.seed
    order = [int(i) for i in np.random.default_rng([seed, 1]).permutation(len(given))]
    shuffled = tuple(given[i] for i in order)
    return Study(secrets.token_urlsafe(24), seed, settings, tuple(agents), shuffled, game.name, bank_sha256), order


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
        write_json(draft / FILE, {"format": FORMAT, **asdict(study)})
        draft.rename(folder)


def load(folder: Path) -> Study:
    """Read a study; raises `StudyError` for a folder that holds none, or one of another format.

    A study whose settings name no version of the score is of the first.
    """
    path = folder / FILE
    if not path.exists():
        raise StudyError(f"There is no rating study at {folder}.")
    try:
        document = read_json(path)
    except DocumentError as error:
        raise StudyError(f"{path} is not a complete rating study: {error}") from error
    version = document.pop("format", None)
    if version != FORMAT:
        raise StudyError(f"{path} is of version '{version}'; this program reads '{FORMAT}'.")
    if isinstance(settings := document.get("settings"), dict):
        document["settings"] = {"version": 1, **settings}
    try:
        return _STUDY.validate_python(document)
    except ValidationError as error:
        first = error.errors()[0]
        where = ".".join(map(str, first["loc"]))
        raise StudyError(f"{path} is not a complete rating study: {where}: {first['msg']}.") from error
