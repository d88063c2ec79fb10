"""Scoring one agent on one bank, start to finish."""

import platform
from collections.abc import Sequence
from dataclasses import asdict, dataclass, replace
from functools import cached_property
from importlib.metadata import version

import numpy as np

from agents.checkpoint import Agent
from rollouts.bank import FrameBank
from rollouts.env import renderer_sha256
from rollouts.errors import InputError
from rollouts.game import Game
from rollouts.progress import Update, silent
from scoring.diagnostics import class_records, diagnose
from scoring.evidence import Evidence
from scoring.explain.base import Attribution, Maps, target_output
from scoring.explain.geometry import LayerGeometry, layer_geometry
from scoring.explain.methods import method_named
from scoring.features.base import FeatureSet
from scoring.features.kinds import kind_named
from scoring.features.nmf import resampled
from scoring.features.projection import box_kernel, effective_receptive_field
from scoring.identity import identity
from scoring.metrics.arrays import BoolArray
from scoring.metrics.statistics import mean_number
from scoring.numbers import FeatureScores, Judged, feature_scores
from scoring.record import AgentRecord, BankRecord, Brief, Headline, LayerRecord, Record, why_no_headline
from scoring.rules import for_draws
from scoring.settings import DILATIONS, ScoreConfig
from scoring.subject import Subject, explain, frames_to_explain
from scoring.threads import divide
from scoring.verdict import Verdict, distinct_classes, judge

ERF_FRAMES = 64
PACKAGES = ("torch", "numpy", "scikit-learn", "scipy", "procgen-mirror")


@dataclass(frozen=True)
class Score:
    """The result: its `record`, what was judged, and the place of the layer's cells in the frame.

    `whole` is the subject with all kinds that were gathered, those of other versions among them.
    """

    record: Record
    judged: Judged
    geometry: LayerGeometry
    whole: Subject

    @property
    def game(self) -> Game:
        return self.judged.subject.game

    @property
    def verdict(self) -> Verdict:
        return self.judged.verdict

    @property
    def basis(self) -> FeatureSet:
        """Makes the same features of attributions to other frames."""
        return self.judged.basis

    @property
    def eligible(self) -> BoolArray:
        """Kinds (C,) that the bank shows often enough."""
        return self.judged.subject.eligible

    @property
    def maps(self) -> Maps:
        """The features' normalised maps (N, K, H, W), on the layer's cells, or on pixels (64, 64) if projected."""
        return self.judged.measured.maps

    @cached_property
    def features(self) -> FeatureScores:
        """Worked out when it is first asked for: permutation tests take seconds."""
        return feature_scores(self.judged)


def attributed_frames(bank: FrameBank, evidence: Evidence, config: ScoreConfig) -> int:
    """Frames that `score` attributes, the total of its progress."""
    return frames_to_explain(bank, evidence, kind_named(config.features).fitted)


def check(agent: Agent, config: ScoreConfig) -> tuple[str, LayerGeometry]:
    """The layer's name and geometry.

    Raises `InputError` for a layer, target, method or features it cannot have, and for a version of the score that its
    game has no kinds for.
    """
    config.definition.game(agent.options.rules)
    layer = agent.network.default_layer if config.layer == "default" else config.layer
    geometry = layer_geometry(agent.network, layer)
    target_output(agent.network, config.target)
    method_named(config.attribution)
    count = kind_named(config.features).count(geometry.channels, config)
    if kind_named(config.features).fitted and count > geometry.channels:
        raise InputError(f"components is {count}; layer {layer} has {geometry.channels} channels.")
    return layer, geometry


def score(
    agent: Agent,
    bank: FrameBank,
    evidence: Evidence,
    config: ScoreConfig,
    progress: Update = silent,
    beside: bool = False,
) -> Score:
    """Score an agent on a bank whose evidence was gathered. `progress` is told of frames as they are attributed.

    Raises `InputError` for an unknown layer or target, and `BankError` for a bank that the agent cannot see as it sees
    its own frames, or too small to fit features on.
    """
    bank.check_options(agent.options, "the agent")
    layer, _ = check(agent, config)
    fitted = kind_named(config.features).fitted
    if fitted:
        bank.check_pool()
    subject = explain(
        agent.network, layer, bank, evidence, config.target, config.attribution, config.steps, fitted, progress
    )
    return score_subject(agent, subject, config, beside=beside)


