"""What a score says, as typed numbers, and its way to JSON and back (`scores.json`)."""

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated, Any

from pydantic import BeforeValidator, TypeAdapter, ValidationError

from agents.evaluation import Evaluation
from rollouts.documents import read_json
from rollouts.env import EnvOptions
from rollouts.errors import InputError
from scoring.features.components import Components
from scoring.identity import Identity
from scoring.metrics.energies import MIN_EPISODES
from scoring.metrics.statistics import Number
from scoring.rules import Cutoffs
from scoring.settings import ScoreConfig
from scoring.subject import MIN_ENVIRONMENTS


@dataclass(frozen=True)
class Headline:
    """Means over factorisations, which are one for features that are not factorised.

    `classes` has for each kind the share of factorisations in which a feature is interpretable by it; `eligible` are
    the kinds that could be. `lacking` says why there is no number.
    """

    interpretable_fraction: Number
    graded_score: Number
    distinct_classes: float
    classes: dict[str, float]
    features: int
    eligible: list[str]
    lacking: str | None = None


@dataclass(frozen=True)
class AgainstChance:
    """A number beside its chance level; each is None where there is none."""

    value: float | None
    chance: float | None


@dataclass(frozen=True)
class Orbay:
    """The score of Orbay (2020) through receptive-field boxes, and on bare cells."""

    rf_box: AgainstChance
    none: AgainstChance


@dataclass(frozen=True)
class Spread:
    mean: float | None
    sd: float | None
    max: float | None


@dataclass(frozen=True)
class TargetValue:
    """Of the target over the bank's frames, in its own units; `baseline` is where the attribution starts from."""

    mean: float
    sd: float
    baseline: float | None


@dataclass(frozen=True)
class Factorisation:
    """The headline's two numbers in each factorisation, the one on the whole pool first.

    `converged` is whether each ended before the most iterations allowed; records of before say it of the first alone.
    """

    converged: Annotated[list[bool], BeforeValidator(lambda value: [value] if isinstance(value, bool) else value)]
    interpretable_fraction: list[float | None]
    graded_score: list[float | None]


@dataclass(frozen=True)
class Brief:
    """The headline's two numbers, without intervals."""

    interpretable_fraction: float | None
    graded_score: float | None


@dataclass(frozen=True)
class Diagnostics:
    """What is told beside the headline (`docs/method.md`)."""

    lift: Number
    localisation: Number
    orbay2020: Orbay
    split_half_reliability: float | None
    prevalence: dict[str, float]
    completeness_error: Spread
    factorisation: Factorisation | None
    target_value: TargetValue
    frames_without_attribution: int
    dead_features: int
    residual_share: float | None
    dilations: dict[str, Brief]
    components: Components | None = None
    version_1: Brief | None = None


@dataclass(frozen=True)
class ClassRecord:
    """Frames and episodes that show a kind, whether that is often enough, and what its removal takes off the target."""

    frames: int
    episodes: int
    eligible: bool
    prevalence: float
    target_drop: float | None = None
    target_drop_control: float | None = None


@dataclass(frozen=True)
class LayerRecord:
    """As `scoring.explain.geometry.LayerGeometry`."""

    name: str
    channels: int
    size: int
    jump: int
    start: float
    receptive_field: int


@dataclass(frozen=True)
class AgentRecord:
    network: str
    weights_sha256: str
    steps: int
    seed: int
    options: EnvOptions
    evaluation: dict[str, Evaluation]


@dataclass(frozen=True)
class BankRecord:
    """`sha256` is of the bank's content, `precision` the number format its players played in; None where not known."""

    kind: str
    frames: int
    environments: int
    episodes: int
    players: list[str]
    seed: int
    options: EnvOptions
    pool_frames: int
    sha256: str | None = None
    precision: str | None = None


@dataclass(frozen=True)
class Record:
    """Everything that a score says of an agent on a bank, and what it depends on.

    `identity` is what it depends on by content, `precision` the number format in which the agent was explained; None in
    records of before. The settings are the rest of what it depends on.
    """

    version: int
    headline: Headline
    diagnostics: Diagnostics
    classes: dict[str, ClassRecord]
    layer: LayerRecord
    agent: AgentRecord
    bank: BankRecord
    settings: ScoreConfig
    cutoffs: Cutoffs
    versions: dict[str, str]
    identity: Identity | None = None
    precision: str | None = None

    def to_json(self) -> dict[str, Any]:
        """As JSON can hold it."""
        document: dict[str, Any] = _RECORD.dump_python(self, mode="json")
        return document

    @staticmethod
    def from_json(document: Mapping[str, Any]) -> "Record":
        """What `to_json` gave, after a way through a file; raises `InputError` for anything else.

        Settings that name no version are those of the score's.
        """
        settings = document.get("settings")
        if isinstance(settings, Mapping):
            document = {**document, "settings": {"version": document.get("version"), **settings}}
        try:
            return _RECORD.validate_python(document)
        except ValidationError as error:
            first = error.errors()[0]
            raise InputError(f"this is no score: {'.'.join(map(str, first['loc']))}: {first['msg']}.") from error


def why_no_headline(record: Record) -> str | None:
    """The sentence that says what a bank or an agent lacks for a headline; None where nothing."""
    environments, enough = record.bank.environments, MIN_ENVIRONMENTS
    if record.diagnostics.frames_without_attribution == record.bank.frames:
        return (
            f"The features are dead: {record.settings.target} does not depend on layer {record.layer.name} in any "
            "frame, so there is no headline."
        )
    if environments < enough:
        return f"The bank has {environments} of the {enough} environments that a headline, intervals and tests need."
    if not record.headline.eligible:
        return f"No class is seen in the {MIN_EPISODES} episodes that a number needs, so there is no headline."
    return None


_RECORD = TypeAdapter(Record)


def read_record(path: Path) -> Record:
    """The record of a `scores.json`; raises `InputError` for a file that holds none."""
    document = read_json(path)
    try:
        return Record.from_json(document)
    except InputError as error:
        raise InputError(f"{path}: {error}") from error
