"""What a feature's card says and shows."""

import math

import numpy as np
import pytest

from agents.checkpoint import Agent
from rollouts.bank import FrameBank
from rollouts.coinrun.table import COINRUN
from scoring.draw.examples import GRID
from scoring.evidence import Evidence
from scoring.metrics.energies import Energies
from scoring.pipeline import score_subject
from scoring.report import cards as making
from scoring.report.cards import MOST, cards, lift_limits, shown_features, with_regions
from scoring.report.overview import rows, sentence
from scoring.settings import ScoreConfig
from scoring.subject import explain


def test_limits_of_lift_are_those_of_leaving_environments_out(bank: FrameBank) -> None:
    generator = np.random.default_rng(0)
    maps, masks = generator.normal(size=(len(bank), 2, 4, 4)), generator.random((len(bank), 3, 4, 4))
    energies = Energies.from_maps(maps, masks, bank.environment, bank.time)
    limits, lift = lift_limits(energies), energies.lift()
    left_out = []
    for environment in np.unique(bank.environment):
        kept = bank.environment != environment
        left_out.append(
            Energies.from_maps(maps[kept], masks[kept], bank.environment[kept], bank.time[kept]).lift()[1, 2]
        )
    count = len(left_out)
    deviation = math.sqrt((count - 1) / count * ((np.array(left_out) - np.mean(left_out)) ** 2).sum())
    assert limits[:, 1, 2] == pytest.approx([lift[1, 2] - 1.959964 * deviation, lift[1, 2] + 1.959964 * deviation])


def test_cards_are_the_scores_and_point_at_the_right_frames(agent: Agent, bank: FrameBank, evidence: Evidence) -> None:
    config = ScoreConfig(features="channels", steps=2, bootstrap=50, permutations=50)
    subject = explain(agent.network, "2b", bank, evidence, steps=2, pool=False)
    found = score_subject(agent, subject, config)
    made = cards(found)
    assert [card.row for card in made] == shown_features(found)
    shares = [card.share for card in made]
    assert len(made) == MOST
    assert shares == sorted(shares, reverse=True)
    assert shares[0] == found.features.share.max()
    first = made[0]
    k = first.row
    mass = np.abs(found.maps[:, k]).sum(axis=(1, 2))
    assert first.top[0] == mass.argmax()
    assert len(set(bank.environment[first.top])) == len(first.top)
    assert sum(first.activation["counts"]) == len(bank) * 16 * 16
    for kind, value, low, high in first.lifts:
        assert value == found.features.of["lift"][k, COINRUN.with_concepts().index(kind.name)]
        assert low < value < high
    told = {term: text for term, text, _ in first.facts}
    assert first.kind is not None
    c = COINRUN.with_concepts().index(first.kind.name)
    assert told["IoU"] == f"{found.features.of['iou'][k, c]:.2f}".replace("nan", "–")
    assert told["κ"].startswith(f"{found.verdict.kappa[k, c]:.2f} (".replace("-", "−"))
    assert told["table row"] == str(k)
    strongest = np.unravel_index(first.grid.activation.argmax(), (GRID, GRID))
    activation = subject.own.activations[:, k]
    assert first.grid.activation.max() == pytest.approx(activation.max())
    assert activation[first.grid.frame[strongest]].max() == pytest.approx(activation.max())
    assert sentence("a", found.record).startswith("a: ")
    names = [row.name for row in rows([found.record])]
    assert names[:2] == ["interpretable fraction", "graded score"]


@pytest.mark.parametrize(
    ("version", "kind", "title", "terms"),
    [
        (1, "surface", "edge of the ground, {sign}", ["sign", "causal effect T", "T of the control", "stability"]),
        (1, "coin", "coin, {sign}", ["sign", "causal effect T", "T of the control", "stability"]),
        (2, "coin", "coin, {sign}", ["sign", "causal effect T", "T of the control", "agreement", "stability"]),
        (2, "enemy_left", "enemy moving left, {sign}", ["sign", "causal effect T", "agreement"]),
        (2, "crate", "crate", ["causal effect T", "T of the control", "stability"]),
        (2, "top", "platform top", ["causal effect T", "T of the outline"]),
        (2, "agent", "the player", ["causal effect T"]),
    ],
)
def test_a_card_is_titled_in_words_and_tells_what_its_version_asks(
    agent: Agent,
    bank: FrameBank,
    evidence: Evidence,
    monkeypatch: pytest.MonkeyPatch,
    version: int,
    kind: str,
    title: str,
    terms: list[str],
) -> None:
    config = ScoreConfig(version=version, features="channels", steps=2, bootstrap=50, permutations=50)
    subject = explain(agent.network, "2b", bank, evidence, steps=2, pool=False)
    found = score_subject(agent, subject, config)
    monkeypatch.setattr(making, "nearest_kind", lambda score, k: score.game.index(kind))
    card = cards(found)[0]
    wanted = title.format(sign="positive" if found.verdict.sign[card.row, found.game.index(kind)] > 0 else "negative")
    assert card.title == f"no class (nearest: {wanted})"
    assert card.short == f"({found.game.kind(kind).words})"
    assert card.kind == found.game.kind(kind)
    union = found.features.descriptions[card.row]
    assert union is not None
    words = " + ".join(found.game.kinds[i].words for i in union.members)
    described = version > 1 and words != card.kind.words
    told = {term: text for term, text, _ in card.facts}
    assert list(told) == [
        "interpretable",
        "localisation",
        "κ",
        *terms,
        "IoU",
        *["described by"] * described,
        "table row",
    ]
    if described:
        assert told["described by"] == f"{words}, κ {union.kappa:.2f}".replace("-", "−")
    assert with_regions([card, card]) == ([card.kind] if card.kind.region else [])
