"""The tables of RESULTS.md, with the sentences that belong to them."""

import pandas as pd

from scoring.draw.markdown import table as markdown
from scoring.draw.words import percent, plain
from scoring.study.answer import Answer, at_default_layer, of_default_layer
from scoring.study.cells import completed, in_order, nearest, number_of_levels, with_limits
from scoring.study.published import published
from scoring.study.table import FEATURES, by_objects, kinds_of, version_of

PICTURES = {
    "headline": "Graded score and interpretable fraction; dots are agents with 95 % intervals over environments.",
    "completion": "Levels completed, with Wilson's 95 % intervals.",
    "orbay2020": "The score of Orbay (2020) beside its chance level.",
    "layers": "Every layer.",
    "classes": "The class that any feature comes nearest to.",
}


def measured(table: pd.DataFrame, answer: Answer, prefix: str) -> list[str]:
    """One group's agents, controls, kinds of things and pictures."""
    parts = [agents(of_default_layer(table, "shared", "nmf")), controls(table), classes(table)]
    parts += [picture(caption, f"{prefix}{name}") for name, caption in PICTURES.items()]
    if 0 in answer.levels:
        parts.append("The pictures leave out agents of unlimited levels.")
    return parts


def picture(caption: str, name: str) -> str:
    return f"![{caption}]({name}.png)\n\n*{caption}*"


def agents(rows: pd.DataFrame) -> str:
    version = version_of(rows)
    heads = (
        "agent",
        "levels",
        "steps",
        "training levels",
        "unseen levels",
        "fraction",
        "graded score",
        "its sd over factorisations",
        "without surface" if version == 1 else "by objects alone",
        "orbay2020 (chance)",
    )
    cells = [
        (
            row["agent"],
            number_of_levels(row["levels"]),
            f"{row['steps']:,}",
            completed(row, "training"),
            completed(row, "unseen"),
            with_limits(row, "interpretable_fraction", ".2f"),
            with_limits(row, "graded_score", ".3f"),
            plain(row["graded_score_sd"]),
            plain(row[by_objects(version)]),
            f"{plain(row['orbay2020'])} ({plain(row['orbay_chance'])})",
        )
        for _, row in in_order(rows).iterrows()
    ]
    return markdown(heads, cells)


def controls(table: pd.DataFrame) -> str:
    """The same agents and an untrained network with other features, and the numbers that stand beside the score."""
    at_default = at_default_layer(table, "shared")
    heads = (
        "agent",
        "nmf",
        "channels",
        "rotated channels",
        "lift, bits",
        "localisation, bits",
        "distinct classes",
        "split-half reliability",
    )
    of_nmf = in_order(at_default[at_default["features"] == "nmf"])
    cells = []
    for _, row in pd.concat([of_nmf[of_nmf["trained"]], of_nmf[~of_nmf["trained"]]]).iterrows():
        grades = at_default[at_default["agent"] == row["agent"]].set_index("features")["graded_score"]
        numbers = [plain(grades.get(features)) for features in FEATURES]
        numbers += [with_limits(row, name, ".2f") for name in ("lift", "localisation")]
        numbers += [plain(row[name], ".2f") for name in ("distinct_classes", "split_half_reliability")]
        cells.append([row["agent"], *numbers])
    return (
        "Graded score with each kind of features, an untrained network as the floor; the other columns are of the NMF:"
        f"\n\n{markdown(heads, cells)}"
    )


def classes(table: pd.DataFrame) -> str:
    kinds = kinds_of(table)
    cells = [
        [number_of_levels(row["levels"]), str(row["seed"]), *(nearest(row, name) for name in kinds)]
        for _, row in in_order(of_default_layer(table, "shared", "channels")).iterrows()
    ]
    return (
        "Highest κ of any channel of the default layer on a class, and channels found for it, shared bank:"
        f"\n\n{markdown(('levels', 'seed', *kinds.values()), cells)}"
    )


def completeness(table: pd.DataFrame) -> str:
    """How far integrated gradients are from summing to the target, layer by layer."""
    rows = table[(table["bank"] == "shared") & (table["features"] == "nmf") & table["trained"]]
    errors = (rows["completeness_error_mean"] / rows["target_sd"]).groupby(rows["layer"])
    cells = [(str(layer), plain(own.mean()), plain(own.max())) for layer, own in errors]
    return (
        "Completeness error of integrated gradients, mean over frames, in standard deviations of the value:\n\n"
        f"{markdown(('layer', 'mean over agents', 'largest of an agent'), cells)}\n\n"
        "Where it is not small, that many steps are too few, and the layer's numbers are rough."
    )


def others() -> str:
    rated = published()
    shares = (rated.completed["training"], rated.completed["unseen"], rated.interpretable)
    cells = [
        [f"{levels:,}", *(percent(column[:, rung].mean()) for column in shares)]
        for rung, levels in enumerate(rated.levels)
    ]
    return (
        f"## Measured by Hilton et al. (2020)\n\n{rated.source}. Original CoinRun, 2 billion steps an agent; means of "
        "two agents a rung, each rated by two people.\n\n"
        f"{markdown(('levels', 'training levels', 'unseen levels', 'rated interpretable'), cells)}"
    )
