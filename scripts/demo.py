"""Score a trained agent and an untrained network of the same shape on the same 512 frames, side by side."""

from collections.abc import Mapping
from dataclasses import replace
from typing import Any

import collect
from common import CONSOLE, main, named_agents, plain, run_folder, whole
from omegaconf import DictConfig
from score import evidence_for, score_with_progress, write

from rollouts.bank import SPREAD, load, save
from scoring.pipeline import ScoreConfig
from scoring.report.table import comparison


def folder(config: Mapping[str, Any]) -> str:
    """The trained agent's name."""
    return f"{named_agents(config['agent'])[0][0]}-s{whole(config['seed'], 'seed')}"


def task(config: DictConfig) -> None:
    values = plain(config)
    seed = whole(values["seed"], "seed")
    trained = named_agents(values["agent"])[0]
    network = trained[1].network.network
    _, untrained = named_agents([values["agent"], f"untrained:{network}:{seed}"])
    with run_folder() as run:
        CONSOLE.print(f"{trained[0]} was trained for {trained[1].steps:,} steps; {untrained[0]} was not.")
        CONSOLE.print("Each plays 32 environments; both are scored on all 512 frames.")
        bank_path = run / collect.FILE
        if not bank_path.exists():
            save(
                bank_path,
                collect.play([trained, untrained], SPREAD, "unseen", seed, whole(values["threads"], "threads")),
            )
        bank = load(bank_path, SPREAD.frames)
        evidence = evidence_for(bank)
        for features in ("nmf", "channels"):
            chosen = replace(ScoreConfig(), features=features, seed=seed)
            columns, written = [], []
            for name, agent in (trained, untrained):
                found = score_with_progress(name, agent, bank, evidence, chosen)
                written += write(run / f"{name}-{features}", name, found, bank)
                columns.append((name, found.summary))
            CONSOLE.print(f"\nFeatures: {features}")
            CONSOLE.print(comparison(columns))
            CONSOLE.print("Written:")
            for path in written:
                CONSOLE.print(f"  {path}")


if __name__ == "__main__":
    main(task, "demo", folder)
