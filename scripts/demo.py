"""Score a trained agent and an untrained network on the same 512 frames, and write the page that shows both."""

from collections.abc import Mapping
from typing import Any

from omegaconf import DictConfig

from common.command import main, plain, run_folder
from agents.banks import FILE, BankSettings, load_or_play, play
from agents.computation import tune_process
from agents.naming import named_agents, only_agent
from common.progress import CONSOLE, track
from common.values import picked
from scoring.output import write_score
from scoring.pipeline import score_subject
from scoring.report.build import score_agents, write_report
from scoring.settings import ScoreConfig
from scoring.tables import comparison


def folder(config: Mapping[str, Any]) -> str:
    """The trained agent's name."""
    return f"{only_agent(config['agent'])[0]}-s{picked(BankSettings, config).seed}"


def task(config: DictConfig) -> None:
    values = plain(config)
    settings = picked(BankSettings, values)
    name, trained = only_agent(values["agent"])
    agents = named_agents([values["agent"], f"untrained:{trained.network.kind}:{settings.seed}"])
    tune_process()
    with run_folder() as run:
        CONSOLE.print(f"{name} was trained for {trained.steps:,} steps; {agents[1][0]} was not.")
        CONSOLE.print("Each plays 32 environments; both are scored on all 512 frames.")
        bank = load_or_play(run / FILE, settings, agents, track)
        by_nmf = score_agents(agents, bank, ScoreConfig(seed=settings.seed), track)
        channels = ScoreConfig(features="channels", seed=settings.seed)
        with track("Scoring channels", len(agents)) as update:
            by_channel = {}
            for player, agent in agents:
                whole = by_nmf[player].whole
                by_channel[player] = score_subject(agent, whole, channels, beside=True)
                update(1, player)
        for features, scores in (("nmf", by_nmf), ("channels", by_channel)):
            CONSOLE.print(f"\nFeatures: {features}")
            CONSOLE.print(comparison([(player, score.record) for player, score in scores.items()]))
            CONSOLE.print("Written:")
            for player, score in scores.items():
                for path in write_score(run / f"{player}-{features}", player, score, bank):
                    CONSOLE.print(f"  {path}")
        played = play(settings.trajectory, agents[:1], track)
        page = write_report(run / "report", agents, by_nmf, played, ("value",), {"demo": settings.seed}, track)
        CONSOLE.print(f"\nOpen this page to see what the numbers mean: {page}")


if __name__ == "__main__":
    main(task, "demo", folder)
