"""Films of a trajectory."""

from pathlib import Path

import numpy as np
import pytest

from rollouts.errors import InputError
from scoring.report.film import SCALE, STRIP, pictures, write


def test_a_film_shows_frame_and_overlay(tmp_path: Path) -> None:
    import av
    from PIL import Image

    generator = np.random.default_rng(0)
    frames = generator.integers(0, 256, (6, 8, 8, 3), dtype=np.uint8).repeat(8, axis=1).repeat(8, axis=2)
    maps = np.zeros((6, 4, 4))
    maps[:, 1, 2] = 1.0
    cells = np.arange(64) // 16
    sheets = list(pictures(frames, maps, cells, np.arange(6.0), np.arange(6) == 0))
    assert (sheets[3][SCALE // 2 : 64 * SCALE : SCALE, SCALE // 2 : 64 * SCALE : SCALE] == frames[3]).all()
    half = sheets[3][: 64 * SCALE, 64 * SCALE + 12 :][::SCALE, ::SCALE]
    assert (half[16:32, 32:48] == np.round(np.array([0.95, 0.35, 0.0]) * 255)).all()
    grey = np.round(frames[3][:16, :16] @ (0.299, 0.587, 0.114) * 0.75)
    assert np.abs(half[:16, :16, 0] - grey).max() <= 1
    assert sheets[0].shape == (64 * SCALE + 12 + STRIP, 2 * 64 * SCALE + 12, 3)
    write(tmp_path / "film.mp4", sheets, 12)
    with av.open(str(tmp_path / "film.mp4")) as container:
        decoded = [frame.to_ndarray(format="rgb24") for frame in container.decode(video=0)]
        assert container.streams.video[0].average_rate == 12
    assert len(decoded) == 6
    assert np.abs(decoded[3].astype(int) - sheets[3]).mean() < 8
    write(tmp_path / "film.gif", sheets, 10)
    with Image.open(tmp_path / "film.gif") as film:
        assert film.n_frames == 6  # type: ignore[attr-defined]
        assert film.info["duration"] == 100
    with pytest.raises(InputError, match=r"^rate is 51; a GIF shows at most 50 pictures a second, an \.mp4 more\.$"):
        write(tmp_path / "film.gif", sheets, 51)
    for rate in (0, 241):
        with pytest.raises(InputError, match=f"^rate is {rate}; it must be from 1 to 240\\.$"):
            write(tmp_path / "film.mp4", sheets, rate)
    write(tmp_path / "film.gif", sheets, 50)
    with Image.open(tmp_path / "film.gif") as film:
        assert film.info["duration"] == 20
    with pytest.raises(InputError, match=r"ends in neither \.mp4 nor \.gif"):
        write(tmp_path / "film.avi", sheets, 12)
