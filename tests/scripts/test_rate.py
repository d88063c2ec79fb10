"""The rating server as raters and strangers meet it, and what its answers say."""

import json
import re
import socket
import sqlite3
import threading
from collections.abc import Iterator
from dataclasses import asdict, replace
from itertools import pairwise
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest
from hydra import compose, initialize_config_dir

import rate
from common.command import plain
from agents.banks import BankSettings
from agents.checkpoint import Agent, fingerprint, load_agent, save_agent, untrained_agent
from common.values import picked
from rating_study import FINGERPRINTS, GONE, NAMES, ROOT, SCRIPT, Server, run, serving, synthetic
from rollouts.coinrun.table import COINRUN
from rollouts.env import EnvOptions
from rollouts.errors import InputError
from rollouts.game import Game
from rollouts.games import GAMES
from scoring.metrics.statistics import NO_NUMBER
from scoring.rating import export, served, study
from scoring.rating.answers import Answer, Answers, Superseded
from scoring.rating.choices import choices, guide
from scoring.rating.making import check_features
from scoring.rating.messages import about
from scoring.rating.settings import RatingConfig, raters_named
from scoring.rating.summary import summarise
from scoring.rules import VERSIONS, Version
from scoring.settings import ScoreConfig

RATERS = "raters=[anna,ben]"
SMALL = {"frames": 64, "pool_frames": 64, "steps": 2, "refits": 0, "bootstrap": 50, "permutations": 50, "components": 4}


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    folder = tmp_path_factory.mktemp("rating") / "study"
    synthetic(folder)
    with serving(folder, "raters=[anna,ben,carl,dora]") as running:
        yield running


def valid(server: Server, **changes: Any) -> dict[str, Any]:
    """An answer that is taken, but for the changes."""
    token = server.get("/study")["token"]
    sent = {"token": token, "rater": "anna", "feature": 0, "rating": 5, "shows": "coin", "seen": 0}
    return sent | changes


@pytest.mark.long
def test_two_hundred_answers_and_five_kills(tmp_path: Path) -> None:
    """A rater who sends again whatever was not confirmed; the server is killed in the middle of five answers."""
    folder = tmp_path / "study"
    synthetic(folder, per_agent=34)
    generator = np.random.default_rng(0)
    pending: list[dict[str, Any]] = []
    confirmed: dict[tuple[str, int], int] = {}
    deaths = 0
    while len(confirmed) < 200:
        with serving(folder, RATERS) as server:
            token = server.get("/study")["token"]
            if not pending:
                for rater in ("anna", "ben"):
                    order = server.get(f"/rater?name={rater}")["order"][:100]
                    pending += [
                        {
                            "token": token,
                            "rater": rater,
                            "feature": feature,
                            "rating": int(generator.integers(11)),
                            "shows": f"{rater} saw {feature}",
                            "seen": 0,
                        }
                        for feature in order
                    ]
            resumed = {r: server.get(f"/rater?name={r}")["answers"] for r in ("anna", "ben")}
            for (rater, feature), rating in confirmed.items():
                assert resumed[rater][str(feature)]["rating"] == rating
            target = len(confirmed) + 33 if deaths < 5 else 200
            while len(confirmed) < min(target, 200):
                sent = pending[len(confirmed)]
                last = deaths < 5 and len(confirmed) == target - 1
                killer = threading.Timer(float(generator.uniform(0, 0.01)), server.kill) if last else None
                if killer is not None:
                    killer.start()
                try:
                    status, reply = server.answer(sent)
                except GONE:
                    break
                finally:
                    if killer is not None:
                        killer.join()
                assert status == 200, reply
                confirmed[sent["rater"], sent["feature"]] = sent["rating"]
            deaths += server.process.poll() is not None
    assert deaths == 5
    stored = Answers(folder / served.ANSWERS).all()
    assert len(stored) == 200
    assert {(a.rater, a.feature): a.rating for a in stored} == confirmed
    assert {a.revision for a in stored} == {1}
    assert sorted(a.position for a in stored if a.rater == "ben") == list(range(1, 101))


