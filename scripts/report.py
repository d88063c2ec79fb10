"""Write the page in which an agent can be read: python scripts/report.py agent=PATH compare=untrained:compact:0"""

from collections.abc import Mapping, Sequence
from dataclasses import fields
from pathlib import Path
from typing import Any

from hydra.core.hydra_config import HydraConfig
from omegaconf import DictConfig

import collect
import score
from agents.checkpoint import Agent, fingerprint
from agents.computation import tune_process
from agents.naming import named_agents
from common.command import main, plain, run_folder
from common.progress import CONSOLE, track
from common.values import build, differences
from rollouts.bank import BankError, FrameBank
from rollouts.collecting import PLANS
from rollouts.errors import InputError
from scoring.explain.base import Attribution
from scoring.explain.methods import attribute
from scoring.pipeline import Score, ScoreConfig, check, score_subject
from scoring.report.cards import cards, shown_features
from scoring.report.clips import Clip, examples, removable, trajectory
from scoring.report.page import Entry, check_folder, write_page
from scoring.report.views import View, target_of, view
from scoring.subject import Subject

Named = tuple[str, Agent]


def settings(config: Mapping[str, Any]) -> ScoreConfig:
    """The scoring settings that a configuration means; raises `InputError` for what a report cannot show."""
    given = {field.name: config[field.name] for field in fields(ScoreConfig) if field.name in config}
    chosen: ScoreConfig = build(ScoreConfig, given, "")
    if str(config["bank"]) == "trajectory":
        raise InputError("bank is 'trajectory'; a report is scored on spread or on a bank's file.")
    if chosen.features == "rotated":
        raise InputError("features is 'rotated'; a report shows nmf or channels.")
    return chosen


def read_agents(config: Mapping[str, Any]) -> list[Named]:
    """The agent and the one beside it; raises `InputError` for lists and for the same agent twice."""
    given = [spec for spec in (config["agent"], config["compare"]) if spec is not None]
    if not all(isinstance(spec, str) for spec in given):
        raise InputError("agent or compare is a list; a report shows one agent, or two side by side with compare=.")
    found = named_agents(given)
    if len(found) == 2 and found[0][0] == found[1][0]:
        raise InputError(f"agent and compare are the same, {found[0][0]}.")
    return found


def targets(config: Mapping[str, Any], agents: Sequence[Named]) -> tuple[str, ...]:
    """The names of what is attributed on the trajectory, the value first; raises `InputError` for unknown ones."""
    named = tuple(dict.fromkeys(["value", *map(str, config["targets"])]))
    for _, agent in agents:
        for name in named:
            target_of(agent, name)
    return named


def shared(config: Mapping[str, Any]) -> dict[str, Any]:
    """The configuration of the bank that all agents of the report play together."""
    return {**config, "agent": [spec for spec in (config["agent"], config["compare"]) if spec is not None]}


def folder(config: Mapping[str, Any]) -> str:
    """`output` where it is given; else the agents, the layer, the features, the bank, and what is not the default."""
    if config["output"] is not None:
        output = Path(str(config["output"]))
        check_folder(output)
        return str(output.absolute())
    agents, chosen = read_agents(config), settings(config)
    names = "+".join(name for name, _ in agents)
    layer, _ = check(agents[0][1], chosen)
    if str(config["bank"]) in PLANS:
        played = collect.folder(shared(config)).removeprefix(names + "-")
    else:
        played = score.bank_name(Path(str(config["bank"])))
    return f"{names}-{layer}-{chosen.features}-{played}" + differences(chosen, skip=("layer", "features", "seed"))


def bank_for(config: Mapping[str, Any], agents: Sequence[Named]) -> FrameBank:
    """The bank that the agents are scored on; raises `BankError` for one that they did not play."""
    bank = score.bank_for(shared(config))
    for name, agent in agents:
        bank.check_options(agent.options, name)
        if name not in bank.players:
            raise BankError(f"{config['bank']} was played by {', '.join(bank.players)}, not by {name}.")
    return bank


def write_report(
    run: Path,
    agents: Sequence[Named],
    subjects: Mapping[str, Subject],
    scores: Mapping[str, Score],
    played: FrameBank,
    named: Sequence[str],
    made: Mapping[str, Any],
) -> Path:
    """Look at the trajectory `played` and at the scored bank as each agent, and write the page; returns its path.

    The agents' `subjects` and `scores`, by name, are on one bank. `named` is attributed on the trajectory.
    """
    first = subjects[agents[0][0]]
    with track("Taking objects out", len(played)) as update:
        clips = (trajectory(played, update), examples(first.bank, first.evidence))
    total = len(agents) * (len(clips[0]) * len(named) + len(clips[0].removed))
    entries = []
    with track("Attributing the trajectory", total) as update:
        for number, (name, agent) in enumerate(agents):
            done = number * total // len(agents)

            def told(frames: int, base: int = done) -> None:
                update(base + frames)

            found, subject = scores[name], subjects[name]
            along = _along(agent, found, clips[0], named, told)
            own = {"value": subject.own}
            gone = [subject.removed[kind] for kind in removable(subject.evidence)]
            apart = view(agent, clips[1], own, gone, found.basis, shown_features(found))
            shown = cards(found, subject, found.summary["settings"]["dilation"])
            entries.append(Entry(name, agent, found, shown, {"trajectory": along, "examples": apart}))
            score.write(run / "scores" / name, name, found, subject.bank)
    title = " and ".join(name for name, _ in agents)
    write_page(run, title, entries, clips, made)
    return run / "index.html"


def _along(agent: Agent, found: Score, clip: Clip, named: Sequence[str], progress: Any) -> View:
    """What an agent makes of the trajectory; `progress` is told frames attributed."""
    used, layer, done = found.summary["settings"], found.summary["layer"]["name"], 0

    def of(frames: Any, target: str) -> Attribution:
        nonlocal done
        base = done
        result = attribute(
            agent.network, layer, frames, target, used["attribution"], used["steps"], lambda n: progress(base + n)
        )
        done += len(frames)
        return result

    attributed = {name: of(clip.frames, target_of(agent, name)) for name in named}
    removed = [of(clip.removed, "value")] if len(clip.removed) else []
    return view(agent, clip, attributed, removed, found.basis, shown_features(found))


def task(config: DictConfig) -> None:
    values = plain(config)
    chosen, agents = settings(values), read_agents(values)
    named = targets(values, agents)
    for _, agent in agents:
        check(agent, chosen)
    made = {
        "agents": {name: fingerprint(agent) for name, agent in agents},
        "settings": {name: value for name, value in values.items() if name not in ("output", "threads")},
    }
    tune_process()
    before = check_folder(Path(HydraConfig.get().runtime.output_dir))
    with run_folder() as run:
        if before is not None and {**before, **made, "finished": True} == before:
            CONSOLE.print(f"{run} is finished; open {run / 'index.html'}")
            return
        bank = bank_for(values, agents)
        evidence = score.evidence_for(bank)
        subjects = {name: score.explain_with_progress(name, agent, bank, evidence, chosen) for name, agent in agents}
        with track("Scoring", len(agents)) as update:
            scores = {}
            for number, (name, agent) in enumerate(agents, start=1):
                scores[name] = score_subject(agent, subjects[name], chosen)
                update(number, name)
        played = score.bank_for({**values, "bank": "trajectory", "pool_frames": 0})
        path = write_report(run, agents, subjects, scores, played, named, made)
        CONSOLE.print(f"Open {path}")


if __name__ == "__main__":
    main(task, "report", folder)
