"""The page's data: what a browser unpacks is what was packed."""

import base64
import gzip

import numpy as np

from rollouts.bank import FrameBank
from rollouts.coinrun.table import COINRUN
from scoring.report.clips import trajectory
from scoring.report.data import clip_data, plain


def test_changed_pixels_give_the_changed_frames_back(played: FrameBank) -> None:
    clip = trajectory(played)
    data = clip_data(clip)
    for m in range(len(clip.removed)):
        part = slice(data["removedStart"][m], data["removedStart"][m + 1])
        frame = clip.frames[data["removedFrame"][m]].reshape(4096, 3).copy()
        frame[data["places"][part]] = data["colours"][part]
        assert (frame.reshape(64, 64, 3) == clip.removed[m]).all()
    unpacked = gzip.decompress(base64.b64decode(plain(data)["frames"]["gzip"]))
    assert unpacked == played.frames.tobytes()


def test_a_region_is_a_bit_for_each_pixel(played: FrameBank) -> None:
    clip = trajectory(played, outlined=[COINRUN.widest.kind("top")])
    sent = plain(clip_data(clip))["region-top"]
    assert sent["type"] == "uint8"
    packed = np.frombuffer(gzip.decompress(base64.b64decode(sent["gzip"])), dtype=np.uint8)
    for frame, row, column in ((0, 0, 0), (3, 40, 13), (39, 63, 63), *np.argwhere(clip.regions["top"])[::97]):
        at = 64 * row + column
        bit = packed[frame * 512 + at // 8] >> (7 - at % 8) & 1
        assert bit == clip.regions["top"][frame, row, column]
