"""What pages are sent, and what they send, checked before any of it is used."""

import json
from collections.abc import Mapping
from dataclasses import asdict, dataclass
from http import HTTPStatus
from secrets import compare_digest
from typing import Any

from scoring.rating.answers import HIGHEST, LONGEST, Answer, Answers
from scoring.rating.choices import choices, guide
from scoring.rating.served import Served

LARGEST = 10_000
"""Bytes of a request's body at most."""
DIGITS = 20
"""Of a number of bytes at most: Python refuses to read very long ones."""


class Refused(Exception):
    """A request that is not answered as asked."""

    def __init__(self, status: HTTPStatus, sentence: str, **more: Any) -> None:
        super().__init__(sentence)
        self.status, self.sentence, self.more = status, sentence, more


@dataclass(frozen=True)
class Rating:
    """A rater's answer about a feature as a page sends it, which saw the stored one at revision `seen` (0: none)."""

    rater: str
    feature: int
    rating: int
    shows: str
    seen: int


def about(study: Served, answers: Answers) -> dict[str, object]:
    """What the page needs to know of a study; nothing of its agents."""
    game, version = study.game, study.version
    return {
        "token": study.token,
        "raters": answers.raters(),
        "game": game.title,
        "guide": guide(game, version),
        "choices": [asdict(choice) for choice in choices(game, version)],
        "features": study.features,
        "highest": HIGHEST,
        "longest": LONGEST,
    }


def as_sent(answer: Answer) -> dict[str, object]:
    """What the page needs of an answer."""
    return {"rating": answer.rating, "shows": answer.shows, "revision": answer.revision}


def body_length(header: str) -> int:
    """The bytes of a body, from its Content-Length; raises `Refused` for a body that is no answer's."""
    if not header.isascii() or not header.isdigit() or len(header) > DIGITS or int(header) > LARGEST:
        raise Refused(HTTPStatus.REQUEST_ENTITY_TOO_LARGE, f"An answer has at most {LARGEST} bytes.")
    return int(header)


def read_rating(body: bytes, study: Served, answers: Answers) -> Rating:
    """The answer in a body; raises `Refused` for one that is none, or from the page of another study."""
    try:
        sent = json.loads(body)
    except (ValueError, RecursionError):
        sent = None
    if not isinstance(sent, dict):
        raise Refused(HTTPStatus.BAD_REQUEST, "An answer is a JSON object.")
    token = str(sent.get("token")).encode(errors="replace")
    if not compare_digest(token, study.token.encode()):
        raise Refused(HTTPStatus.FORBIDDEN, "This page is of another study; load it again.")
    return Rating(
        known_rater(sent.get("rater"), answers),
        _whole(sent, "feature", study.features - 1),
        _whole(sent, "rating", HIGHEST),
        _words(sent.get("shows")),
        _whole(sent, "seen", 2**31),
    )


def known_rater(name: object, answers: Answers) -> str:
    """Raises `Refused` for anybody who is no rater of the study."""
    if not isinstance(name, str) or name not in answers.raters():
        raise Refused(HTTPStatus.BAD_REQUEST, "There is no rater of this name in the study.")
    return name


def _whole(sent: Mapping[str, object], key: str, highest: int) -> int:
    value = sent.get(key)
    if type(value) is not int or not 0 <= value <= highest:
        raise Refused(HTTPStatus.BAD_REQUEST, f"{key} must be a whole number from 0 to {highest}.")
    return value


def _words(value: object) -> str:
    text = " ".join(value.split()) if isinstance(value, str) else ""
    if not 0 < len(text) <= LONGEST or not text.isprintable():
        raise Refused(HTTPStatus.BAD_REQUEST, f"shows must be a kind of thing, or 1 to {LONGEST} printable characters.")
    return text
