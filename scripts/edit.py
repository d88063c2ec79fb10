"""Edit features out of an agent, and count what it then fails of; beside each, the same direction shuffled.

python scripts/edit.py agent=PATH layer=default features=nmf feature=all episodes=500
"""

import json
from collections.abc import Mapping
from dataclasses import asdict
from pathlib import Path
from typing import Any

import numpy as np
from omegaconf import DictConfig
from rich.table import Table

import score
from agents.checkpoint import Agent, fingerprint
from agents.editing import reader, without_feature
from agents.failures import OUTCOMES, Failures, evaluate_causes
from agents.play import division
from common.command import main, plain, run_folder
from common.progress import CONSOLE, track
from common.stopping import FINISHED
from common.values import build, whole
from rollouts.env import renderer_sha256
from rollouts.errors import InputError
from rollouts.files import write_atomically
from scoring.explain.base import Maps
from scoring.explain.methods import attribute
from scoring.features.channels import Channels
from scoring.features.nmf import fit_nmf
from scoring.pipeline import ScoreConfig, check

FILE = "edit.json"
EPISODES = 500
SHARED = ("layer", "features", "target", "attribution", "steps", "components", "seed")
"""Settings that mean here what they mean in score.py."""


def settings(config: Mapping[str, Any]) -> ScoreConfig:
    """The scoring settings that give the same features."""
    chosen = build(ScoreConfig, {name: config[name] for name in SHARED}, "")
    if chosen.features not in ("nmf", "channels"):
        raise InputError(f"features is '{chosen.features}'; nmf or channels can be edited out.")
    return chosen


def selected(config: Mapping[str, Any], agent: Agent) -> list[int]:
    """The numbers of the features to edit out; raises `InputError` for one that is not there, or cannot be edited."""
    chosen = settings(config)
    layer, geometry = check(agent, chosen)
    reader(agent.network, layer)
    division(whole(config["episodes"], "episodes"))
    count = chosen.components if chosen.features == "nmf" else geometry.channels
    if config["feature"] == "all":
        return list(range(count))
    feature = whole(config["feature"], "feature")
    if not 0 <= feature < count:
        raise InputError(f"feature is {feature}; there are {count} features, 0 to {count - 1}, or all.")
    return [feature]


def folder(config: Mapping[str, Any]) -> str:
    """The features as score.py names them, which of them, and the episodes unless 500."""
    numbers = selected(config, score.only_agent(config)[1])
    named = "all" if config["feature"] == "all" else str(numbers[0])
    episodes = whole(config["episodes"], "episodes")
    name = score.folder(asdict(settings(config)) | dict(config)) + f"-feature{named}"
    return name + ("" if episodes == EPISODES else f"-episodes{episodes}")


def request(config: Mapping[str, Any], layer: str, numbers: list[int]) -> dict[str, Any]:
    """Everything that the result depends on but the agent, however it was written."""
    chosen = asdict(settings(config))
    return {
        **{name: chosen[name] for name in SHARED},
        "layer": layer,
        "edited_out": numbers,
        **{name: whole(config[name], name) for name in ("episodes", "frames", "pool_frames")},
        **{name: str(config[name]) for name in ("bank", "levels")},
    }


def directions(agent: Agent, config: Mapping[str, Any]) -> Maps:
    """The features' directions (K, C), those that score.py finds with these settings."""
    chosen = settings(config)
    layer, geometry = check(agent, chosen)
    if chosen.features == "channels":
        return Channels(geometry.channels).directions
    bank = score.bank_for(config)
    bank.check_options(agent.options, "the agent")
    if not len(bank.pool):
        raise InputError("The bank has no pool of frames to fit features on; collect it with pool_frames=512.")
    with track("Attributing", len(bank.pool)) as update:
        found = attribute(agent.network, layer, bank.pool, chosen.target, chosen.attribution, chosen.steps, update)
    return fit_nmf(found.maps, chosen.components, chosen.seed).directions


def shuffled(direction: Maps, seed: int) -> Maps:
    """The control of an edit: the same entries at other channels, in a cyclic order in which none stays where it was.

    It takes as much out of the weights on average, and nothing in particular.
    """
    order = np.random.default_rng(seed).permutation(len(direction))
    moved = np.empty_like(direction)
    moved[order] = direction[np.roll(order, 1)]
    return moved


def play(name: str, agent: Agent, config: Mapping[str, Any]) -> Failures:
    """How the agent's episodes on unseen levels end, with a progress bar."""
    episodes = whole(config["episodes"], "episodes")
    num, each = division(episodes)
    with track(f"Playing {name}", num * each) as update:
        return evaluate_causes(
            agent,
            agent.options.unseen(),
            episodes,
            whole(config["seed"], "seed"),
            whole(config["threads"], "threads"),
            update,
        )


def failures_table(rows: Mapping[str, Failures]) -> Table:
    """How episodes end, a row for each agent, in percent with 95 % intervals; `unknown` only where it occurs."""
    table = Table()
    table.add_column("% of episodes")
    shown = [outcome for outcome in OUTCOMES if outcome != "unknown" or any(f.counts[outcome] for f in rows.values())]
    for outcome in shown:
        table.add_column(outcome, justify="right")
    for name, found in rows.items():
        table.add_row(name, *(_percent(found.share(outcome), found.interval(outcome)) for outcome in shown))
    return table


def _percent(share: float, interval: tuple[float, float]) -> str:
    return f"{100 * share:.1f} ({100 * interval[0]:.1f}–{100 * interval[1]:.1f})"


def task(config: DictConfig) -> str | None:
    values = plain(config)
    name, agent = score.only_agent(values)
    numbers = selected(values, agent)
    layer, _ = check(agent, settings(values))
    summary: dict[str, Any] = {
        "settings": request(values, layer, numbers),
        "agent": {"name": name, "network": agent.network.network, "weights_sha256": fingerprint(agent)},
        "edited_weights": reader(agent.network, layer),
        "renderer_sha256": renderer_sha256(),
    }
    with run_folder() as run:
        rows = played(run / FILE, summary)
        if len(rows) == 1 + 2 * len(numbers):
            CONSOLE.print(f"{run} is finished; nothing to do.")
            return FINISHED
        basis = directions(agent, values)
        edits = {f"without {k}": basis[k] for k in numbers}
        edits |= {f"shuffled {k}": shuffled(basis[k], k) for k in numbers}
        summary["directions"] = {row: direction.tolist() for row, direction in edits.items()}
        edited = {row: without_feature(agent, layer, direction) for row, direction in edits.items()}
        for row, player in ({"unedited": agent} | edited).items():
            if row not in rows:
                rows[row] = play(row, player, values)
                summary["played"] = {name: found.to_json() for name, found in rows.items()}
                write_atomically(run / FILE, json.dumps(summary, indent=2) + "\n")
        CONSOLE.print(failures_table(rows))
        CONSOLE.print(f"Written: {run / FILE}")
    return None


def played(path: Path, summary: Mapping[str, Any]) -> dict[str, Failures]:
    """What an earlier run with the same settings, agent and renderer has played, which a stopped one goes on from."""
    if not path.exists():
        return {}
    found = json.loads(path.read_text())
    if any(found[key] != summary[key] for key in summary):
        return {}
    return {row: Failures.from_json(result) for row, result in found["played"].items()}


if __name__ == "__main__":
    main(task, "edit", folder)
