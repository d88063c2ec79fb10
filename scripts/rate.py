"""Let people rate features, blind: the rating page on this machine, and what the ratings say.

python scripts/rate.py agents=[a.safetensors,b.safetensors] raters=[anna,ben]
python scripts/rate.py export
"""

import json
import signal
import sys
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
from omegaconf import DictConfig

import collect
import score
from agents.checkpoint import Agent, fingerprint
from agents.computation import tune_process
from agents.naming import named_agents
from common.command import main, plain
from common.progress import CONSOLE, track
from common.values import whole
from rollouts.bank import FrameBank, load
from rollouts.collecting import PLANS
from rollouts.errors import InputError
from rollouts.files import atomic_path, write_atomically
from rollouts.locks import locked
from scoring.evidence import Evidence
from scoring.explain.base import Maps
from scoring.pipeline import ScoreConfig, check
from scoring.rating import export, study
from scoring.rating.answers import Answers
from scoring.rating.pictures import feature_maps, feature_sheets, frames_to_attribute
from scoring.rating.server import RatingServer, check_port
from scoring.rating.study import RatedAgent, RatedFeature

LONGEST_NAME = 60


def settings(config: Mapping[str, Any]) -> ScoreConfig:
    """The scoring settings; raises `InputError` for features that nobody should rate."""
    chosen = score.settings(config)
    if chosen.features == "rotated":
        raise InputError("features is 'rotated'; nmf or channels can be rated.")
    if chosen.projection != "none":
        raise InputError(f"projection is '{chosen.projection}'; features are rated on the layer's own cells, none.")
    return chosen


def named_raters(config: Mapping[str, Any]) -> list[str]:
    """The raters' names; raises `InputError` for one that cannot be shown or is there twice."""
    given = config["raters"] or []
    names = [str(name).strip() for name in (given if isinstance(given, list) else [given])]
    for name in names:
        if not 0 < len(name) <= LONGEST_NAME or not name.isprintable():
            raise InputError(f"raters names {name!r}; a name has 1 to {LONGEST_NAME} printable characters.")
    if len(set(names)) < len(names):
        raise InputError("raters names someone twice.")
    return names


def rated_agents(config: Mapping[str, Any]) -> list[tuple[str, str, Agent]]:
    """Specification, name and agent of each; raises `InputError` for two with the same weights."""
    specs = config["agents"] if isinstance(config["agents"], list) else [config["agents"]]
    agents = [(str(spec), *named) for spec, named in zip(specs, named_agents(specs), strict=True)]
    if len({fingerprint(agent) for _, _, agent in agents}) < len(agents):
        raise InputError("agents names the same agent twice.")
    return agents


def shared_bank(config: Mapping[str, Any], specs: list[str]) -> tuple[str, FrameBank]:
    """The bank's file and the bank, played by all agents in equal parts where it is not given, as collect.py does."""
    bank = str(config["bank"])
    if bank not in PLANS:
        return bank, load(bank, whole(config["frames"], "frames"))
    played = {**config, "agent": specs}
    with locked(Path("runs/collect") / collect.folder(played)) as kept:
        return str(kept / collect.FILE), collect.obtain(kept / collect.FILE, played)


def scored(
    config: Mapping[str, Any], name: str, agent: Agent, bank: FrameBank, evidence: dict[str, Evidence]
) -> tuple[dict[str, Any], pd.DataFrame]:
    """The agent's finished score, made first if score.py has not: scores.json and features.parquet."""
    chosen = settings(config)
    with locked(Path("runs/score") / score.folder(config)) as run:
        if not score.finished(run / "scores.json", chosen):
            shown = evidence.get("bank") or evidence.setdefault("bank", score.evidence_for(bank))
            score.write(run, name, score.score_with_progress(name, agent, bank, shown, chosen), bank)
        return json.loads((run / "scores.json").read_text()), pd.read_parquet(run / "features.parquet")


def judged(table: pd.DataFrame, agent: int) -> Iterator[RatedFeature]:
    """What a score's table says of each feature: its class, or the eligible one of the headline with the highest κ."""
    for number, rows in table.groupby("feature"):
        own = rows[rows["is_its_class"]]
        near = rows[rows["eligible"] & rows["headline_class"] & rows["kappa"].notna()].sort_values("kappa")
        found = own if len(own) else near.tail(1)
        label = str(found["class"].iloc[0]) if len(found) else "nothing"
        yield RatedFeature(
            agent, int(number), label, bool(rows["interpretable"].iloc[0]), float(rows["graded"].iloc[0])
        )


