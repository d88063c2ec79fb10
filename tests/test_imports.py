"""The arrows of the house: what may import what (docs/extending.md says where a new thing goes)."""

import ast
from graphlib import TopologicalSorter
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[1]
ROOMS = (
    ("rollouts", "agents"),
    ("scoring.threads", "scoring.metrics", "scoring.explain", "scoring.changes"),
    ("scoring.draw", "scoring.features", "scoring.rules"),
    ("scoring.evidence", "scoring.settings"),
    ("scoring.subject", "scoring.naming", "scoring.identity"),
    ("scoring.verdict",),
    ("scoring.numbers", "scoring.record"),
    ("scoring.diagnostics",),
    ("scoring.pipeline",),
    ("scoring.tables", "scoring.features_figure", "scoring.output", "scoring.run"),
    ("scoring.laboratory",),
    ("scoring.validation", "scoring.study", "scoring.report", "scoring.rating", "scoring.editing", "scoring.speed"),
    ("common", "hydra_plugins"),
    ("commands",),
)
"""From the ground up: a room imports from its own floor what `BESIDE` allows, and from every floor below."""
BESIDE = {
    "agents": {"rollouts"},
    "scoring.explain": {"scoring.threads"},
    "scoring.metrics": {"scoring.threads"},
    "scoring.output": {"scoring.tables", "scoring.features_figure"},
    "scoring.features_figure": {"scoring.tables"},
    "scoring.diagnostics": {"scoring.record"},
    "hydra_plugins": {"common"},
}


def imports() -> dict[str, set[str]]:
    """Each module of the program, and the program's modules that it imports."""
    files = {path for folder in ("rollouts", "agents", "scoring", "scripts") for path in (ROOT / folder).rglob("*.py")}
    names = {path: ".".join(path.relative_to(ROOT).with_suffix("").parts).removeprefix("scripts.") for path in files}
    modules = {name.removesuffix(".__init__") for name in names.values()}
    graph: dict[str, set[str]] = {}
    for path, name in names.items():
        tree = ast.parse(path.read_text())
        wanted = {
            f"{node.module}.{alias.name}"
            for node in ast.walk(tree)
            if isinstance(node, ast.ImportFrom)
            for alias in node.names
        } | {alias.name for node in ast.walk(tree) if isinstance(node, ast.Import) for alias in node.names}
        known = {module if module in modules else module.rpartition(".")[0] for module in wanted}
        graph[name.removesuffix(".__init__")] = known & modules
    return graph


def room(module: str) -> str:
    """The room that a module is in; a command is one of `commands`."""
    inside = [name for floor in ROOMS for name in floor if module == name or module.startswith(f"{name}.")]
    return max(inside, key=len, default="commands")


GRAPH = imports()
FLOOR = {name: number for number, floor in enumerate(ROOMS) for name in floor}


@pytest.mark.parametrize("module", sorted(GRAPH))
def test_imports_run_downwards(module: str) -> None:
    own = room(module)
    for other in (room(imported) for imported in GRAPH[module]):
        allowed = FLOOR[other] < FLOOR[own] or other in BESIDE.get(own, set()) or (other == own != "commands")
        assert allowed, f"{module} of {own} imports from {other}"


def test_no_modules_import_one_another() -> None:
    TopologicalSorter(GRAPH).prepare()


def test_games_do_not_import_one_another() -> None:
    games = {path.name for path in (ROOT / "rollouts").iterdir() if (path / "table.py").exists()}
    assert "coinrun" in games
    for module, imported in GRAPH.items():
        for game in games:
            if module.startswith(f"rollouts.{game}."):
                assert not [other for other in imported if other.split(".")[1] in games - {game}]
