"""Names of scores' folders, letter by letter: finished scores are found again under them."""

from pathlib import Path

import pytest

from agents.banks import BankSettings
from rollouts.bank import BankError
from scoring.naming import score_folder
from scoring.settings import ScoreConfig

NAMES = (
    (BankSettings(), ScoreConfig(), "any-2b-nmf-none-spread-s0"),
    (BankSettings(), ScoreConfig(layer="2b", features="channels"), "any-2b-channels-none-spread-s0"),
    (BankSettings(seed=3), ScoreConfig(projection="erf", steps=10, seed=3), "any-2b-nmf-erf-spread-s3-steps10"),
    (
        BankSettings("trajectory", pool_frames=4096),
        ScoreConfig(target="logit:3"),
        "any-2b-nmf-none-trajectory-s0-pool4096-targetlogit:3",
    ),
    (BankSettings("trajectory"), ScoreConfig(projection="rf_box", steps=10), "any-2b-nmf-rf_box-trajectory-s0-steps10"),
    (BankSettings(frames=128, levels="training"), ScoreConfig(), "any-2b-nmf-none-spread-s0-frames128-training"),
    (
        BankSettings(),
        ScoreConfig(attribution="gradient", dilation=4),
        "any-2b-nmf-none-spread-s0-attributiongradient-dilation4",
    ),
    (BankSettings(), ScoreConfig(target="logits:1,4"), "any-2b-nmf-none-spread-s0-targetlogits:1,4"),
    (
        BankSettings("runs/collect/other-spread-s0/bank.zip", seed=2),
        ScoreConfig(seed=2),
        "any-2b-nmf-none-other-spread-s0-726fc10d-seed2",
    ),
    (BankSettings("banks/mine.zip", frames=64), ScoreConfig(tau=0.2), "any-2b-nmf-none-mine-c982eeef-tau0.2"),
)


@pytest.mark.parametrize(("bank", "config", "name"), NAMES, ids=[name for *_, name in NAMES])
def test_the_folder_of_a_score(
    bank: BankSettings, config: ScoreConfig, name: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    for file in ("runs/collect/other-spread-s0/bank.zip", "banks/mine.zip"):
        Path(file).parent.mkdir(parents=True)
        Path(file).write_text(file)
    assert score_folder("any", "2b", bank, config) == name


def test_two_banks_of_one_name_have_two_folders(tmp_path: Path) -> None:
    folders = set()
    for number in (1, 2):
        path = tmp_path / str(number) / "mine.zip"
        path.parent.mkdir()
        path.write_text(f"bank {number}")
        folders.add(score_folder("any", "2b", BankSettings(str(path)), ScoreConfig()))
    assert len(folders) == 2
    with pytest.raises(BankError, match=r"There is no bank at missing\.zip"):
        score_folder("any", "2b", BankSettings("missing.zip"), ScoreConfig())
