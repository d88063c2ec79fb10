"""Names of played banks' folders, letter by letter: banks are found again under them; and banks that cannot be."""

from dataclasses import replace

import pytest

import agents.play
from agents.banks import BankSettings, folder_name, play
from agents.checkpoint import untrained_agent
from agents.play import Player
from rollouts.bank import BankError, content_sha256
from rollouts.env import EnvOptions
from rollouts.errors import InputError

LITTLE = BankSettings("trajectory", frames=64, pool_frames=0, levels="training", seed=7)


def test_the_folder_of_a_bank() -> None:
    one, two = ["untrained-compact-s4"], ["untrained-compact-s4", "untrained-clear-s0"]
    many = [f"untrained-compact-s{seed}" for seed in range(16)]
    for players, settings, name in (
        (one, BankSettings(), "untrained-compact-s4-spread-s0"),
        (one, LITTLE, "untrained-compact-s4-trajectory-s7-frames64-pool0-training"),
        (two, BankSettings(), "untrained-compact-s4+untrained-clear-s0-spread-s0"),
        (two, LITTLE, "untrained-compact-s4+untrained-clear-s0-trajectory-s7-frames64-pool0-training"),
        (many, BankSettings(), "16-agents-222a6e03-spread-s0"),
        (many, LITTLE, "16-agents-222a6e03-trajectory-s7-frames64-pool0-training"),
    ):
        assert folder_name(settings, players) == name


def test_threads_change_no_name() -> None:
    assert folder_name(BankSettings(env_threads=8), ["any"]) == folder_name(BankSettings(), ["any"])


def test_machines_with_one_seed_make_one_bank(monkeypatch: pytest.MonkeyPatch) -> None:
    """Whether or not their processors compute in bfloat16; who asks for that gets another bank, by name."""
    players = [("any", untrained_agent("compact", EnvOptions(), 0))]
    settings = BankSettings(frames=64, pool_frames=0)
    made = []
    for computes in (True, False):
        monkeypatch.setattr(agents.play, "computes_bfloat16", lambda device, computes=computes: computes)
        made.append(play(settings, players))
        assert made[-1].precision == "float32"
    assert content_sha256(made[0]) == content_sha256(made[1])
    rounded = replace(settings, precision="bfloat16")
    assert play(rounded, players).precision == "bfloat16"
    assert folder_name(rounded, ["any"]) == folder_name(settings, ["any"]) + "-bfloat16"
    assert Player(players[0][1], 0, "bfloat16").bfloat16
    assert not Player(players[0][1], 0, "float32").bfloat16


def test_banks_that_cannot_be() -> None:
    for values, sentence in (
        ({"frames": 100}, "frames is 100; a spread bank has a multiple of 64"),
        ({"frames": 0}, "frames is 0; it must be from 1 to 1,000,000"),
        ({"precision": "float16"}, "precision is 'float16'; it can be float32 or bfloat16"),
        ({"levels": "all"}, "levels is 'all'; it can be 'unseen' or 'training'"),
    ):
        with pytest.raises(InputError, match=sentence):
            BankSettings(**values)  # type: ignore[arg-type]
    with pytest.raises(BankError, match="There is no bank 'spraed'; there are"):
        folder_name(BankSettings("spraed"), ["any"])
