"""Raters' answers in SQLite: one row an answer, on disk before the rater is told so."""

import sqlite3
from collections.abc import Iterable, Iterator
from contextlib import closing, contextmanager
from dataclasses import dataclass, fields
from datetime import UTC, datetime
from pathlib import Path

from rollouts.errors import InputError

APPLICATION, VERSION = 0x52415445, 1
HIGHEST, LONGEST = 10, 200
"""Ratings go from 0 to HIGHEST; what a feature shows is said in at most LONGEST characters."""

SCHEMA = f"""
CREATE TABLE raters (name TEXT PRIMARY KEY NOT NULL, added TEXT NOT NULL);
CREATE TABLE answers (
    rater TEXT NOT NULL REFERENCES raters (name),
    feature INTEGER NOT NULL,
    position INTEGER NOT NULL CHECK (position >= 1),
    rating INTEGER NOT NULL CHECK (typeof(rating) = 'integer' AND rating BETWEEN 0 AND {HIGHEST}),
    shows TEXT NOT NULL CHECK (length(shows) BETWEEN 1 AND {LONGEST}),
    answered TEXT NOT NULL,
    changed TEXT NOT NULL,
    revision INTEGER NOT NULL,
    PRIMARY KEY (rater, feature)
);
PRAGMA application_id = {APPLICATION};
PRAGMA user_version = {VERSION};
"""


@dataclass(frozen=True)
class Answer:
    """A rater's answer about a feature, the `position`-th that they were shown.

    `rating` 0 to 10, `shows` a class or the rater's words, `answered` and `changed` the times (UTC) of the first answer
    and of the last correction, `revision` how often it was written.
    """

    rater: str
    feature: int
    position: int
    rating: int
    shows: str
    answered: str
    changed: str
    revision: int


class Superseded(Exception):
    """The answer was changed elsewhere since the page that sends this one last saw it."""

    def __init__(self, stored: Answer) -> None:
        super().__init__("This feature was answered in another tab meanwhile.")
        self.stored = stored


class Answers:
    """The answers of a study; every call opens the file anew, so that threads and processes may share it."""

    def __init__(self, path: Path) -> None:
        """Open the file, or make it; raises `InputError` for a file of another version or kind."""
        self.path = path
        try:
            with self._opened() as db:
                db.execute("BEGIN IMMEDIATE")
                (application,), (version,) = (db.execute(f"PRAGMA {key}").fetchone() for key in _MARKS)
                empty = not db.execute("SELECT count(*) FROM sqlite_master").fetchone()[0]
                db.execute("COMMIT")
                if empty and not application and not version:
                    db.executescript(f"BEGIN IMMEDIATE; {SCHEMA} COMMIT;")
                elif application != APPLICATION:
                    raise InputError(f"{path} is a database of another program, not a study's answers.")
                elif version != VERSION:
                    raise InputError(f"{path} holds answers of version {version}; this program reads {VERSION}.")
        except sqlite3.DatabaseError as error:
            raise InputError(f"{path} cannot be read as a study's answers: {error}.") from error

    @contextmanager
    def _opened(self) -> Iterator[sqlite3.Connection]:
        """A connection whose commits survive a loss of power; a journal that was left by a killed one is undone."""
        with closing(sqlite3.connect(self.path, timeout=20, isolation_level=None)) as db:
            db.execute("PRAGMA synchronous = EXTRA")
            db.execute("PRAGMA foreign_keys = ON")
            yield db

    def add_raters(self, names: Iterable[str]) -> None:
        """Add raters; those that are there stay."""
        with self._opened() as db:
            db.executemany("INSERT OR IGNORE INTO raters VALUES (?, ?)", [(name, _now()) for name in names])

    def raters(self) -> list[str]:
        """Everyone who may answer, in the order in which they were added."""
        with self._opened() as db:
            return [name for (name,) in db.execute("SELECT name FROM raters ORDER BY rowid")]

    def of(self, rater: str) -> dict[int, Answer]:
        """A rater's answers by feature."""
        with self._opened() as db:
            rows = db.execute(f"SELECT {_COLUMNS} FROM answers WHERE rater = ?", (rater,))
            return {answer.feature: answer for answer in (Answer(*row) for row in rows)}

    def all(self) -> list[Answer]:
        """Every answer, rater by rater in the order of what they were shown."""
        with self._opened() as db:
            return [Answer(*row) for row in db.execute(f"SELECT {_COLUMNS} FROM answers ORDER BY rater, position")]

    def record(self, rater: str, feature: int, position: int, rating: int, shows: str, seen: int) -> Answer:
        """Write an answer to disk, or the correction of one that the page saw as revision `seen` (0: none).

        Sent twice it is written once. Raises `Superseded`, and changes nothing, where the stored answer is another
        than the page saw.
        """
        with self._opened() as db:
            db.execute("BEGIN IMMEDIATE")
            row = db.execute(
                f"SELECT {_COLUMNS} FROM answers WHERE rater = ? AND feature = ?", (rater, feature)
            ).fetchone()
            stored = Answer(*row) if row else None
            if stored is not None and (stored.rating, stored.shows) == (rating, shows):
                return stored
            if stored is not None and stored.revision != seen:
                raise Superseded(stored)
            now = _now()
            first, revision = (stored.answered, stored.revision + 1) if stored else (now, 1)
            answer = Answer(rater, feature, position, rating, shows, first, now, revision)
            db.execute(
                f"INSERT OR REPLACE INTO answers ({_COLUMNS}) VALUES (?, ?, ?, ?, ?, ?, ?, ?)",
                tuple(getattr(answer, field.name) for field in fields(Answer)),
            )
            db.execute("COMMIT")
            return answer


_MARKS = ("application_id", "user_version")
_COLUMNS = ", ".join(field.name for field in fields(Answer))


def _now() -> str:
    return datetime.now(UTC).isoformat(timespec="milliseconds")
