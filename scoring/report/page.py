"""The report's page: a folder that opens from disk, with data in scripts because such pages may not fetch files."""

import json
import shutil
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from jinja2 import Environment, PackageLoader, StrictUndefined, select_autoescape

from rollouts.errors import InputError
from rollouts.files import write_atomically
from scoring.draw.layouts import on_unseen_levels
from scoring.report.clips import Clip
from scoring.report.data import Entry, clip_data, explained_data, meta, plain, view_data
from scoring.report.definitions import named
from scoring.report.overview import curves, details, rows, sentence
from scoring.rules import NEAR

FORMAT = "coinrun-report-1"
MARKER = "report.json"
"""Says that a folder is a report, and of what; written before anything else, and as finished at the end."""
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


def check_folder(folder: Path) -> dict[str, Any] | None:
    """What the report in a folder says of itself, None where nothing is; raises `InputError` for any other folder."""
    if not folder.exists():
        return None
    if not folder.is_dir():
        raise InputError(f"{folder} is a file; the report needs a folder.")
    marker = folder / MARKER
    if marker.is_file():
        try:
            content = json.loads(marker.read_text())
        except ValueError:
            content = None
        if isinstance(content, dict) and content.get("format") == FORMAT:
            return content
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
    records = [entry.score.record for entry in entries]
    game = entries[0].score.game
    return environment.get_template("template.html").render(
        title=title,
        names=[entry.name for entry in entries],
        rows=rows(records),
        sentences=[sentence(entry.name, entry.score.record) for entry in entries],
        curves=curves([entry.agent for entry in entries]),
        details=[details(record) for record in records],
        clips=clips,
        scripts=SCRIPTS,
        version=records[0].version,
        cutoffs=records[0].cutoffs,
        near=NEAR,
        kinds=named(entries[0].score.game, records[0].version),
        completed=game.completed_words,
        on_unseen_levels=on_unseen_levels(entry.agent.options for entry in entries),
    )


def _script(folder: Path, name: str, content: Mapping[str, Any]) -> None:
    text = json.dumps(plain(content), allow_nan=False, separators=(",", ":"))
    write_atomically(folder / "data" / f"{name}.js", f"Report.add({json.dumps(name)},{text});\n")
