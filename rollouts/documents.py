"""JSON files: written whole and without numbers that JSON does not have, read with a sentence for what is none."""

import json
import math
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from rollouts.errors import InputError
from rollouts.files import write_atomically


class DocumentError(InputError):
    """A file holds no JSON object, or a document a number that JSON does not have."""


def to_json(document: Any, indent: int | None = None) -> str:
    """A document as JSON, compact without `indent`; raises `DocumentError` naming what is infinite or not a number."""
    if place := _not_finite(document):
        raise DocumentError(f"{place} is no finite number, and JSON has no other; it is not written.")
    return json.dumps(document, allow_nan=False, indent=indent, separators=None if indent else (",", ":"))


def write_json(path: str | Path, document: Any, indent: int | None = 2) -> None:
    """Write a document atomically; raises `DocumentError` as `to_json` does, naming the file."""
    try:
        text = to_json(document, indent)
    except DocumentError as error:
        raise DocumentError(f"{path}: {error}") from error
    write_atomically(path, text + "\n")


def read_json(path: str | Path) -> dict[str, Any]:
    """The JSON object in a file; raises `DocumentError` for a file that is missing, damaged, or holds another thing."""
    path = Path(path)
    try:
        document = json.loads(path.read_bytes())
    except OSError as error:
        raise DocumentError(f"{path} cannot be read: {error.strerror}.") from error
    except (ValueError, RecursionError) as error:
        raise DocumentError(f"{path} is no JSON: {error}.") from error
    if not isinstance(document, dict):
        raise DocumentError(f"{path} holds {type(document).__name__}, not a JSON object.")
    return document


def finite_or_none(document: Any) -> Any:
    """The same with null where a number is infinite or none."""
    if isinstance(document, Mapping):
        return {key: finite_or_none(value) for key, value in document.items()}
    if isinstance(document, list | tuple):
        return [finite_or_none(value) for value in document]
    return None if isinstance(document, float) and not math.isfinite(document) else document


def _not_finite(document: Any, place: str = "") -> str | None:
    """Where the first number that is not finite stands, such as `headline.graded_score.value`; None without one."""
    if isinstance(document, float):
        return None if math.isfinite(document) else place or "The document"
    if isinstance(document, Mapping):
        parts = [(str(key), value) for key, value in document.items()]
    elif isinstance(document, list | tuple):
        parts = [(str(number), value) for number, value in enumerate(document)]
    else:
        return None
    return next((at for key, value in parts if (at := _not_finite(value, f"{place}.{key}".strip(".")))), None)
