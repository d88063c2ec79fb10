"""Score an agent: python scripts/score.py agent=PATH layer=2b features=nmf projection=none bank=spread"""

import json
from collections.abc import Mapping
from dataclasses import asdict, fields
from pathlib import Path
from typing import Any

from omegaconf import DictConfig

import collect
from agents.checkpoint import Agent
from agents.computation import tune_process
from agents.naming import named_agents
from common.command import main, plain, run_folder
from common.progress import CONSOLE, track
from common.stopping import FINISHED
from common.values import build, differences, whole
from rollouts.bank import FrameBank, load
from rollouts.collecting import PLANS
from rollouts.errors import InputError
from rollouts.files import write_atomically
from rollouts.locks import locked
from scoring.evidence import Evidence, gather
from scoring.pipeline import VERSION, Score, ScoreConfig, attributed_frames, check, score
from scoring.report.features_figure import features_figure
from scoring.report.table import comparison, features_table, save_parquet, why_no_headline
from scoring.subject import Subject, explain, frames_to_explain


def settings(config: Mapping[str, Any]) -> ScoreConfig:
    """The scoring settings that a configuration means."""
    return build(ScoreConfig, {field.name: config[field.name] for field in fields(ScoreConfig)}, "")


def only_agent(config: Mapping[str, Any]) -> tuple[str, Agent]:
    """The one agent that is scored; raises `InputError` for a list."""
    agents = named_agents(config["agent"])
    if len(agents) > 1:
        raise InputError("agent is a list; score one agent at a time, or use -m with agent=a,b.")
    return agents[0]


def folder(config: Mapping[str, Any]) -> str:
    """The agent, the bank, and every setting that is not the default."""
    chosen = settings(config)
    name, agent = only_agent(config)
    layer, _ = check(agent, chosen)
    bank = str(config["bank"])
    named = ["layer", "features", "projection"]
    if bank in PLANS:
        played = collect.folder(config).removeprefix(name + "-")
        named.append("seed")
    else:
        played = bank_name(Path(bank))
    return f"{name}-{layer}-{chosen.features}-{chosen.projection}-{played}" + differences(chosen, skip=tuple(named))


def bank_name(path: Path) -> str:
    """What a bank's file is called in a run's name."""
    return path.parent.name if path.name == collect.FILE else path.stem


def bank_for(config: Mapping[str, Any]) -> FrameBank:
    """The bank's file, or a bank that the agent plays now and later runs find again."""
    bank = str(config["bank"])
    if bank not in PLANS:
        return load(bank, whole(config["frames"], "frames"))
    with locked(Path("runs/collect") / collect.folder(config), wait=True) as kept:
        return collect.obtain(kept / collect.FILE, config)


def evidence_for(bank: FrameBank) -> Evidence:
    """Masks and changed frames, with a progress bar."""
    with track("Masking", len(bank)) as update:
        return gather(bank, progress=update)


def explain_with_progress(name: str, agent: Agent, bank: FrameBank, evidence: Evidence, config: ScoreConfig) -> Subject:
    """Attributions at the layer that `config` means, for any features, with a progress bar."""
    layer, _ = check(agent, config)
    with track(f"Attributing {name}", frames_to_explain(bank, evidence, pool=True)) as update:
        return explain(
            agent.network, layer, bank, evidence, config.target, config.attribution, config.steps, progress=update
        )


def score_with_progress(name: str, agent: Agent, bank: FrameBank, evidence: Evidence, config: ScoreConfig) -> Score:
    """Score with a progress bar."""
    with track(f"Scoring {name}", attributed_frames(bank, evidence, config)) as update:
        return score(agent, bank, evidence, config, update)


def write(run: Path, name: str, found: Score, bank: FrameBank) -> list[Path]:
    """The result's files: scores.json last, since it marks a finished run."""
    paths = [run / "features.parquet", run / "features.png", run / "scores.json"]
    save_parquet(paths[0], found)
    layer, settings_used = found.summary["layer"]["name"], found.summary["settings"]
    title = f"{name}: {settings_used['features']} features of layer {layer}, attribution of {settings_used['target']}"
    features_figure(paths[1], found, bank.frames, bank.environment, title)
    write_atomically(paths[2], json.dumps(found.summary, indent=2) + "\n")
    return paths


def task(config: DictConfig) -> str | None:
    values = plain(config)
    chosen = settings(values)
    name, agent = only_agent(values)
    tune_process()
    with run_folder() as run:
        if finished(run / "scores.json", chosen):
            CONSOLE.print(f"{run} is finished; nothing to do.")
            return FINISHED
        bank = bank_for(values)
        bank.check_options(agent.options, name)
        found = score_with_progress(name, agent, bank, evidence_for(bank), chosen)
        paths = write(run, name, found, bank)
        CONSOLE.print(comparison([(name, found.summary)]))
        CONSOLE.print(features_table(found))
        if lacking := why_no_headline(found.summary):
            CONSOLE.print(lacking)
        CONSOLE.print("Written: " + ", ".join(map(str, paths)))
    return None


def finished(path: Path, config: ScoreConfig) -> bool:
    """Whether a score of this version with these settings is there."""
    if not path.exists():
        return False
    summary = json.loads(path.read_text())
    return summary.get("version") == VERSION and summary["settings"] == asdict(config)


if __name__ == "__main__":
    main(task, "score", folder)
