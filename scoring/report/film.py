"""Films of a trajectory: the frame, attribution over it, and the value under both."""

from collections.abc import Iterable, Iterator
from fractions import Fraction
from pathlib import Path
from typing import Annotated, Any

import av
import numpy as np
from annotated_types import Interval
from numpy.typing import NDArray
from PIL import Image

from agents.checkpoint import Agent
from rollouts.bank import FrameBank
from rollouts.errors import InputError
from rollouts.files import atomic_path
from rollouts.progress import Update, silent
from rollouts.ranges import check
from scoring.draw.frames import overlay
from scoring.explain.geometry import cell_of_pixel, layer_geometry
from scoring.explain.methods import attribute
from scoring.report.views import act
from scoring.settings import ScoreConfig

Picture = NDArray[np.uint8]

SCALE = 6
GAP = 12
STRIP = 96
"""Height of the value's line in pixels."""
KINDS = (".mp4", ".gif")
PicturesPerSecond = Annotated[int, Interval(ge=1, le=240)]
GIF_RATE = 50
"""The most pictures a second of a GIF: it counts in hundredths of a second, and one of them is shown as ten."""
WASH, INK, LINE = (246, 248, 249), (28, 33, 38), (11, 61, 102)


def check_film(path: Path, rate: int) -> None:
    """Raises `InputError` for a name that ends in neither of `KINDS`, and for a rate that the kind cannot have."""
    if path.suffix.lower() not in KINDS:
        raise InputError(f"{path} ends in neither {' nor '.join(KINDS)}.")
    check(rate, PicturesPerSecond, "rate")
    if path.suffix.lower() == ".gif" and rate > GIF_RATE:
        raise InputError(f"rate is {rate}; a GIF shows at most {GIF_RATE} pictures a second, an .mp4 more.")


def pictures(
    frames: NDArray[np.uint8],
    maps: NDArray[np.floating[Any]],
    cells: NDArray[np.integer[Any]],
    values: NDArray[np.floating[Any]],
    first: NDArray[np.bool_],
) -> Iterator[Picture]:
    """For each frame (N, 64, 64, 3) the frame, its attribution (N, H, W) over it, and the values (N,) with a cursor.

    `cells` is as in `overlay`; `first` (N,) says where an episode begins. Opacity is full at the median of the frames'
    strongest cells.
    """
    scale = float(np.median(np.abs(maps).max(axis=(1, 2))))
    width = 2 * 64 * SCALE + GAP
    graph = strip(values, first, width)
    for i, frame in enumerate(frames):
        coloured = np.round(overlay(frame, maps[i], cells, scale) * 255).astype(np.uint8)
        sheet = np.full((64 * SCALE + GAP + STRIP, width, 3), 255, dtype=np.uint8)
        sheet[: 64 * SCALE, : 64 * SCALE] = enlarge(frame)
        sheet[: 64 * SCALE, 64 * SCALE + GAP :] = enlarge(coloured)
        sheet[-STRIP:] = graph
        place = int((i + 0.5) / len(frames) * width)
        sheet[-STRIP:, max(place - 1, 0) : place + 1] = INK
        yield sheet


def enlarge(picture: Picture) -> Picture:
    """Each pixel as a square of `SCALE` pixels."""
    return picture.repeat(SCALE, axis=0).repeat(SCALE, axis=1)


def strip(values: NDArray[np.floating[Any]], first: NDArray[np.bool_], width: int) -> Picture:
    """The values (N,) as a line on (STRIP, width, 3), every second episode on white."""
    at = np.minimum(np.arange(width) * len(values) // width, len(values) - 1)
    picture = np.full((STRIP, width, 3), 255, dtype=np.uint8)
    picture[:, np.cumsum(first)[at] % 2 == 1] = WASH
    span = max(float(np.ptp(values)), 1e-9)
    rows = np.round((STRIP - 9) * (1 - (values[at] - values.min()) / span) + 4).astype(int)
    before = np.where(first[at] | (np.arange(width) == 0), rows, np.roll(rows, 1))
    for column, (one, other) in enumerate(zip(before, rows, strict=True)):
        picture[min(one, other) : max(one, other) + 2, column] = LINE
    return picture


def film(
    path: Path,
    agent: Agent,
    layer: str,
    settings: ScoreConfig,
    bank: FrameBank,
    part: slice,
    rate: int,
    progress: Update = silent,
) -> None:
    """Write the film of a part of a trajectory; `progress` is told of frames as they are attributed."""
    frames = bank.frames[part]
    attribution = attribute(
        agent.network, layer, frames, settings.target, settings.attribution, settings.steps, progress
    )
    first = np.append(True, np.diff(bank.episode) != 0)[part]
    values, _ = act(agent, frames)
    cells = cell_of_pixel(layer_geometry(agent.network, layer))
    write(path, pictures(frames, attribution.maps.sum(axis=1), cells, values, first), rate)


def write(path: Path, images: Iterable[Picture], rate: int) -> None:
    """Write an MP4 (H.264) or a GIF, by the name's ending, atomically, at `rate` pictures a second.

    Raises `InputError` as `check_film` does.
    """
    check_film(path, rate)
    with atomic_path(path) as temporary:
        if path.suffix.lower() == ".gif":
            head, *rest = [Image.fromarray(image).quantize(128) for image in images]
            head.save(temporary, save_all=True, append_images=rest, duration=round(1000 / rate), loop=0)
            return
        with av.open(str(temporary), "w", format="mp4") as container:
            stream = container.add_stream("libx264", rate=Fraction(rate), options={"crf": "18"})
            stream.pix_fmt = "yuv420p"
            for number, image in enumerate(images):
                if number == 0:
                    stream.height, stream.width = image.shape[:2]
                container.mux(stream.encode(av.VideoFrame.from_ndarray(image, format="rgb24")))
            container.mux(stream.encode())