def test_nothing_served_tells_which_agent_a_feature_is_of(server: Server) -> None:
    """Names, weights, level counts and scores are in study.json, and in nothing that is sent."""
    paths = ["/", "/rate.js", "/rate.css", "/icon.svg", "/study", "/rater?name=anna"]
    paths += [f"/pictures/{feature}-{sheet}.png" for feature in range(24) for sheet in served.SHEETS]
    secrets = [
        *NAMES,
        *FINGERPRINTS,
        *(w[:8] for w in FINGERPRINTS),
        "77777",
        "n300",
        "untrained",
        "s123",
        "graded",
        "sha256",
        "interpretable",
        "weights",
        "score",
    ]
    text = b""
    for path in paths:
        status, headers, body = server.ask("GET", path)
        assert status == 200
        sent = path.encode() + repr(headers).encode() + (b"" if path.endswith(".png") else body)
        text += sent.lower()
        if path.endswith(".png"):
            kinds = [body[i + 4 : i + 8] for i in chunks(body)]
            assert set(kinds) == {b"IHDR", b"IDAT", b"IEND"}  # pixels and no metadata
    assert [secret for secret in secrets if secret.encode() in text] == []
    assert set(server.get("/study")) == {
        "token",
        "raters",
        "game",
        "guide",
        "choices",
        "features",
        "highest",
        "longest",
    }
    assert set(server.get("/rater?name=anna")) == {"order", "answers"}
    for path in (
        "/study.json",
        "/answers.sqlite",
        "/pictures/../study.json",
        "/pictures/0-strongest.png/..",
        "/pictures/",
        "/..%2fstudy.json",
        "/pictures/99-places.png",
    ):
        assert server.ask("GET", path)[0] == 404


def chunks(png: bytes) -> Iterator[int]:
    """Where the chunks of a PNG file begin."""
    at = 8
    while at < len(png):
        yield at
        at += 12 + int.from_bytes(png[at : at + 4], "big")


def test_features_of_all_agents_are_mixed_in_another_order_for_each_rater(server: Server) -> None:
    orders = [server.get(f"/rater?name={name}")["order"] for name in ("anna", "ben", "anna")]
    assert orders[0] == orders[2] != orders[1]
    assert sorted(orders[0]) == sorted(orders[1]) == list(range(24))
    features = synthetic_features()
    for order in orders[:2]:
        runs = sum(features[a] != features[b] for a, b in pairwise(order))
        assert runs >= 10  # of 23 neighbours, 16 are of different agents on average


