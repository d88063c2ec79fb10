"""Channels beside randomly rotated channels, of which few may be interpretable."""

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from rollouts.progress import Update, silent
from scoring.draw.charts import bars, panels, save
from scoring.metrics.statistics import interval
from scoring.subject import Subject
from scoring.validation.base import Outcome, at_most, fraction, grade, judged, reported
from scoring.verdict import grade_by_objects

BOUNDED = "published agent"
MOST = 0.1


@dataclass(frozen=True)
class RotationRow:
    """Graded scores of an agent, the `interval` of their difference, and the two scores by objects alone."""

    channels: float
    rotated: float
    interval: tuple[float, float]
    sprites: tuple[float, float]


@dataclass(frozen=True)
class Rotation:
    rows: dict[str, RotationRow]


def rotation(subjects: Mapping[str, Subject], progress: Update = silent) -> Outcome[Rotation]:
    """The difference of the graded scores is taken draw by draw of one bootstrap.

    Of the published agent, which has detectors, no more than `MOST` of the rotated channels may be interpretable.
    """
    checks, rows = [], {}
    for name, subject in subjects.items():
        channels, control = judged(subject, "channels"), judged(subject, "rotated")
        progress(0, f"rotated channels of {name}")
        assert channels.verdict.graded_draws is not None
        assert control.verdict.graded_draws is not None
        low, high = map(float, interval(channels.verdict.graded_draws - control.verdict.graded_draws))
        first, second = (grade_by_objects(features.verdict) for features in (channels, control))
        row = RotationRow(grade(channels), grade(control), (low, high), (first, second))
        note = f"{row.channels:.3f} and {row.rotated:.3f}, difference's interval {low:.3f} to {high:.3f}; "
        note += f"by objects alone {first:.3f} and {second:.3f}"
        if name == BOUNDED:
            checks.append(at_most(f"rotated channels of the {name}: interpretable fraction", fraction(control), MOST))
        checks.append(reported(f"channels over rotated channels, {name}, reported", row.channels - row.rotated, note))
        rows[name] = row
    return Outcome(checks, Rotation(rows))


def figure(details: Rotation, path: Path) -> None:
    """Graded scores of channels and of rotated channels."""
    picture, (axis,) = panels(1, 5.0)
    for place, row in enumerate(details.rows.values()):
        low, high = row.interval
        text = f"difference\n{low:+.3f} to {high:+.3f}"
        axis.text(place, max(row.channels, row.rotated) + 0.005, text, ha="center", fontsize=8)
        for number, (label, value) in enumerate((("channels", row.channels), ("rotated", row.rotated))):
            where = [place + 0.35 * number - 0.175]
            bars(axis, where, [value], 0.35, number, label if place == 0 else None)
    axis.set(xticks=range(len(details.rows)), xticklabels=list(details.rows), ylabel="graded score")
    axis.set_ylim(0, 1.3 * max(max(row.channels, row.rotated) for row in details.rows.values()))
    axis.set_title("channels and randomly rotated channels, 95 % intervals")
    axis.legend(fontsize=8)
    save(picture, path)
