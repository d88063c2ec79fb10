"""The whole study from a folder of agents: every agent scored, a table, pictures, RESULTS.md.

python scripts/reproduce.py agents=zoo/ladder output=results
"""

import hashlib
import json
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass, replace
from functools import cache, partial
from pathlib import Path
from typing import Any

import pandas as pd
import torch
from omegaconf import DictConfig

import collect
from agents.checkpoint import Agent, fingerprint, load_agent, untrained_agent
from agents.computation import tune_process
from common.command import main, plain
from common.progress import CONSOLE, track
from common.values import build, cores, whole
from rollouts.bank import FrameBank, load, save
from rollouts.collecting import BankPlan
from rollouts.errors import InputError
from rollouts.files import write_atomically
from rollouts.locks import locked
from scoring.evidence import Evidence, gather
from scoring.pipeline import VERSION, ScoreConfig, score_subject
from scoring.study import table as tables
from scoring.study.answer import answer
from scoring.study.figures import FIGURES, along_training
from scoring.study.milestones import completes
from scoring.study.text import results
from scoring.subject import explain

MILESTONES = "milestones.parquet"
"""Scores along each training, in a study's folder, and beside agents whose checkpoints are not shipped."""


@dataclass(frozen=True)
class Study:
    """Where a study lies, how its banks are played, and how its agents are scored."""

    output: Path
    plan: BankPlan
    seed: int
    threads: int
    scoring: ScoreConfig

    @property
    def table(self) -> Path:
        return self.output / "results.parquet"


def readable(folder: Path) -> tuple[dict[str, Agent], list[str]]:
    """Trained agents of a folder by file name, and a sentence for each file that is none.

    Raises `InputError` for a folder that is not there, or has no trained agent that can be read.
    """
    if not folder.is_dir():
        raise InputError(f"There is no folder {folder}.")
    found, unread = {}, []
    for path in sorted(folder.glob("*.safetensors")):
        try:
            agent = load_agent(path)
        except InputError as error:
            unread.append(str(error))
            continue
        if agent.steps:
            found[path.stem] = agent
        else:
            unread.append(f"{path} was never trained.")
    if not found:
        raise InputError(f"{folder} has no agent that can be read{': ' + '; '.join(unread) if unread else ''}.")
    return found, unread


def along_the_way(folder: Path, agents: Mapping[str, Agent]) -> tuple[dict[str, list[Agent]], list[str]]:
    """Of each agent the checkpoints that were kept, in order of steps, and a sentence for each that is none of them."""
    found: dict[str, list[Agent]] = {name: [] for name in agents}
    unread = []
    for name, agent in agents.items():
        for path in (folder / name).glob("agent-*of*.safetensors"):
            try:
                each = load_agent(path)
            except InputError as error:
                unread.append(str(error))
                continue
            if (tables.group_name(each), each.options, each.seed) == (
                tables.group_name(agent),
                agent.options,
                agent.seed,
            ):
                found[name].append(each)
            else:
                unread.append(f"{path} is of another training than {name}.")
        found[name].sort(key=lambda each: each.steps)
    return found, unread


def slug(group: str) -> str:
    """A group's name in names of files."""
    return group.replace(", ", "-").replace(" ", "-")


def grouped(agents: Mapping[str, Agent]) -> dict[str, dict[str, Agent]]:
    """Agents that can be compared, with an untrained network of their kind beside them."""
    groups: dict[str, dict[str, Agent]] = {}
    for name, agent in agents.items():
        groups.setdefault(tables.group_name(agent), {})[name] = agent
    for group, members in groups.items():
        first = next(iter(members.values()))
        members[f"untrained-{slug(group)}"] = untrained_agent(first.network.network, first.options, 0, first.actions)
    return groups


def bank_of(study: Study, name: str, players: list[tuple[str, Agent]]) -> FrameBank:
    """The bank that the players share, played once and kept."""
    key = hashlib.sha256("".join(f"{fingerprint(agent)}{agent.options}" for _, agent in players).encode())
    plan = study.plan
    settings = f"{plan.kind}-{plan.frames}+{plan.pool_frames}-s{study.seed}"
    path = study.output / "banks" / f"{name}-{key.hexdigest()[:12]}-{settings}.zip"
    if path.exists():
        return load(path, plan.frames)
    bank = collect.play(players, plan, "unseen", study.seed, study.threads)
    path.parent.mkdir(parents=True, exist_ok=True)
    save(path, bank)
    return bank


def settings(study: Study, agent: Agent, layer: str, features: Sequence[str]) -> list[ScoreConfig]:
    """How a layer is scored; factorisations are repeated, and channels rotated, at the layer of the headline only."""
    at_default = layer == agent.network.default_layer
    how = replace(study.scoring, layer=layer, refits=study.scoring.refits if at_default else 0)
    return [replace(how, features=kind) for kind in features if at_default or kind != "rotated"]


def rows_of(
    study: Study,
    name: str,
    agent: Agent,
    kind: str,
    bank: FrameBank,
    evidence: Callable[[], Evidence],
    layers: Sequence[str] = (),
    features: Sequence[str] = ("nmf", "channels", "rotated"),
) -> Iterator[dict[str, Any]]:
    """A row for each layer (all by default) and kind of features, scored now or read from an earlier run.

    What is scored is written at once. `evidence` is gathered when the first score needs it.
    """
    bank.check_options(agent.options, name)
    shown = hashlib.sha256(bank.frames.tobytes() + bank.pool.tobytes()).hexdigest()
    about = tables.about(name, agent) | {"bank": kind, "bank_sha256": shown}
    for layer in layers or agent.network.layers:
        path = study.output / "scores" / f"{name}-{kind}-{layer}.json"
        wanted = settings(study, agent, layer, features)
        basis = {
            "version": VERSION,
            "weights_sha256": about["weights_sha256"],
            "bank_sha256": shown,
            "settings": [asdict(how) for how in wanted],
        }
        kept = kept_scores(path)
        if kept.get("basis") != basis:
            subject = explain(agent.network, layer, bank, evidence(), steps=study.scoring.steps)
            scores = [tables.numbers(score_subject(agent, subject, how, dilations=())) for how in wanted]
            kept = {"basis": basis, "scores": scores}
            path.parent.mkdir(parents=True, exist_ok=True)
            write_atomically(path, json.dumps(kept) + "\n")
        for numbers in kept["scores"]:
            yield about | numbers


