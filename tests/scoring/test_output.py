"""A score's folder: what counts as finished, by content, and what a damaged one says."""

import re
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import pytest

from agents.checkpoint import fingerprint, untrained_agent
from rollouts.bank import FrameBank, content_sha256, load, save
from rollouts.documents import read_json, write_json
from rollouts.env import EnvOptions
from scoring import identity as versions
from scoring.evidence import EVIDENCE, Evidence
from scoring.identity import CODE, Identity, identity
from scoring.output import FEATURES, PICTURE, RECORD, finished, lacking, write_score
from scoring.pipeline import Score, score
from scoring.record import read_record
from scoring.settings import ScoreConfig

CONFIG = ScoreConfig(features="channels", steps=2, bootstrap=20, permutations=9)
AGENT = untrained_agent("compact", EnvOptions(), seed=0)


@pytest.fixture(scope="module")
def scored(bank: FrameBank, evidence: Evidence) -> Score:
    return score(AGENT, bank, evidence, CONFIG)


@pytest.fixture
def folder(scored: Score, bank: FrameBank, tmp_path: Path) -> Path:
    write_score(tmp_path, "it", scored, bank)
    return tmp_path


def test_a_score_names_what_it_is_made_of(folder: Path, bank: FrameBank) -> None:
    record = read_record(folder / RECORD)
    assert record.identity == Identity(fingerprint(AGENT), content_sha256(bank), EVIDENCE, CODE)
    assert record.bank.sha256 == content_sha256(bank)
    assert record.bank.precision is None, "the fixture's bank does not say in what it was played"
    assert record.precision == "float32"
    assert lacking(folder, CONFIG, identity(AGENT, bank)) is None
    said: list[str] = []
    assert finished(folder, CONFIG, identity(AGENT, bank), said.append)
    assert said == []


def test_a_bank_is_known_by_its_content(bank: FrameBank, tmp_path: Path) -> None:
    """Not by its file, and not by who played it; one other pixel, state, reward or seed is another bank."""
    own = content_sha256(bank)
    save(tmp_path / "a.zip", bank)
    save(tmp_path / "b.zip", replace(bank, players=("somebody",), precision="bfloat16"))
    assert {content_sha256(load(tmp_path / name)) for name in ("a.zip", "b.zip")} == {own}
    assert load(tmp_path / "b.zip").precision == "bfloat16"
    pixel, rewards = bank.frames.copy(), bank.rewards.copy()
    pixel[0, 0, 0, 0] ^= 1
    rewards[-1] += 1
    assert bank.next_states is not None
    others = [
        replace(bank, frames=pixel),
        replace(bank, rewards=rewards),
        replace(bank, states=(bank.states[0][:-1] + b"\x01", *bank.states[1:])),
        replace(bank, states=(bank.states[0] + bank.states[1], b"", *bank.states[2:])),
        replace(bank, next_states=None),
        replace(bank, pool=bank.pool[1:], pool_environment=bank.pool_environment[1:]),
        replace(bank, seed=1),
        replace(bank, renderer="another"),
    ]
    assert len({own, *map(content_sha256, others)}) == 1 + len(others)


def test_another_bank_agent_or_version_is_another_score(
    folder: Path, bank: FrameBank, monkeypatch: pytest.MonkeyPatch
) -> None:
    other = untrained_agent("compact", EnvOptions(), seed=1)
    rewards = bank.rewards.copy()
    rewards[0] += 1
    path = re.escape(str(folder / RECORD))
    for made_of, words in (
        (identity(AGENT, replace(bank, rewards=rewards)), "another bank"),
        (identity(other, bank), "other weights"),
    ):
        assert re.fullmatch(f"{path} is a score of {words}.", lacking(folder, CONFIG, made_of) or "")
    for name, words in (("EVIDENCE", "version of the evidence"), ("CODE", "version of the score's code")):
        with monkeypatch.context() as patch:
            patch.setattr(versions, name, 99)
            why = lacking(folder, CONFIG, identity(AGENT, bank))
            assert why == f"{folder / RECORD} is a score of another {words}."
    why = lacking(folder, replace(CONFIG, tau=0.2), identity(AGENT, bank))
    assert why == f"{folder / RECORD} is a score with other settings."


def test_a_score_of_before_is_made_again_and_told(scored: Score, folder: Path, bank: FrameBank) -> None:
    write_json(folder / RECORD, replace(scored.record, identity=None).to_json())
    said: list[str] = []
    assert not finished(folder, CONFIG, identity(AGENT, bank), said.append)
    assert said == [
        f"{folder / RECORD} does not say which bank, by content, and which version of the code it is of. "
        "It is made again."
    ]


def without_settings(path: Path) -> None:
    document = read_json(path)
    del document["settings"]
    write_json(path, document)


@pytest.mark.parametrize(
    ("file", "damage", "sentence"),
    [
        (RECORD, lambda path: path.write_text(""), "is no JSON"),
        (RECORD, lambda path: path.write_text("{"), "is no JSON"),
        (RECORD, lambda path: path.write_text("{}"), "this is no score: version: Field required"),
        (RECORD, lambda path: path.write_text("[]"), "holds list, not a JSON object"),
        (RECORD, lambda path: path.write_text("null"), "holds NoneType, not a JSON object"),
        (RECORD, without_settings, "this is no score: settings: Field required"),
        (FEATURES, lambda path: path.unlink(), "lacks a file that can be read"),
        (FEATURES, lambda path: path.write_bytes(path.read_bytes()[:-100]), "lacks a file that can be read"),
        (FEATURES, lambda path: path.write_bytes(b""), "lacks a file that can be read"),
        (PICTURE, lambda path: path.unlink(), "lacks a file that can be read"),
        (PICTURE, lambda path: path.write_bytes(path.read_bytes()[:5000]), "lacks a file that can be read"),
        (PICTURE, lambda path: path.write_bytes(b"text"), "lacks a file that can be read"),
    ],
)
def test_a_damaged_result_is_not_finished_and_says_why(
    file: str, damage: Callable[[Path], None], sentence: str, folder: Path, bank: FrameBank
) -> None:
    damage(folder / file)
    said: list[str] = []
    assert not finished(folder, CONFIG, identity(AGENT, bank), said.append)
    (why,) = said
    assert str(folder) in why
    assert sentence in why
    assert why.endswith(" It is made again.")


def test_nothing_is_said_of_a_folder_without_a_score(tmp_path: Path, bank: FrameBank) -> None:
    said: list[str] = []
    assert not finished(tmp_path, CONFIG, identity(AGENT, bank), said.append)
    assert said == []


def test_a_score_that_is_interrupted_leaves_no_record_of_another(
    scored: Score, folder: Path, bank: FrameBank, monkeypatch: pytest.MonkeyPatch
) -> None:
    def interrupted(*_: object) -> None:
        raise KeyboardInterrupt

    monkeypatch.setattr("scoring.output.features_figure", interrupted)
    with pytest.raises(KeyboardInterrupt):
        write_score(folder, "it", scored, bank)
    assert not (folder / RECORD).exists()
