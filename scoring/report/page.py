"""The report's page: a folder that opens from disk, with data in scripts because such pages may not fetch files."""

import shutil
from collections.abc import Mapping, Sequence
from hashlib import sha256
from pathlib import Path
from typing import Any

from jinja2 import Environment, PackageLoader, StrictUndefined, select_autoescape

from rollouts.documents import DocumentError, read_json, to_json, write_json
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
SCORES, DATA, INDEX = "scores", "data", "index.html"
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
            content = read_json(marker)
        except DocumentError as error:
            raise InputError(f"{folder} is not a report that can be read: {error} It is left as it is.") from error
        if content.get("format") == FORMAT:
            return content
    if any(path.name != ".lock" for path in folder.iterdir()):
        raise InputError(f"{folder} exists and is not a report; it is left as it is.")
    return None


def begin(folder: Path) -> None:
    """Mark a folder that `check_folder` allowed as an unfinished report, and remove what an earlier one left there."""
    write_json(folder / MARKER, {"format": FORMAT, "finished": False})
    for name in (SCORES, DATA):
        shutil.rmtree(folder / name, ignore_errors=True)
    (folder / INDEX).unlink(missing_ok=True)


def finish(folder: Path, made: Mapping[str, Any]) -> None:
    """Mark a report as finished: `made` says what it was made of, and all its files are listed with their SHA-256."""
    write_json(folder / MARKER, {"format": FORMAT, "finished": True, **made, "files": _files(folder)})


def is_finished(folder: Path, marker: Mapping[str, Any] | None, made: Mapping[str, Any]) -> bool:
    """Whether a report, by what its marker says, was finished of what `made` says, and has all its files as written."""
    if marker is None or {**marker, **made, "finished": True} != marker:
        return False
    return bool(marker.get("files") == _files(folder))


def _files(folder: Path) -> dict[str, str]:
    """SHA-256 of the files of a report, by their paths in it."""
    names = {*SCRIPTS, "page.css", INDEX}
    paths = [folder / name for name in names] + [path for part in (SCORES, DATA) for path in (folder / part).rglob("*")]
    files = sorted(path for path in paths if path.is_file() and not path.name.startswith("."))
    return {str(path.relative_to(folder)): sha256(path.read_bytes()).hexdigest() for path in files}


def write_page(folder: Path, title: str, entries: Sequence[Entry], clips: Sequence[Clip]) -> None:
    """Write the report's page into its folder."""
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
    write_atomically(folder / INDEX, html(title, entries, clips))


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
        notes=[entry.views[clip.name].note for clip in clips if clip.consecutive for entry in entries],
        scripts=SCRIPTS,
        version=records[0].version,
        cutoffs=records[0].cutoffs,
        near=NEAR,
        kinds=named(entries[0].score.game, records[0].version),
        completed=game.completed_words,
        on_unseen_levels=on_unseen_levels(entry.agent.options for entry in entries),
    )


def _script(folder: Path, name: str, content: Mapping[str, Any]) -> None:
    write_atomically(folder / DATA / f"{name}.js", f"Report.add({to_json(name)},{to_json(plain(content))});\n")