def score_subject(
    agent: Agent,
    subject: Subject,
    config: ScoreConfig,
    dilations: Sequence[int] = DILATIONS,
    beside: bool = False,
) -> Score:
    """Score attributions that `explain` made with the same target, method, steps and layer as `config` says.

    Their evidence must have the kinds of the version, and may have more.

    The headline with masks widened by each of `dilations` stands beside that of `config.dilation`, and with `beside`
    that of version 1 of the score beside a later one.
    """
    first = None
    if beside and config.version > 1:
        earlier = score_subject(agent, subject, replace(config, version=1), dilations=()).record.headline
        first = Brief(earlier.interpretable_fraction.value, earlier.graded_score.value)
    layer, geometry = check(agent, config)
    whole, subject = subject, subject.with_kinds(config.definition.game(subject.bank.options.rules))
    kind = kind_named(config.features)
    basis = kind.fit(geometry.channels, _pool(subject).maps if kind.fitted else None, config)
    kernel = _kernel(agent, layer, geometry, basis, subject.bank, config)
    widths = [config.dilation, *(pixels for pixels in dilations if pixels != config.dilation)]
    widened = [subject.masks(pixels, in_pixels=kernel is not None) for pixels in widths]
    measured, *others = subject.measure(basis, widened, kernel)
    rule = for_draws(config.definition.rule, kind.draws(config))
    verdict = judge(measured, subject, rule, config.bootstrap, config.seed)

    def refit(seed: int) -> tuple[Verdict, bool | None]:
        """The verdict on a fit to resampled environments of the pool, and whether the fit converged."""
        drawn = _pool(subject).maps[resampled(subject.bank.pool_environment, seed)]
        again = kind.fit(geometry.channels, drawn, replace(config, seed=seed))
        again_measured = subject.measure(again, widened[:1], kernel)[0]
        return judge(again_measured, subject, rule, config.bootstrap, config.seed), again.converged

    seeds = range(config.seed + 1, config.seed + 1 + config.refits) if kind.fitted else ()
    verdicts, converged = map(list, zip((verdict, basis.converged), *divide(refit, seeds), strict=True))
    otherwise = dict(zip(widths[1:], others, strict=True))
    made_of = identity(agent, subject.bank)
    beside_it = diagnose(subject, basis, measured, verdicts, converged, otherwise, rule, config)
    record = Record(
        version=config.version,
        headline=headline(verdicts, subject),
        diagnostics=replace(beside_it, version_1=first),
        classes=class_records(subject),
        layer=LayerRecord(layer, **asdict(geometry)),
        agent=AgentRecord(
            agent.network.kind, made_of.weights_sha256, agent.steps, agent.seed, agent.options, agent.evaluation
        ),
        bank=_bank_record(subject.bank, made_of.bank_sha256),
        settings=config,
        cutoffs=rule.cutoffs,
        versions={name: version(name) for name in PACKAGES}
        | {"python": platform.python_version(), "renderer_sha256": renderer_sha256()},
        identity=made_of,
        precision=str(subject.own.outputs.dtype),
    )
    record = replace(record, headline=replace(record.headline, lacking=why_no_headline(record)))
    return Score(record, Judged(subject, basis, measured, verdict, config), geometry, whole)


def _pool(subject: Subject) -> Attribution:
    if subject.pool is None:
        raise InputError("These attributions have no pool of frames to fit features on.")
    return subject.pool


def _kernel(
    agent: Agent, layer: str, geometry: LayerGeometry, basis: FeatureSet, bank: FrameBank, config: ScoreConfig
) -> Maps | None:
    """How a cell is spread over pixels, or None where scoring stays on the layer's cells."""
    if config.projection == "none":
        return None
    if config.projection == "rf_box":
        return box_kernel(geometry)
    every = max(len(bank) // ERF_FRAMES, 1)
    return effective_receptive_field(
        agent.network, layer, geometry, basis.directions, bank.frames[::every], seed=config.seed
    )


def headline(verdicts: Sequence[Verdict], subject: Subject) -> Headline:
    """Means over factorisations, the one on the whole pool first."""
    names = subject.game.names
    named = [{names[c] for c in verdict.kind if c >= 0} for verdict in verdicts]
    shares = {name: float(np.mean([name in own for own in named])) for name in subject.game.named("headline")}
    return Headline(
        interpretable_fraction=mean_number(
            [verdict.fraction for verdict in verdicts], [verdict.fraction_draws for verdict in verdicts]
        ),
        graded_score=mean_number(
            [verdict.graded for verdict in verdicts], [verdict.graded_draws for verdict in verdicts]
        ),
        distinct_classes=float(np.mean([distinct_classes(verdict.kind) for verdict in verdicts])),
        classes={name: share for name, share in shares.items() if share},
        features=len(verdicts[0].interpretable),
        eligible=[name for name, allowed in zip(names, subject.headline, strict=True) if allowed],
    )


def _bank_record(bank: FrameBank, sha256: str) -> BankRecord:
    return BankRecord(
        kind=bank.kind,
        frames=len(bank),
        environments=len(np.unique(bank.environment)),
        episodes=len(np.unique(bank.episode)),
        players=list(bank.players),
        seed=bank.seed,
        options=bank.options,
        pool_frames=len(bank.pool),
        sha256=sha256,
        precision=bank.precision,
    )
