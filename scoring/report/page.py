"""The report's page: a folder that opens from disk, with data in scripts because such pages may not fetch files."""

import base64
import gzip
import json
import math
import shutil
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from jinja2 import Environment, PackageLoader, StrictUndefined, select_autoescape
from numpy.typing import NDArray

from agents.checkpoint import Agent
from rollouts.errors import InputError
from rollouts.files import write_atomically
from scoring.evidence import NAMES
from scoring.explain.geometry import LayerGeometry, cell_of_pixel
from scoring.pipeline import Score
from scoring.report.clips import Clip
from scoring.report.overview import curves, details, rows, sentence
from scoring.report.views import EFFECTS, Explained, View, surprising

FORMAT = "coinrun-report-1"
MARKER = "report.json"
"""Says that a folder is a report, and of what; written before anything else, and as finished at the end."""
FINE = 16
ASSETS = Path(__file__).parent / "assets"
SCRIPTS = (
    "data.js",
    "state.js",
    "overlay.js",
    "outlines.js",
    "panel.js",
    "timeline.js",
    "whatif.js",
    "cards.js",
    "main.js",
)


@dataclass(frozen=True)
class Entry:
    """An agent of the report: its score, its features' cards, and what it makes of each clip, by the clip's name."""

    name: str
    agent: Agent
    score: Score
    cards: Sequence[Mapping[str, Any]]
    views: Mapping[str, View]


def check_folder(folder: Path) -> dict[str, Any] | None:
    """What the report in a folder says of itself, None where nothing is; raises `InputError` for any other folder."""
    if not folder.exists():
        return None
    if not folder.is_dir():
        raise InputError(f"{folder} is a file; the report needs a folder.")
    marker = folder / MARKER
    if marker.is_file():
        try:
            found = json.loads(marker.read_text())
        except ValueError:
            found = None
        if isinstance(found, dict) and found.get("format") == FORMAT:
            return found
    if any(path.name != ".lock" for path in folder.iterdir()):
        raise InputError(f"{folder} exists and is not a report; it is left as it is.")
    return None


def write_page(
    folder: Path, title: str, entries: Sequence[Entry], clips: Sequence[Clip], made: Mapping[str, Any]
) -> None:
    """Write the report into a folder that `check_folder` allowed; `made` says what it was made of.

    What an earlier report left there is removed first.
    """
    write_atomically(folder / MARKER, json.dumps({"format": FORMAT, "finished": False}) + "\n")
    shutil.rmtree(folder / "data", ignore_errors=True)
    for name in (*SCRIPTS, "page.css"):
        write_atomically(folder / name, (ASSETS / name).read_bytes())
    _script(folder, "meta", meta(title, entries, clips))
    for clip in clips:
        _script(folder, clip.name, clip_data(clip))
        for number, entry in enumerate(entries):
            view = entry.views[clip.name]
            _script(folder, f"{clip.name}-{number}", view_data(view))
            for target, explained in view.targets.items():
                _script(folder, f"{clip.name}-{number}-{target}", explained_data(explained))
    write_atomically(folder / "index.html", html(title, entries, clips))
    write_atomically(folder / MARKER, json.dumps({"format": FORMAT, "finished": True, **made}, indent=2) + "\n")


def html(title: str, entries: Sequence[Entry], clips: Sequence[Clip]) -> str:
    """index.html: the overview, which needs no script, and the controls of the rest."""
    loader = PackageLoader("scoring.report", "assets")
    environment = Environment(loader=loader, autoescape=select_autoescape(["html"]), undefined=StrictUndefined)
    summaries = [entry.score.summary for entry in entries]
    return environment.get_template("template.html").render(
        title=title,
        names=[entry.name for entry in entries],
        rows=rows(summaries),
        sentences=[sentence(entry.name, entry.score.summary) for entry in entries],
        curves=curves([entry.agent for entry in entries]),
        details=[details(summary) for summary in summaries],
        clips=clips,
        scripts=SCRIPTS,
        cutoffs=summaries[0]["cutoffs"],
    )


def meta(title: str, entries: Sequence[Entry], clips: Sequence[Clip]) -> dict[str, Any]:
    """What the page needs to know before it draws: agents, features, clips."""
    return {
        "title": title,
        "effects": list(EFFECTS),
        "classes": list(NAMES),
        "agents": [
            {
                "name": entry.name,
                "geometry": geometry_data(entry.score.geometry),
                "features": [feature(card) for card in entry.cards],
            }
            for entry in entries
        ],
        "clips": {
            clip.name: {
                "frames": len(clip),
                "targets": list(entries[0].views[clip.name].targets),
                "surprising": surprises(entries[0].views[clip.name]) if clip.consecutive else [],
            }
            for clip in clips
        },
    }


def surprises(view: View) -> list[dict[str, Any]]:
    """The frames with extreme advantage, each with its advantage."""
    worse, better = surprising(view.advantage)
    return [
        {"word": word, "frames": [[frame, view.advantage[frame]] for frame in frames]}
        for word, frames in (("better than expected", better), ("worse than expected", worse))
    ]


