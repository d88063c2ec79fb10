"""A picture for each check: what was measured, and the bound it was held to."""

from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from scoring.draw.charts import COLOURS, save
from scoring.verdict import Cutoffs

Details = Mapping[str, Any]
MARKERS = "osD^"


def _panels(count: int, width: float = 4.6, height: float = 3.6) -> tuple[Figure, Sequence[Axes]]:
    figure = Figure(figsize=(width * count, height), dpi=110, layout="constrained")
    return figure, figure.subplots(1, count, squeeze=False)[0]


def planted(details: Details, path: Path) -> None:
    """Headline, graded score and `orbay2020` against the planted share."""
    figure, axes = _panels(3)
    titles = {
        "fraction": "interpretable fraction",
        "graded": "graded score",
        "orbay2020": "orbay2020, receptive-field box",
    }
    for axis, (key, title) in zip(axes, titles.items(), strict=True):
        for number, features in enumerate(("channels", "nmf")):
            own = [r for r in details["rows"] if r["features"] == features]
            axis.plot(
                [r["share"] for r in own],
                [r[key] for r in own],
                MARKERS[number],
                color=COLOURS[number],
                alpha=0.6,
                label=features,
                mfc="none",
            )
        if key == "fraction":
            axis.plot([0, 1], [0, 1], color="0.6", lw=1, label="equal")
        axis.set(xlabel="planted share of detectors", title=title, ylim=(-0.03, 1.03))
        axis.legend(fontsize=8)
    save(figure, path)


def untrained(details: Details, path: Path) -> None:
    """Fraction and graded score of untrained networks, by kind."""
    figure, axes = _panels(2)
    kinds = list(dict.fromkeys(r["network"] for r in details["rows"]))
    for axis, (key, title) in zip(
        axes, (("fraction", "interpretable fraction"), ("graded", "graded score")), strict=True
    ):
        for number, features in enumerate(("channels", "nmf")):
            for place, kind in enumerate(kinds):
                values = [r[key] for r in details["rows"] if (r["network"], r["features"]) == (kind, features)]
                places = place + 0.3 * number - 0.15 + np.linspace(-0.08, 0.08, len(values))
                axis.plot(
                    places,
                    values,
                    MARKERS[number],
                    color=COLOURS[number],
                    mfc="none",
                    label=features if place == 0 else None,
                )
        axis.set(xticks=range(len(kinds)), xticklabels=kinds, title=f"untrained networks: {title}", ylim=(-0.03, 0.6))
        axis.legend(fontsize=8)
    axes[0].axhline(0.05, color="0.5", lw=1, ls="--")
    save(figure, path)


def randomisation(details: Details, path: Path) -> None:
    """Terms of the score and likeness of the maps as an agent is randomised from the head down."""
    figure, axes = _panels(2, 6.2, 4.2)
    stages = details["stages"]
    curves = (
        (("kappa", "κ"), ("sign", "sign term"), ("graded", "graded score")),
        (
            ("spearman_signed", "Spearman, signed"),
            ("spearman_absolute", "Spearman, absolute"),
            ("ssim", "SSIM"),
        ),
    )
    for axis, shown in zip(axes, curves, strict=True):
        for number, (key, name) in enumerate(shown):
            means = [np.mean([r[key] for r in details["rows"] if r["stage"] == stage]) for stage in stages]
            axis.plot(means, MARKERS[number] + "-", color=COLOURS[number], label=name)
            if key in details["level"]:
                mean, deviation = details["level"][key]
                axis.axhspan(mean - 2 * deviation, mean + 2 * deviation, color=COLOURS[number], alpha=0.12, lw=0)
        axis.set(
            xticks=range(len(stages)),
            xlabel="randomised down to",
            title="bands: untrained, ± 2 sd" if axis is axes[0] else "likeness to the trained agent's maps",
        )
        axis.set_xticklabels(stages, rotation=40, ha="right", fontsize=8)
        axis.axhline(0, color="0.8", lw=0.8)
        axis.legend(fontsize=8)
    save(figure, path)


def permuted_targets(details: Details, path: Path) -> None:
    """Terms of networks that learnt right and shuffled values, beside the untrained level."""
    figure, (axis,) = _panels(1, 5.4)
    terms = ("kappa", "sign", "causal")
    for number, (name, row) in enumerate(details["rows"].items()):
        axis.bar(
            np.arange(3) + 0.25 * number - 0.25,
            [row[t] for t in terms],
            0.25,
            color=COLOURS[number],
            hatch="/" * number,
            edgecolor="white",
            label=f"{name} values (loss {row['loss']:.2f})",
        )
    levels = [details["level"][t] for t in terms]
    axis.errorbar(
        np.arange(3) + 0.25,
        [m for m, _ in levels],
        [2 * d for _, d in levels],
        fmt="o",
        color="0.3",
        capsize=4,
        label="untrained, ± 2 sd",
    )
    axis.set(xticks=range(3), xticklabels=("κ", "sign term", "T"), title="a network that learnt the agent's values")
    axis.axhline(0, color="0.8", lw=0.8)
    axis.legend(fontsize=8)
    save(figure, path)


