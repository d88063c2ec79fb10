"""The name of a score's folder, by which later runs find it."""

from dataclasses import fields
from typing import Any

from agents.banks import BankSettings
from scoring.settings import ScoreConfig

NAMED = ("layer", "features", "projection")
"""Settings that always stand in the name."""


def score_folder(player: str, layer: str, bank: BankSettings, config: ScoreConfig) -> str:
    """The agent, its layer, the bank, and every setting that is not the default; a played bank has the seed."""
    skip = (*NAMED, "seed") if bank.played else NAMED
    name = f"{player}-{layer}-{config.features}-{config.projection}-{bank.name}"
    return name + differences(config, skip)


def differences(settings: Any, skip: tuple[str, ...] = ()) -> str:
    """'-name+value' for each field of a dataclass that is not at its default."""
    default = type(settings)()
    changed = []
    for field in fields(settings):
        value = getattr(settings, field.name)
        if field.name not in skip and value != getattr(default, field.name):
            changed.append(f"-{field.name.replace('_', '')}{value}")
    return "".join(changed).replace("/", "_")
