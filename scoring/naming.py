"""The name of a score's folder, by which later runs find it."""

from agents.banks import BankSettings
from agents.naming import differences, fitting
from scoring.settings import ScoreConfig

NAMED = ("layer", "features", "projection")
"""Settings that always stand in the name."""


def score_folder(player: str, layer: str, bank: BankSettings, config: ScoreConfig) -> str:
    """The agent, its layer, the bank, and every setting that is not the default; a played bank has the seed."""
    skip = (*NAMED, "seed") if bank.played else NAMED
    name = f"{player}-{layer}-{config.features}-{config.projection}-{bank.name}"
    return fitting(name + differences(config, skip))