def kept_scores(path: Path) -> dict[str, Any]:
    """Scores of an earlier run, nothing where there are none or the file is damaged."""
    try:
        return dict(json.loads(path.read_text()))
    except (OSError, ValueError, TypeError):
        return {}


def rows_of_group(
    study: Study,
    members: Mapping[str, Agent],
    checkpoints: Mapping[str, Sequence[Agent]],
    advance: Callable[[str], None],
) -> tuple[list[dict[str, Any]], list[dict[str, Any]]]:
    """All rows of agents that can be compared, and the rows along their trainings."""
    rows, along = [], []
    trained = [(name, agent) for name, agent in members.items() if agent.steps]
    shared = bank_of(study, f"shared-{slug(tables.group_name(trained[0][1]))}", trained)
    seen = cache(partial(gather, shared))
    for name, agent in members.items():
        on_shared = list(rows_of(study, name, agent, "shared", shared, seen))
        advance(f"{name} on the shared bank")
        own = bank_of(study, name, [(name, agent)])
        rows += [*on_shared, *rows_of(study, name, agent, "own", own, cache(partial(gather, own)))]
        advance(f"{name} on its own bank")
        layer = agent.network.default_layer
        for each in checkpoints.get(name, []):
            scored = rows_of(study, f"{name}-{each.steps}", each, "shared", shared, seen, [layer], ("nmf", "channels"))
            along += [row | {"agent": name, "completes": completes(each)} for row in scored]
            advance(f"{name} after {each.steps:,} steps")
        if agent.steps:
            finished = [row for row in on_shared if row["layer"] == layer and row["features"] != "rotated"]
            along += [row | {"completes": completes(agent)} for row in finished]
    return rows, along if any(checkpoints[name] for name, _ in trained) else []


def task(config: DictConfig) -> None:
    values = plain(config)
    threads = whole(values["threads"], "threads") or cores()
    scoring = build(ScoreConfig, {name: values[name] for name in ("steps", "refits", "bootstrap", "permutations")}, "")
    output, milestones = (Path(values[name]) for name in ("output", "milestones"))
    seed = whole(values["seed"], "seed")
    study = Study(output, collect.plan(values), seed, threads, scoring)
    shipped = Path(values["agents"])
    agents, unread = readable(shipped)
    checkpoints, unfit = along_the_way(milestones, agents)
    for path in (study.table, output / MILESTONES, shipped / MILESTONES):
        tables.check_version(path)
    torch.set_num_threads(threads)
    tune_process()
    for sentence in unread + unfit:
        CONSOLE.print(f"Left out: {sentence}")
    groups = grouped(agents)
    with locked(study.output):
        rows: list[dict[str, Any]] = []
        along: list[dict[str, Any]] = []
        done = 0
        steps = 2 * sum(map(len, groups.values())) + sum(map(len, checkpoints.values()))
        with track("Scoring", steps) as update:

            def advance(what: str) -> None:
                nonlocal done
                done += 1
                update(done, what)

            for members in groups.values():
                found, kept = rows_of_group(study, members, checkpoints, advance)
                rows, along = rows + found, along + kept
        tables.save(study.table, rows)
        if along:
            tables.save(study.output / MILESTONES, along)
        report(study, pd.read_parquet(study.table), scores_along(study.output, shipped), unread + unfit)


def scores_along(*folders: Path) -> pd.DataFrame | None:
    """Scores along trainings, from the first of the folders that has them; None without."""
    path = next((folder / MILESTONES for folder in folders if (folder / MILESTONES).exists()), None)
    return None if path is None else pd.read_parquet(path)


def report(study: Study, found: pd.DataFrame, along: pd.DataFrame | None, unread: list[str]) -> None:
    """Pictures and RESULTS.md. `along` has the scores along trainings; those of other agents are left out."""
    groups = list(dict.fromkeys(found["group"]))
    prefixes = {group: "" if len(groups) == 1 else f"{slug(group)}-" for group in groups}
    answers = [answer(found, group) for group in groups]
    if along is not None:
        same = along[along["weights_sha256"].isin(found["weights_sha256"])]
        known = along.groupby("group")["completes"].transform("count") > 0
        along = along[along["agent"].isin(same["agent"]) & known]
    for group in groups:
        rows = found[found["group"] == group]
        for name, draw in FIGURES.items():
            draw(rows, study.output / f"{prefixes[group]}{name}.png")
        if along is not None and (along["group"] == group).any():
            along_training(along[along["group"] == group], rows, study.output / f"{prefixes[group]}training.png")
    text = results(found, answers, prefixes, unread, along)
    write_atomically(study.output / "RESULTS.md", text)
    CONSOLE.print(text.split("\n\n")[1])
    CONSOLE.print(f"Written: {study.output / 'RESULTS.md'}, its pictures, and {study.table}")


if __name__ == "__main__":
    main(task, "reproduce", lambda config: "")
