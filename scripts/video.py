"""Film a trajectory with attribution over it: python scripts/video.py agent=PATH output=trajectory.mp4"""

from pathlib import Path

import numpy as np
from omegaconf import DictConfig

import score
from agents.computation import tune_process
from common.command import main, plain
from common.progress import CONSOLE, track
from common.values import whole
from rollouts.errors import InputError
from scoring.explain.base import target_output
from scoring.explain.geometry import cell_of_pixel, layer_geometry
from scoring.explain.methods import attribute
from scoring.report.film import check_kind, pictures, write
from scoring.report.views import act


def task(config: DictConfig) -> None:
    values = plain(config)
    output = Path(str(values["output"]))
    check_kind(output)
    name, agent = score.only_agent(values)
    layer = agent.network.default_layer if values["layer"] == "default" else str(values["layer"])
    geometry, target = layer_geometry(agent.network, layer), str(values["target"])
    target_output(agent.network, target)
    first, last, rate = (whole(values[key], key) for key in ("first", "last", "rate"))
    frames = whole(values["frames"], "frames")
    if not 0 <= first <= last < frames:
        raise InputError(f"first is {first} and last is {last}; they must be in order, from 0 to {frames - 1}.")
    if rate < 1:
        raise InputError(f"rate is {rate}; it must be at least 1.")
    tune_process()
    bank = score.bank_for({**values, "bank": "trajectory", "pool_frames": 0})
    shown = slice(first, last + 1)
    with track(f"Attributing {name}", last + 1 - first) as update:
        found = attribute(
            agent.network, layer, bank.frames[shown], target, steps=whole(values["steps"], "steps"), progress=update
        )
    begins = np.append(True, np.diff(bank.episode) != 0)[shown]
    seen, _ = act(agent, bank.frames[shown])
    write(output, pictures(bank.frames[shown], found.maps.sum(axis=1), cell_of_pixel(geometry), seen, begins), rate)
    CONSOLE.print(f"{output}: frames {first} to {last}, {output.stat().st_size / 1e6:.1f} MB")


if __name__ == "__main__":
    main(task, "video", lambda config: "")
