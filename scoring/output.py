"""A score's files: the features' table and picture, and the record that marks it as finished."""

import json
from pathlib import Path

from rollouts.bank import FrameBank
from rollouts.errors import InputError
from rollouts.files import write_atomically
from scoring.features_figure import features_figure
from scoring.pipeline import Score
from scoring.record import read_record
from scoring.settings import ScoreConfig
from scoring.tables import save_parquet

FEATURES, PICTURE, RECORD = "features.parquet", "features.png", "scores.json"


def write_score(folder: Path, name: str, score: Score, bank: FrameBank) -> list[Path]:
    """Write a score's files, the record last; returns their paths."""
    record = score.record
    paths = [folder / FEATURES, folder / PICTURE, folder / RECORD]
    save_parquet(paths[0], score)
    title = (
        f"{name}: {record.settings.features} features of layer {record.layer.name}, "
        f"attribution of {record.settings.target}"
    )
    features_figure(paths[1], score, bank.frames, bank.environment, title)
    write_atomically(paths[2], json.dumps(record.to_json(), indent=2) + "\n")
    return paths


def finished(folder: Path, config: ScoreConfig) -> bool:
    """Whether a score with these settings is in the folder; a damaged or older one is made again."""
    path = folder / RECORD
    if not path.exists():
        return False
    try:
        record = read_record(path)
    except InputError:
        return False
    return record.version == config.version and record.settings == config
