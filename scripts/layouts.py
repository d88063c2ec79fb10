"""How many unseen levels begin as one that was trained on: python scripts/layouts.py 'training=[200,1000,3000]'"""

from pathlib import Path
from typing import Annotated

import numpy as np
from annotated_types import Interval
from omegaconf import DictConfig

from common.command import main, plain
from agents.evaluation import wilson
from common.progress import CONSOLE, track
from common.values import convert, whole
from rollouts.env import FIRST_UNSEEN_LEVEL, LAST_LEVEL, EnvOptions
from rollouts.errors import InputError
from rollouts.files import write_atomically
from rollouts.layouts import MOST_LEVELS, level_hashes, shares
from rollouts.ranges import Seed
from scoring.draw.markdown import table
from scoring.draw.words import percent_with_interval

Levels = Annotated[int, Interval(ge=1, le=MOST_LEVELS)]
HEADS = ("mode", "training levels", "unseen levels of a known layout", "layout and themes known")


def rows(mode: str, training: list[int], unseen: int, seed: int) -> list[tuple[str, str, str, str]]:
    """A row for each number of training levels, levels from 0 on, with Wilson's 95 % intervals."""
    options = EnvOptions(mode, num_levels=max(training))
    drawn = np.random.default_rng(seed).integers(FIRST_UNSEEN_LEVEL, LAST_LEVEL, unseen)
    known = list(zip(*level_hashes(options, range(max(training)), track, f"{mode}, training levels"), strict=True))
    new = list(zip(*level_hashes(options, drawn.tolist(), track, f"{mode}, unseen levels"), strict=True))
    told = []
    for own, others in zip(known, new, strict=True):  # of layouts, then of pictures
        measured = shares(own, others, training)
        told.append([percent_with_interval(share, wilson(round(share * unseen), unseen)) for share in measured])
    return [(mode, f"{count:,}", layout, picture) for count, layout, picture in zip(training, *told, strict=True)]


def task(config: DictConfig) -> None:
    values = plain(config)
    modes: tuple[str, ...] = convert(values["modes"], tuple[str, ...], "modes")
    training = sorted(convert(values["training"], tuple[Levels, ...], "training"))
    unseen, seed = whole(values["unseen"], "unseen", Levels), whole(values["seed"], "seed", Seed)
    if not training or not modes:
        raise InputError("modes and training must have an entry at least.")
    for mode in modes:
        EnvOptions(mode)
    text = table(HEADS, [row for mode in modes for row in rows(mode, training, unseen, seed)])
    CONSOLE.print(text, markup=False)
    output = Path(str(values["output"]))
    write_atomically(output, f"{text}\n")
    CONSOLE.print(f"{output}: {unseen:,} unseen levels of each mode, 95 % Wilson intervals, seed {seed}")


if __name__ == "__main__":
    main(task, "layouts")