def synthetic_features() -> list[int]:
    """The agent of each feature in the synthetic study, whose shuffling is seeded."""
    order = np.random.default_rng([0, 1]).permutation(24)
    return [int(i) // 8 for i in order]


def test_strangers_cannot_answer(server: Server) -> None:
    sent = valid(server, rater="dora")
    own = f"http://127.0.0.1:{server.port}"
    for origin in (
        "https://example.org",
        "null",
        "",
        f"http://127.0.0.1:{server.port + 1}",
        own.replace("http", "https"),
    ):
        assert server.answer(sent, Origin=origin)[0] == 403
    status, _, _ = server.ask("POST", "/answers", json.dumps(sent), **{"Content-Type": "application/json"})
    assert status == 403  # no Origin at all
    for kind in ("text/plain", "application/x-www-form-urlencoded", "multipart/form-data"):
        assert server.answer(sent, **{"Content-Type": kind})[0] == 415  # what a form can send without asking first
    for host in ("attacker.example", f"attacker.example:{server.port}", "127.0.0.1", f"127.0.0.1.nip.io:{server.port}"):
        assert server.answer(sent, Host=host)[0] == 403
        assert server.ask("GET", "/study", Host=host)[0] == 403  # the token stays here, too
    assert server.answer({**sent, "token": "guess"})[0] == 403
    assert server.answer({**sent, "token": None})[0] == 403
    _, headers, _ = server.ask("OPTIONS", "/answers", Origin="https://example.org")
    assert not [name for name in headers if name.lower().startswith("access-control")]
    assert server.get("/rater?name=dora")["answers"] == {}
    localhost = f"localhost:{server.port}"
    assert server.answer(sent, Host=localhost, Origin=f"http://{localhost}")[0] == 200


@pytest.mark.parametrize(
    ("change", "sentence"),
    [
        ({"rating": 11}, "rating must be a whole number from 0 to 10"),
        ({"rating": -1}, "rating must be"),
        ({"rating": 5.0}, "rating must be"),
        ({"rating": "5"}, "rating must be"),
        ({"rating": True}, "rating must be"),
        ({"rating": None}, "rating must be"),
        ({"feature": 24}, "feature must be a whole number from 0 to 23"),
        ({"feature": "0"}, "feature must be"),
        ({"seen": -1}, "seen must be"),
        ({"rater": "eve"}, "There is no rater of this name"),
        ({"rater": ["anna"]}, "There is no rater of this name"),
        ({"shows": ""}, "1 to 200 printable characters"),
        ({"shows": "  \n "}, "1 to 200 printable characters"),
        ({"shows": "x" * 201}, "1 to 200 printable characters"),
        ({"shows": "a\u0000b"}, "1 to 200 printable characters"),
        ({"shows": "\ud800"}, "1 to 200 printable characters"),
        ({"shows": 5}, "1 to 200 printable characters"),
        ({"shows": "x" * 20_000}, "at most 10000 bytes"),
    ],
)
def test_input_is_validated(server: Server, change: dict[str, Any], sentence: str) -> None:
    status, reply = server.answer(valid(server, rater="carl") | change)
    assert status in (400, 413)
    assert sentence in reply["error"]
    assert server.get("/rater?name=carl")["answers"] == {}


@pytest.mark.parametrize("body", ["", "no json", "[1]", "null", "[" * 9000, '{"token": NaN}', "9" * 5000])
def test_bodies_that_are_no_answer(server: Server, body: str) -> None:
    page = {"Content-Type": "application/json", "Origin": f"http://127.0.0.1:{server.port}"}
    assert server.ask("POST", "/answers", body, **page)[0] in (400, 403)
    assert server.get("/study")["features"] == 24


def test_a_second_tab_does_no_harm(server: Server) -> None:
    first = valid(server, rater="ben", rating=7)
    assert server.answer(first) == (200, {"rating": 7, "shows": "coin", "revision": 1})
    assert server.answer(first) == (200, {"rating": 7, "shows": "coin", "revision": 1})  # sent twice, written once
    status, reply = server.answer({**first, "rating": 2})  # a tab that has not seen it
    assert status == 409
    assert reply["stored"] == {"rating": 7, "shows": "coin", "revision": 1}
    assert server.answer({**first, "rating": 2, "seen": 1}) == (200, {"rating": 2, "shows": "coin", "revision": 2})
    assert server.answer({**first, "rating": 9, "seen": 1})[0] == 409
    assert server.get("/rater?name=ben")["answers"] == {"0": {"rating": 2, "shows": "coin", "revision": 2}}


def test_many_threads_write_one_row(tmp_path: Path) -> None:
    answers = Answers(tmp_path / "answers.sqlite")
    answers.add_raters(["anna"])
    outcomes: list[str] = []

    def send(rating: int) -> None:
        try:
            outcomes.append(str(answers.record("anna", 0, 1, rating, "coin", 0).rating))
        except Superseded:
            outcomes.append("superseded")

    threads = [threading.Thread(target=send, args=(rating,)) for rating in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    (stored,) = answers.all()
    assert sorted(outcomes) == [str(stored.rating)] + ["superseded"] * 7


def test_words_are_kept_as_they_are(server: Server) -> None:
    status, reply = server.answer(valid(server, feature=1, shows=f"  {SCRIPT}\n Ü "))
    assert status == 200
    assert reply["shows"] == f"{SCRIPT} Ü"


def answered(made: study.Study, rater: str, rule: Any) -> list[Answer]:
    return [
        Answer(
            rater,
            i,
            made.served.order(rater).index(i) + 1,
            rule(feature),
            feature.label,
            "2026-01-01T00:00:00.000+00:00",
            "2026-01-01T00:00:01.000+00:00",
            1,
        )
        for i, feature in enumerate(made.features)
    ]


def test_a_rater_who_follows_the_score(tmp_path: Path) -> None:
    """One rates as the score does, another one point lower: every statistic is known in advance."""
    made = synthetic(tmp_path / "study")

    def follow(feature: study.RatedFeature) -> int:
        return 1 + round(20 * feature.graded)

    given = answered(made, "anna", follow) + answered(made, "ben", lambda feature: follow(feature) - 1)
    summary = summarise(made, given, ["anna", "ben"])
    assert summary.raters == {"anna": 24, "ben": 24}
    # Ratings of agent a are a + 1 ... a + 8 by anna, one less by ben: on average a + 4.
    assert [agent.rating.value for agent in summary.agents] == [4, 5, 6]
    for agent in summary.agents:
        assert agent.rating.interval is not None
        low, high = agent.rating.interval
        sd = np.sqrt((63 / 12) / 8)  # features; the raters' part is small
        assert high - low == pytest.approx(2 * 1.96 * sd, rel=0.2)
    ratings = np.array([a + k + 1 for a in range(3) for k in range(8)])
    s2 = ratings.var(ddof=1)
    features, agents = summary.agreement.features, summary.agreement.agents
    assert (features.rated_by_all, features.raters, agents.rated_by_all) == (24, 2, 3)
    assert features.spearman == pytest.approx(1)
    assert features.icc_2_1.value == pytest.approx(s2 / (s2 + 1 / 2))
    assert features.icc_2_k.value == pytest.approx(s2 / (s2 + 1 / 4))
    assert agents.icc_2_1.value == pytest.approx(1 / (1 + 1 / 2))  # 4.5, 5.5, 6.5 have variance 1
    assert asdict(summary.correlation.graded_score) == {
        "spearman": pytest.approx(1),
        "p": pytest.approx(1 / 6),
        "agents": 3,
    }
    assert asdict(summary.correlation.graded_of_features) == {"spearman": pytest.approx(1), "features": 24}
    assert asdict(summary.named_as_scored) == {"share": 1, "of": 2 * (1 + 3 + 5)}
    assert asdict(summary.same_name) == {"share": 1, "of": 24}
    table = export.answers_table(made, given)
    assert len(table) == 48
    one = table[(table["rater"] == "ben") & (table["feature"] == 3)].iloc[0]
    assert one["agent"] == NAMES[made.features[3].agent]
    assert one["order"] == made.served.order("ben").index(3) + 1
    assert one["rating"] == follow(made.features[3]) - 1


def test_an_unfinished_study_gives_the_numbers_it_has(tmp_path: Path) -> None:
    made = synthetic(tmp_path / "study")
    few = answered(made, "anna", lambda feature: 3)[:2]
    summary = summarise(made, few, ["anna", "ben"])
    assert summary.raters == {"anna": 2, "ben": 0}
    assert summary.agreement.features.icc_2_1 == NO_NUMBER
    assert summary.agreement.features.spearman is None
    assert summary.correlation.graded_score.spearman is None
    assert export.agents_table(summary).row_count == 3
    assert export.agreement_table(summary).row_count > 5


@pytest.mark.long
def test_from_agents_to_the_export(tmp_path: Path) -> None:
    """The command on real agents, on a small scale: scored, drawn, rated by a script, exported, trained again."""
    trained, other = tmp_path / "trained.safetensors", untrained_agent("compact", EnvOptions(), seed=5)
    save_agent(trained, load_agent(ROOT / "zoo/compact-hard-all.safetensors"))
    small = [f"{key}={value}" for key, value in SMALL.items()]
    ask = [f"agents=[{trained},untrained:compact:1]", "raters=['<b>']", f"study={tmp_path}/study", "port=0", *small]
    with serving(tmp_path / "study", *ask) as server:
        (rater,) = server.get("/study")["raters"]
        assert rater == "<b>"
        order = server.get("/rater?name=%3Cb%3E")["order"]
        made = study.load(tmp_path / "study")
        assert len(order) == len(made.features) == 8
        scores = {path.name.split("-")[0]: path for path in (tmp_path / "runs/score").iterdir()}
        tables = [pd.read_parquet(scores[name] / "features.parquet") for name in ("trained", "untrained")]
        for number, feature in enumerate(made.features):
            rows = tables[feature.agent].query("feature == @feature.number")
            assert feature.graded == rows["graded"].iloc[0]
            assert feature.label in set(rows["class"])
            assert server.ask("GET", f"/pictures/{number}-places.png")[2][:4] == b"\x89PNG"
            rating = round(10 * feature.graded)
            sent = valid(server, rater=rater, feature=number, rating=rating, shows=feature.label)
            assert server.answer(sent)[0] == 200
    for name, number in (("trained", 0), ("untrained", 1)):
        headline = json.loads((scores[name] / "scores.json").read_text())["headline"]
        assert made.agents[number].graded_score == headline["graded_score"]["value"]
    done = run("export", f"study={tmp_path}/study", cwd=tmp_path)
    assert done.returncode == 0, done.stderr
    table = pd.read_parquet(tmp_path / "study/ratings.parquet")
    assert sorted(table["order"]) == list(range(1, 9))
    assert (table["rating"] == (10 * table["graded"]).round()).all()
    summary = json.loads((tmp_path / "study/ratings.json").read_text())
    for agent, group in table.groupby("agent"):
        (entry,) = (a for a in summary["agents"] if a["name"] == agent)
        assert entry["rating"]["value"] == pytest.approx(group["rating"].mean())

    # Settings or agents that are not those of the study, and an agent that was trained again.
    as_made = configuration(agents=[str(trained), "untrained:compact:1"], **SMALL)
    for change, sentence in (
        ({"agents": ["untrained:compact:1", "untrained:compact:2"]}, "is a study of other agents; name another folder"),
        ({"layer": "3a"}, "was made with layer=default, not 3a; name another folder"),
    ):
        with pytest.raises(InputError, match=sentence):
            rate.check_study(tmp_path / "study", as_made | change, [])
    save_agent(trained, Agent(other.network, other.options))
    sentence = (
        "trained.safetensors was trained again since its features were given to raters [(]weights [0-9a-f]{8} then, "
    )
    with pytest.raises(InputError, match=sentence + fingerprint(other)[:8]):
        rate.check_study(tmp_path / "study", configuration(), [])
    with pytest.raises(InputError, match=sentence):
        export.export(tmp_path / "study")


def one_sentence(*arguments: str, cwd: Path) -> str:
    done = run(*arguments, cwd=cwd)
    assert done.returncode == 1, done.stdout
    assert "Traceback" not in done.stderr
    (line,) = [line for line in done.stderr.splitlines() if not line.startswith("Error executing job")]
    assert line.startswith("error: ")
    return line


def test_bad_input_is_answered_with_one_sentence(tmp_path: Path) -> None:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]
        agents = "agents=[untrained:compact:1,untrained:compact:2]"
        sentence = one_sentence(agents, RATERS, f"port={port}", cwd=tmp_path)
        assert f"Port {port} is in use by another program; choose another" in sentence
    assert not (tmp_path / "runs").exists()  # before any long work


def configuration(**changes: Any) -> dict[str, Any]:
    """What Hydra makes of the command's files, changed."""
    with initialize_config_dir(str(ROOT / "conf"), version_base="1.3"):
        return plain(compose("rate")) | changes


def test_what_cannot_be_rated(tmp_path: Path) -> None:
    twice = ["untrained:compact:1", "untrained:compact:1"]
    for change, sentence in (
        ({"agents": None}, "There is no rating study at"),
        ({"agents": twice}, "agents names the same agent twice"),
        ({"agents": ["untrained:compact:1"], "features": "rotated"}, "nmf or channels can be rated"),
        ({"agents": ["untrained:compact:1"], "layer": "5a"}, "its layers are 1a, 2a, 2b, 3a"),
    ):
        with pytest.raises(InputError, match=re.escape(sentence)):
            rate.make_study(tmp_path / "study", configuration(**change))
    for names, sentence in (
        (["anna", "anna"], "raters names someone twice"),
        (["a" * 61], "a name has 1 to 60 printable characters"),
        (["a\nb"], "a name has 1 to 60 printable characters"),
        ([""], "a name has 1 to 60 printable characters"),
    ):
        with pytest.raises(InputError, match=re.escape(sentence)):
            raters_named(names)
    assert raters_named(rate.listed("anna")) == ["anna"]
    assert raters_named(rate.listed([])) == []


def test_features_that_are_not_those_of_the_score_are_not_rated() -> None:
    maps = np.zeros((2, 2, 4, 4), dtype=np.float32)
    maps[:, 0, 1, 1], maps[:, 1, 2, 2] = 0.75, -0.25
    check_features("an agent", maps, pd.DataFrame({"feature": [0, 0, 1, 1], "share": [0.75, 0.75, 0.25, 0.25]}))
    with pytest.raises(InputError, match="come out otherwise than when it was scored"):
        check_features("an agent", maps, pd.DataFrame({"feature": [0, 1], "share": [0.25, 0.75]}))


def test_a_study_without_raters_or_answers(tmp_path: Path) -> None:
    synthetic(tmp_path / "study")
    with pytest.raises(InputError, match="has no answers yet"):
        export.export(tmp_path / "study")
    with pytest.raises(InputError, match=re.escape("The study has no raters yet; raters=[…] names them")):
        rate.check_study(tmp_path / "study", configuration(), [])
    for port in (-1, 70_000):
        with pytest.raises(InputError, match=f"port is {port}; it must be 0 to 65535"):
            rate.check_study(tmp_path / "study", configuration(port=port), ["anna"])
    with pytest.raises(InputError, match="has no answers yet"):
        export.export(tmp_path / "study")


def test_folders_that_are_no_study_are_left_as_they_are(tmp_path: Path) -> None:
    other = tmp_path / "thesis"
    other.mkdir()
    assert study.vacant(other)
    (other / "text.md").write_text("years of work")
    with pytest.raises(InputError, match="exists and is not a rating study; it is left as it is"):
        study.vacant(other)
    assert [path.name for path in other.iterdir()] == ["text.md"]
    with pytest.raises(InputError, match="There is no rating study at"):
        study.load(other)
    synthetic(tmp_path / "study")
    path = tmp_path / "study" / served.FILE
    path.write_text(path.read_text().replace("coinrun-rating-1", "coinrun-rating-0"))
    with pytest.raises(InputError, match="is of version 'coinrun-rating-0'; this program reads 'coinrun-rating-1'"):
        study.load(tmp_path / "study")
    path.write_text(path.read_text()[:100])
    with pytest.raises(InputError, match="is not a complete rating study"):
        study.load(tmp_path / "study")


def test_answers_of_another_version_or_program_are_refused(tmp_path: Path) -> None:
    path = tmp_path / "answers.sqlite"
    Answers(path).add_raters(["anna"])
    Answers(path).record("anna", 0, 1, 5, "coin", 0)
    with sqlite3.connect(path) as db:
        db.execute("PRAGMA user_version = 2")
    before = path.read_bytes()
    with pytest.raises(InputError, match="holds answers of version 2; this program reads 1"):
        Answers(path)
    assert path.read_bytes() == before
    with sqlite3.connect(tmp_path / "other.sqlite") as db:
        db.execute("CREATE TABLE recipes (cake TEXT)")
    with pytest.raises(InputError, match="is a database of another program"):
        Answers(tmp_path / "other.sqlite")
    (tmp_path / "text.sqlite").write_text("no database, but long enough to be taken for one" * 20)
    with pytest.raises(InputError, match="cannot be read as a study's answers"):
        Answers(tmp_path / "text.sqlite")


def test_the_database_itself_refuses_what_is_no_rating(tmp_path: Path) -> None:
    answers = Answers(tmp_path / "answers.sqlite")
    answers.add_raters(["anna"])
    for rater, rating, shows in (("anna", 11, "coin"), ("anna", 5, ""), ("eve", 5, "coin")):
        with pytest.raises(sqlite3.IntegrityError):
            answers.record(rater, 0, 1, rating, shows, 0)
    assert answers.all() == []


def test_a_study_made_before_it_named_its_game_is_of_coinrun(tmp_path: Path) -> None:
    made = synthetic(tmp_path / "study")
    path = tmp_path / "study" / served.FILE
    document = json.loads(path.read_text())
    assert document.pop("game") == "coinrun"
    path.write_text(json.dumps(document))
    assert study.load(tmp_path / "study") == made
    path.write_text(json.dumps(document | {"features": [{"agent": 0}]}))
    with pytest.raises(InputError, match=r"is not a complete rating study: features\.0\.number: Field required"):
        study.load(tmp_path / "study")


@pytest.mark.parametrize("version", VERSIONS.values(), ids=lambda version: f"version{version.number}")
@pytest.mark.parametrize("game", GAMES.values(), ids=lambda game: game.name)
def test_every_key_names_one_thing(game: Game, version: Version) -> None:
    """Digits and y rate, / goes to the rater's own words, o and h are switches of the page."""
    offered = choices(game, version)
    keys = [choice.key for choice in offered]
    assert len({*keys, *"0123456789y/oh"}) == len(keys) + 14
    assert len({choice.name for choice in offered}) == len({choice.words for choice in offered}) == len(keys)
    told = guide(game, version)
    assert all(word and sentence for word, sentence in told)
    assert len(told) >= len(game.kinds)


def test_raters_choose_among_the_kinds_of_the_scores_version() -> None:
    first, second = ([c.name for c in choices(COINRUN, version)] for version in VERSIONS.values())
    assert first == [*COINRUN.names, "several", "nothing"]
    described = {"screen_edge", "surface", "wall"}
    assert second == [kind.name for kind in COINRUN.concepts if kind.name not in described] + ["several", "nothing"]
    words = [[word for word, _ in guide(COINRUN, version)] for version in VERSIONS.values()]
    assert "edge of the ground" in words[0]
    assert "platform top" not in words[0]
    walls = [kind.words for kind in COINRUN.concepts if kind.movable]
    assert len(walls) == 8
    assert set(walls) <= set(words[1])
    assert not {"edge of the ground", "inside of walls"} & set(words[1])


def test_a_study_of_version_1_keeps_its_names(tmp_path: Path) -> None:
    """Also one that was made before settings named a version; the two versions are never compared."""
    made = synthetic(tmp_path / "study", version=1)
    path = tmp_path / "study" / served.FILE
    document = json.loads(path.read_text())
    assert document["settings"].pop("version") == 1
    path.write_text(json.dumps(document))
    found = study.load(tmp_path / "study")
    assert found == made
    given = answered(found, "anna", lambda feature: 5)
    names = [choice["name"] for choice in about(found.served, Answers(tmp_path / "answers.sqlite"))["choices"]]
    assert {answer.shows for answer in given} <= set(names)
    assert asdict(summarise(found, given, ["anna"]).named_as_scored) == {"share": 1, "of": 1 + 3 + 5}
    assert set(export.answers_table(found, given)["version"]) == {1}
    weights = [agent.weights_sha256 for agent in found.agents]
    found.check_same(weights, found.settings, tmp_path)
    asked = replace(found.settings, version=2, dilation=2)
    with pytest.raises(InputError, match="was made with version=1, not 2; name another folder"):
        found.check_same(weights, asked, tmp_path)


def test_the_page_is_told_what_is_in_the_game(server: Server) -> None:
    told = server.get("/study")
    assert told["game"] == "CoinRun"
    assert told["choices"][:2] == [
        {"name": "coin", "words": "coin", "key": "c"},
        {"name": "saw", "words": "saw", "key": "s"},
    ]
    assert {"name": "top", "words": "platform top", "key": "t"} in told["choices"]
    assert [choice["name"] for choice in told["choices"][-2:]] == ["several", "nothing"]
    assert ["saws", "round blades; they count against the agent"] in told["guide"]
    for path in ("/", "/rate.js", "/rate.css"):  # they know no game
        text = server.ask("GET", path)[2].decode().lower()
        assert [name for name in ("coin", "saw", "lava", "crate", "velocity") if name in text] == []


def test_an_agent_that_moved_is_not_missed_but_a_changed_one_is(tmp_path: Path) -> None:
    path = tmp_path / "agent.safetensors"
    agent = untrained_agent("compact", EnvOptions(), seed=1)
    made = synthetic(tmp_path / "study", checkpoints=(str(path), "", ""))
    made.check_agents()  # not there: nothing to compare
    save_agent(path, agent)
    with pytest.raises(InputError, match="was trained again since"):
        made.check_agents()
    rated = replace(made.agents[0], weights_sha256=fingerprint(agent))
    replace(made, agents=(rated, *made.agents[1:])).check_agents()


def test_the_score_has_the_same_settings_here() -> None:
    settings = picked(RatingConfig, configuration())
    assert settings == RatingConfig()
    assert settings.score == ScoreConfig()
    assert settings.banking() == BankSettings()