def check_features(name: str, maps: Maps, table: pd.DataFrame) -> None:
    """Raises `InputError` unless the features (N, K, H, W) are those of the score, by their shares of attribution."""
    share = np.abs(maps).sum(axis=(0, 2, 3), dtype=np.float64)
    if not np.allclose(share / share.sum(), table.groupby("feature")["share"].first(), atol=0.005):
        raise InputError(
            f"The features of {name} come out otherwise than when it was scored, by another version or machine; "
            "remove its folder under runs/score and score it again."
        )


def make(folder: Path, config: Mapping[str, Any]) -> None:
    """Score the agents, draw what raters see, and write the study. Nothing that unblinds is printed."""
    if config["agents"] is None:
        raise InputError(f"There is no rating study at {folder}; agents=[…] says whose features to rate.")
    chosen, agents = settings(config), rated_agents(config)
    for _, _, agent in agents:
        check(agent, chosen)
    path, bank = shared_bank(config, [spec for spec, _, _ in agents])
    for _, name, agent in agents:
        bank.check_options(agent.options, name)
    entries: list[RatedAgent] = []
    features: list[RatedFeature] = []
    sheets: list[dict[str, bytes]] = []
    evidence: dict[str, Evidence] = {}
    for index, (spec, name, agent) in enumerate(agents):
        summary, table = scored({**config, "agent": spec, "bank": path}, name, agent, bank, evidence)
        with track(f"Drawing {name}", frames_to_attribute(bank, chosen)) as update:
            maps, activations = feature_maps(agent, bank, chosen, update)
        check_features(name, maps, table)
        features += judged(table, index)
        geometry = check(agent, chosen)[1]
        for k in range(maps.shape[1]):
            sheets.append(
                feature_sheets(maps[:, k], activations[:, k], bank, geometry, [chosen.seed, index, k]),
            )
        headline = summary["headline"]
        checkpoint = "" if spec.startswith("untrained:") else str(Path(spec).resolve())
        entries.append(
            RatedAgent(
                name,
                checkpoint,
                fingerprint(agent),
                headline["interpretable_fraction"]["value"],
                headline["graded_score"]["value"],
            )
        )
    made, order = study.make_study(chosen.seed, asked(config), entries, features)
    study.save(folder, made, (sheets[i] for i in order))


def asked(config: Mapping[str, Any]) -> dict[str, Any]:
    """What the study depends on besides its agents."""
    return {**vars(settings(config)), **{key: config[key] for key in ("bank", "frames", "pool_frames", "levels")}}


def serve(folder: Path, config: Mapping[str, Any], raters: list[str]) -> None:
    """Serve a study until Ctrl+C or SIGTERM, which a process started in the background would else not hear."""
    for number in (signal.SIGINT, signal.SIGTERM):
        signal.signal(number, signal.default_int_handler)
    found = study.load(folder)
    found.check_agents()
    if config["agents"] is not None:
        found.check_same((fingerprint(agent) for _, _, agent in rated_agents(config)), asked(config), folder)
    answers = Answers(folder / study.ANSWERS)
    answers.add_raters(raters)
    if not answers.raters():
        raise InputError("The study has no raters yet; raters=[…] names them.")
    with RatingServer(folder, found, answers, whole(config["port"], "port")) as server:
        print(f"The rating page of {folder}: http://127.0.0.1:{server.server_port}/ (Ctrl+C ends it)", flush=True)
        try:
            server.serve_forever()
        except KeyboardInterrupt:
            print(f"{len(answers.all())} answers are in {answers.path}.")


def write(folder: Path) -> None:
    """Export the answers so far; the server may be running."""
    found = study.load(folder)
    found.check_agents()
    path = folder / study.ANSWERS
    if not path.exists():
        raise InputError(f"{folder} has no answers yet.")
    answers = Answers(path)
    given = answers.all()
    if not given:
        raise InputError(f"{folder} has no answers yet.")
    summary = export.summary(found, given, answers.raters())
    with atomic_path(folder / "ratings.parquet") as temporary:
        export.answers_table(found, given).to_parquet(temporary, index=False)
    write_atomically(folder / "ratings.json", json.dumps(summary, indent=2) + "\n")
    CONSOLE.print(export.agents_table(summary))
    CONSOLE.print(export.agreement_table(summary))
    CONSOLE.print(f"Written: {folder / 'ratings.parquet'}, {folder / 'ratings.json'}")


def task(config: DictConfig) -> None:
    values = plain(config)
    folder = Path(str(values["study"]))
    if values["export"]:
        write(folder)
        return
    raters = named_raters(values)
    if study.vacant(folder):
        if not raters:
            raise InputError("raters is an empty list; a study is made for somebody.")
        check_port(whole(values["port"], "port"))
        tune_process()
        make(folder, values)
    with locked(folder):
        serve(folder, values, raters)


if __name__ == "__main__":
    sys.argv[1:] = ["export=true" if argument == "export" else argument for argument in sys.argv[1:]]
    main(task, "rate", lambda config: "")
