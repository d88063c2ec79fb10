"""What the page's scripts hold: everything it shows, as JSON that a browser unpacks."""

import base64
import gzip
import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from agents.checkpoint import Agent
from scoring.explain.geometry import LayerGeometry, cell_of_pixel
from scoring.pipeline import Score
from scoring.report.cards import Card
from scoring.report.clips import Clip, partial_kind
from scoring.report.views import Explained, View, surprising

FINE = 16


@dataclass(frozen=True)
class Entry:
    """An agent of the report: its score, its features' cards, and what it makes of each clip, by the clip's name."""

    name: str
    agent: Agent
    score: Score
    cards: Sequence[Card]
    views: Mapping[str, View]


def meta(title: str, entries: Sequence[Entry], clips: Sequence[Clip]) -> dict[str, Any]:
    """What the page needs to know before it draws: kinds, agents, features, clips.

    The kinds are what is drawn, whatever the version of the score, and those whose outlines the clips have besides.
    """
    game = clips[0].game
    part = partial_kind(game)
    outlined = [entries[0].score.game.kind(name) for name in clips[0].regions]
    return {
        "title": title,
        "effects": list(game.moves),
        "completed": game.completed_words,
        "part": None if part is None else part.name,
        "kinds": [
            {
                "name": kind.name,
                "words": kind.words,
                "colour": kind.colour,
                "dash": kind.dash,
                "removable": kind.removable,
                "together": kind.together,
                "inside": kind.together and not kind.headline,
            }
            for kind in (*game.kinds, *outlined)
        ],
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
        if frames
    ]


def geometry_data(geometry: LayerGeometry) -> dict[str, Any]:
    return {"size": geometry.size, "cells": cell_of_pixel(geometry)}


def feature(card: Card) -> dict[str, Any]:
    return {
        "row": card.row,
        "interpretable": card.interpretable,
        "kind": None if card.kind is None else card.kind.name,
        "lifts": [
            {"class": kind.words, "value": value, "low": low, "high": high} for kind, value, low, high in card.lifts
        ],
        "top": card.top,
        "grid": card.grid.frame,
        "activation": card.activation,
        "attribution": card.attribution,
        "title": card.title,
        "short": card.short,
        "facts": card.facts,
        "shareText": f"{card.share:.0%}",
        "gridActivation": card.grid.activation,
    }


def clip_data(clip: Clip) -> dict[str, Any]:
    """Frames, labels and changed pixels: row m changes pixels `places[start[m]:start[m + 1]]` to `colours`.

    The region of a kind is a bit for each pixel, row by row, the first the highest of its byte.
    """
    changed = (clip.removed != clip.frames[clip.index]).any(axis=-1).reshape(len(clip.removed), -1)
    row, place = np.nonzero(changed)
    names = {action: move for move, actions in clip.game.moves.items() for action in actions}
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
        **{f"region-{name}": np.packbits(where.reshape(len(clip), -1), axis=1) for name, where in clip.regions.items()},
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
