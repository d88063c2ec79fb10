"""Score a trained agent and an untrained network on the same 512 frames, and write the page that shows both."""

from collections.abc import Mapping
from dataclasses import replace
from itertools import product
from typing import Any

from omegaconf import DictConfig

import collect
from agents.computation import tune_process
from agents.naming import named_agents
from common.command import main, plain, run_folder
from common.progress import CONSOLE, track
from common.values import whole
from report import write_report
from rollouts.bank import load, save
from rollouts.collecting import SPREAD, TRAJECTORY
from score import evidence_for, explain_with_progress, write
from scoring.pipeline import Score, ScoreConfig, score_subject
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
    tune_process()
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
        subjects = {
            name: explain_with_progress(name, agent, bank, evidence, ScoreConfig())
            for name, agent in (trained, untrained)
        }
        found: dict[str, dict[str, Score]] = {"nmf": {}, "channels": {}}
        with track("Scoring", len(found) * len(subjects)) as update:
            for number, (features, (name, agent)) in enumerate(product(found, (trained, untrained)), start=1):
                chosen = replace(ScoreConfig(), features=features, seed=seed)
                found[features][name] = score_subject(agent, subjects[name], chosen)
                update(number, f"{features} of {name}")
        for features, scores in found.items():
            CONSOLE.print(f"\nFeatures: {features}")
            CONSOLE.print(comparison([(name, score.summary) for name, score in scores.items()]))
            CONSOLE.print("Written:")
            for name, score in scores.items():
                for path in write(run / f"{name}-{features}", name, score, bank):
                    CONSOLE.print(f"  {path}")
        plan = replace(TRAJECTORY, pool_frames=0)
        played = collect.play([trained], plan, "unseen", seed, whole(values["threads"], "threads"))
        page = write_report(
            run / "report", (trained, untrained), subjects, found["nmf"], played, ("value",), {"demo": seed}
        )
        CONSOLE.print(f"\nOpen this page to see what the numbers mean: {page}")


if __name__ == "__main__":
    main(task, "demo", folder)
