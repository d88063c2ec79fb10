"""The page's data: what a browser unpacks is what was packed."""

import base64
import gzip

from rollouts.bank import FrameBank
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