def geometry_data(geometry: LayerGeometry) -> dict[str, Any]:
    return {"size": geometry.size, "cells": cell_of_pixel(geometry)}


def feature(card: Mapping[str, Any]) -> dict[str, Any]:
    """A card with its words: `title`, a `short` name, and `facts` as (term, text, anchor of the definition)."""
    kind, sign = card["class"], card["sign"]
    sense = "" if kind is None or math.isnan(sign) else f", {'positive' if sign > 0 else 'negative'}"
    short = kind if card["interpretable"] else f"({kind})" if kind else "no class"
    title = f"{kind}{sense}" if card["interpretable"] else f"no class (nearest: {kind}{sense})" if kind else "no class"
    low, high = card["kappa_interval"]
    facts = [
        ("interpretable", "yes" if card["interpretable"] else "no", "fraction"),
        ("κ", f"{_text(card['kappa'])} ({_text(low)} to {_text(high)})", "kappa"),
        ("causal effect T", f"{_text(card['causal'])}, control {_text(card['causal_control'])}", "causal"),
        ("sign", _text(card["sign"], "+.2f"), "sign"),
        ("stability", _text(card["stability"]), "stability"),
        ("localisation", f"{_text(card['localisation'])} bits", "lift"),
        ("IoU", _text(card["iou"]), "iou"),
        ("table row", str(card["row"]), "files"),
    ]
    kept = {name: card[name] for name in ("row", "interpretable", "lifts", "top", "grid", "activation", "attribution")}
    return kept | {
        "title": title,
        "short": short,
        "facts": facts,
        "shareText": f"{card['share']:.0%}",
        "gridActivation": card["grid_activation"],
    }


def _text(value: float, form: str = ".2f") -> str:
    return "–" if math.isnan(value) else format(value, form).replace("-", "−")


def clip_data(clip: Clip) -> dict[str, Any]:
    """Frames, labels and changed pixels: row m changes pixels `places[start[m]:start[m + 1]]` to `colours`."""
    changed = (clip.removed != clip.frames[clip.index]).any(axis=-1).reshape(len(clip.removed), -1)
    row, place = np.nonzero(changed)
    names = {action: effect for effect, actions in EFFECTS.items() for action in actions}
    return {
        "frames": clip.frames,
        "labels": clip.labels,
        "kinds": clip.kinds,
        "consecutive": clip.consecutive,
        "episode": clip.episode,
        "level": clip.level,
        "rewards": clip.rewards.astype(float),
        "actions": [names.get(int(action)) for action in clip.actions],
        "removedFrame": clip.index,
        "removedItem": clip.item,
        "removedStart": np.concatenate([[0], changed.sum(axis=1).cumsum()]),
        "places": place.astype(np.uint16),
        "colours": clip.removed.reshape(len(changed), -1, 3)[row, place],
    }


def view_data(view: View) -> dict[str, Any]:
    return {
        name: array.astype(np.float32)
        for name, array in (
            ("values", view.values),
            ("policy", view.policy),
            ("advantage", view.advantage),
            ("removedValues", view.removed_values),
            ("removedPolicy", view.removed_policy),
            ("removedSums", view.removed_sums),
        )
    }


def explained_data(explained: Explained) -> dict[str, Any]:
    """Maps in 127 steps on either side of zero; attribution is `maps` times `steps` of the frame and feature.

    In 31 steps where there are more than `FINE` x `FINE` cells, so that the folder stays small.
    """
    levels = 127 if explained.maps.shape[-1] <= FINE else 31
    steps = np.maximum(np.abs(explained.maps).max(axis=(2, 3)), 1e-12) / levels
    quantised = np.round(explained.maps / steps[:, :, None, None]).astype(np.int8)
    return {
        "maps": quantised,
        "steps": steps.astype(np.float32),
        "sums": explained.sums.astype(np.float32),
        "scale": explained.scale,
        "axis": explained.axis,
    }


def _script(folder: Path, name: str, content: Mapping[str, Any]) -> None:
    text = json.dumps(plain(content), allow_nan=False, separators=(",", ":"))
    write_atomically(folder / "data" / f"{name}.js", f"Report.add({json.dumps(name)},{text});\n")


BINARY = {np.dtype(kind) for kind in ("uint8", "int8", "uint16", "float32")}


def plain(value: Any) -> Any:
    """JSON without nan (None instead); arrays of `BINARY` kinds as gzip in base64, others as lists."""
    if isinstance(value, np.ndarray):
        return packed(value) if value.dtype in BINARY else plain(value.tolist())
    if isinstance(value, Mapping):
        return {str(key): plain(part) for key, part in value.items()}
    if isinstance(value, list | tuple):
        return [plain(part) for part in value]
    if isinstance(value, float | np.floating):
        return None if math.isnan(value) else float(f"{value:.6g}")
    return value.item() if isinstance(value, np.generic) else value


def packed(array: NDArray[Any]) -> dict[str, str]:
    """An array as the page unpacks it: little-endian, row by row, gzip, base64."""
    data = gzip.compress(np.ascontiguousarray(array).tobytes(), 9, mtime=0)
    return {"type": str(array.dtype), "gzip": base64.b64encode(data).decode()}
