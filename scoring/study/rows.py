"""An agent's rows in the study's table: scored on a bank, or read from an earlier run."""

from collections.abc import Iterator, Sequence
from dataclasses import asdict, dataclass, replace
from functools import cached_property
from pathlib import Path

from pydantic import TypeAdapter

from agents.banks import BankSettings
from agents.checkpoint import Agent, fingerprint
from rollouts.bank import FrameBank, content_sha256
from rollouts.documents import read_json, write_json
from rollouts.errors import InputError
from scoring.evidence import EVIDENCE, Evidence, gather
from scoring.features.kinds import kind_named
from scoring.identity import CODE, Identity
from scoring.pipeline import score_subject
from scoring.settings import ScoreConfig
from scoring.study import table
from scoring.study.table import FEATURES, Columns
from scoring.subject import explain


@dataclass(frozen=True)
class Study:
    """Where a study lies, how its banks are played, and how its agents are scored.

    Raises `BankError` for a bank that agents do not play.
    """

    output: Path
    bank: BankSettings
    scoring: ScoreConfig

    def __post_init__(self) -> None:
        _ = self.bank.plan

    @property
    def ways(self) -> tuple[ScoreConfig, ...]:
        """How agents are scored: with the study's own version of the score, and with version 1 beside a later one.

        Version 1 has all other settings of the study.
        """
        if self.scoring.version == 1:
            return (self.scoring,)
        return self.scoring, replace(self.scoring, version=1)

    @property
    def versions(self) -> tuple[int, ...]:
        """Of the score, the study's own first."""
        return tuple(config.version for config in self.ways)

    @property
    def table(self) -> Path:
        return self.output / "results.parquet"

    @property
    def milestones(self) -> Path:
        """Scores along each training."""
        return self.output / "milestones.parquet"


@dataclass(frozen=True)
class StudyBank:
    """A bank that is `shared` by a group or an agent's `own`, and what it shows, gathered when it is first needed."""

    kind: str
    frames: FrameBank

    @cached_property
    def evidence(self) -> Evidence:
        return gather(self.frames)

    @cached_property
    def sha256(self) -> str:
        return content_sha256(self.frames)


@dataclass(frozen=True)
class Basis:
    """What scores depend on: they are made again where it is another, or an earlier version did not say."""

    made_of: Identity
    settings: list[ScoreConfig]


@dataclass(frozen=True)
class Scores:
    """Of one agent on one bank at one layer, a row for each version and kind of features, as a file keeps them."""

    basis: Basis
    scores: list[Columns]


_SCORES = TypeAdapter(Scores)


def settings_of(study: Study, agent: Agent, layer: str, features: Sequence[str]) -> list[ScoreConfig]:
    """How a layer is scored; factorisations are repeated, and controls made, at the layer of the headline only.

    At that layer, and without controls, it is scored with version 1 beside a later one, too.
    """
    at_default = layer == agent.network.default_layer
    refits = study.scoring.refits if at_default else 0
    own, *beside = (replace(config, layer=layer, refits=refits) for config in study.ways)
    scored = [kind for kind in features if not kind_named(kind).control]
    configs = [replace(own, features=kind) for kind in (features if at_default else scored)]
    return configs + [replace(config, features=kind) for config in beside if at_default for kind in scored]


def rows_of(
    study: Study,
    name: str,
    agent: Agent,
    bank: StudyBank,
    layers: Sequence[str] = (),
    features: Sequence[str] = FEATURES,
) -> Iterator[Columns]:
    """A row for each layer (all by default), version and kind of features, scored now or read from an earlier run.

    All versions judge the same attributions. What is scored is written at once.
    """
    bank.frames.check_options(agent.options, name)
    about = table.about(name, agent) | {"bank": bank.kind, "bank_sha256": bank.sha256}
    for layer in layers or agent.network.layers:
        path = study.output / "scores" / f"{name}-{bank.kind}-{layer}.json"
        configs = settings_of(study, agent, layer, features)
        basis = Basis(Identity(fingerprint(agent), bank.sha256, EVIDENCE, CODE), configs)
        before = read_scores(path)
        if before is None or before.basis != basis:
            how = study.scoring
            try:
                subject = explain(
                    agent.network, layer, bank.frames, bank.evidence, how.target, how.attribution, how.steps
                )
                scores = [table.numbers(score_subject(agent, subject, config, dilations=())) for config in configs]
            except InputError as error:
                raise InputError(f"{name}: {error}") from error
            before = Scores(basis, scores)
            write_json(path, asdict(before), indent=None)
        for columns in before.scores:
            yield about | columns


def read_scores(path: Path) -> Scores | None:
    """Scores of an earlier run, None where there are none or the file is damaged."""
    try:
        return _SCORES.validate_python(read_json(path))
    except (ValueError, InputError):
        return None