def rotation(details: Details, path: Path) -> None:
    """Graded scores of channels and of rotated channels."""
    figure, (axis,) = _panels(1, 5.0)
    for place, row in enumerate(details["rows"].values()):
        low, high = row["interval"]
        axis.text(
            place,
            max(row["channels"], row["rotated"]) + 0.005,
            f"difference\n{low:+.3f} to {high:+.3f}",
            ha="center",
            fontsize=8,
        )
        for number, key in enumerate(("channels", "rotated")):
            axis.bar(
                place + 0.35 * number - 0.175,
                row[key],
                0.35,
                color=COLOURS[number],
                hatch="/" * number,
                edgecolor="white",
                label=key if place == 0 else None,
            )
    axis.set(xticks=range(len(details["rows"])), xticklabels=list(details["rows"]), ylabel="graded score")
    axis.set_ylim(0, 1.3 * max(max(row["channels"], row["rotated"]) for row in details["rows"].values()))
    axis.set_title("channels and randomly rotated channels, 95 % intervals")
    axis.legend(fontsize=8)
    save(figure, path)


def shifted_masks(details: Details, path: Path) -> None:
    """Mean kappa of the pairs that were high, against the shift of the masks."""
    figure, (axis,) = _panels(1, 5.0)
    axis.plot(details["tiles"], details["kappa"], "o-", color=COLOURS[0])
    axis.set(xlabel="masks shifted down, tiles", title="shifted masks", xticks=details["tiles"])
    axis.set_ylabel(f"mean κ of the pairs with κ ≥ {Cutoffs.kappa} unshifted")
    axis.axhline(0, color="0.8", lw=0.8)
    save(figure, path)


def by_hand(details: Details, path: Path) -> None:
    """Kappa of each feature made by hand on each class."""
    figure, (axis,) = _panels(1, 7.0)
    kappa = np.array(details["kappa"], dtype=float)
    for number, name in enumerate(details["features"]):
        axis.bar(
            np.arange(kappa.shape[1]) + 0.27 * (number - 1),
            np.nan_to_num(kappa[number]),
            0.27,
            color=COLOURS[number],
            hatch=("", "//", "..")[number],
            edgecolor="white",
            label=name,
        )
    for least, style in ((Cutoffs.kappa, "--"), (Cutoffs.fixed, ":")):
        axis.axhline(least, color="0.5", lw=1, ls=style)
    axis.set(xticks=range(kappa.shape[1]), xticklabels=details["classes"], ylabel="κ")
    axis.set_title("features made by hand (dashed: cut-off; dotted: of surface)")
    axis.legend(fontsize=8)
    save(figure, path)


def published(details: Details, path: Path) -> None:
    """Held-out localisation of the published agent and of untrained networks of its shape."""
    figure, (axis,) = _panels(1, 5.0)
    values = details["localisation"]
    axis.bar(range(len(values)), values, color=[COLOURS[0], *["0.6"] * (len(values) - 1)])
    axis.set(xticks=range(len(values)), ylabel="localisation, bits (class chosen on other environments)")
    axis.set_xticklabels(["published", *[f"untrained {i}" for i in range(len(values) - 1)]], rotation=30, ha="right")
    low, high = details["difference"][1:]
    axis.set_title(f"difference {details['difference'][0]:.2f} bits ({low:.2f} to {high:.2f})")
    save(figure, path)


def pairs(details: Details, path: Path) -> None:
    """T against kappa for every pair of feature and class."""
    figure, (axis,) = _panels(1, 6.0, 4.2)
    agents = list(dict.fromkeys(r["agent"] for r in details["rows"]))
    for number, agent in enumerate(agents):
        own = [r for r in details["rows"] if r["agent"] == agent]
        axis.plot(
            [r["kappa"] for r in own],
            np.clip([r["causal"] for r in own], -1.5, 1.1),
            MARKERS[number],
            color=COLOURS[number],
            mfc="none",
            alpha=0.7,
            label=agent,
        )
    axis.axvline(Cutoffs.kappa, color="0.5", lw=1, ls="--")
    axis.axhline(Cutoffs.causal, color="0.5", lw=1, ls="--")
    axis.set(xlabel="κ", ylabel="T (below −1.5 drawn at −1.5)", title="pairs of feature and class")
    axis.legend(fontsize=8)
    save(figure, path)


FIGURES: dict[str, Callable[[Details, Path], None]] = {
    "planted": planted,
    "untrained": untrained,
    "randomisation": randomisation,
    "permuted_targets": permuted_targets,
    "rotation": rotation,
    "shifted_masks": shifted_masks,
    "by_hand": by_hand,
    "published": published,
    "pairs": pairs,
}
