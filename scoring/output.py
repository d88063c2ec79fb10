"""A score's files: the features' table and picture, and the record that marks it as finished."""

from collections.abc import Callable
from pathlib import Path

import pandas as pd
from PIL import Image

from rollouts.bank import FrameBank
from rollouts.documents import write_json
from rollouts.errors import InputError
from scoring.features_figure import features_figure
from scoring.identity import Identity
from scoring.pipeline import Score
from scoring.record import read_record
from scoring.settings import ScoreConfig
from scoring.tables import save_parquet

FEATURES, PICTURE, RECORD = "features.parquet", "features.png", "scores.json"


def write_score(folder: Path, name: str, score: Score, bank: FrameBank) -> list[Path]:
    """Write a score's files, the record last; returns their paths. A record that stood there is removed first."""
    record = score.record
    paths = [folder / FEATURES, folder / PICTURE, folder / RECORD]
    paths[2].unlink(missing_ok=True)
    save_parquet(paths[0], score)
    title = (
        f"{name}: {record.settings.features} features of layer {record.layer.name}, "
        f"attribution of {record.settings.target}"
    )
    features_figure(paths[1], score, bank.frames, bank.environment, title)
    write_json(paths[2], record.to_json())
    return paths


def readable_picture(path: Path) -> bool:
    """Whether a picture is there and whole."""
    try:
        with Image.open(path) as picture:
            picture.load()
    except (OSError, ValueError, SyntaxError):
        return False
    return True


def lacking(folder: Path, config: ScoreConfig, made_of: Identity) -> str | None:
    """Why a folder does not hold the finished score of these settings that is made of this; None where it does.

    All files of a finished score are there and can be read.
    """
    path = folder / RECORD
    try:
        record = read_record(path)
    except InputError as error:
        return str(error)
    if record.version != config.version or record.settings != config:
        return f"{path} is a score with other settings."
    if record.identity is None:
        return f"{path} does not say which bank, by content, and which version of the code it is of."
    if difference := record.identity.difference(made_of):
        return f"{path} is a score of {difference}."
    try:
        rows = len(pd.read_parquet(folder / FEATURES))
    except (OSError, ValueError) as error:
        return f"{folder} lacks a file that can be read: {error}."
    if not readable_picture(folder / PICTURE):
        return f"{folder} lacks a file that can be read: {PICTURE}."
    if rows != record.headline.features * len(record.classes):
        return f"{folder / FEATURES} has {rows} rows, not those of the score."
    return None


def finished(
    folder: Path, config: ScoreConfig, made_of: Identity, say: Callable[[str], None] = lambda sentence: None
) -> bool:
    """Whether the finished score is there; where another or a damaged one is, `say` is told why it is made again."""
    why = lacking(folder, config, made_of)
    if why is not None and (folder / RECORD).exists():
        say(f"{why} It is made again.")
    return why is None
