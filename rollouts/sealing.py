"""JSON inside a binary file: read strictly against a schema, and sealed by a digest with what it describes."""

import hashlib
import json
from collections.abc import Mapping
from typing import Annotated, Any, Protocol, TypeVar

import numpy as np
from numpy.typing import NDArray
from pydantic import Field, TypeAdapter, ValidationError

from rollouts.documents import to_json
from rollouts.errors import InputError

T = TypeVar("T")
Whole = Annotated[int, Field(ge=0, lt=2**63)]
Positive = Annotated[int, Field(ge=1, lt=2**63)]
Share = Annotated[float, Field(ge=0, le=1)]
Sha256 = Annotated[str, Field(pattern="^[0-9a-f]{64}$")]
DIGEST = "sha256"
"""The key of a document under which its digest stands."""

Part = tuple[str, tuple[int, ...], bytes | NDArray[Any]]
"""What a digest covers of an array beside its name: what its numbers are, its shape, its bytes."""


class UnfitDocument(InputError):
    """A document is no JSON, does not fit its schema or its digest; the message goes on after the file's name."""


def read(text: str | bytes) -> dict[str, Any]:
    """The JSON object in a text, in which no key stands twice and every number is finite.

    Raises `UnfitDocument` for anything else.
    """
    try:
        document = json.loads(text, object_pairs_hook=_unique)
        json.dumps(document, allow_nan=False)
    except (ValueError, RecursionError) as error:
        raise UnfitDocument(f"has metadata that cannot be read: {error}.") from error
    if not isinstance(document, dict):
        raise UnfitDocument("has no metadata of this project.")
    return document


def _unique(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    keys = dict(pairs)
    if len(keys) < len(pairs):
        raise ValueError("a key stands there twice")
    return keys


def fit(schema: TypeAdapter[T], document: Mapping[str, Any], others: bool = False) -> T:
    """The document as its schema has it: no value is converted, and no key is unknown unless there may be `others`.

    Raises `UnfitDocument` naming the first key that does not fit.
    """
    try:
        return schema.validate_json(json.dumps(document), strict=True, extra="ignore" if others else "forbid")
    except ValidationError as error:
        first = error.errors()[0]
        key, reason = ".".join(map(str, first["loc"])), first["msg"].removeprefix("Value error, ").rstrip(".")
        found = f" is {first['input']!r:.60}" if isinstance(first["input"], str | int | float | None) else ""
        raise UnfitDocument(f"has metadata that cannot be: {key}{found}: {reason}.") from error


def content_sha256(document: Mapping[str, Any], parts: Mapping[str, Part]) -> str:
    """SHA-256 of a document without its digest, and of named arrays in the order of their names."""
    described = {key: value for key, value in document.items() if key != DIGEST}
    digest = hashlib.sha256(json.dumps(described, sort_keys=True, allow_nan=False).encode())
    for name, (kind, shape, data) in sorted(parts.items(), key=lambda item: item[0]):
        digest.update(json.dumps([name, kind, list(shape)]).encode())
        digest.update(data if isinstance(data, bytes) else np.ascontiguousarray(data).data)
    return digest.hexdigest()


def sealed(document: Mapping[str, Any], parts: Mapping[str, Part]) -> str:
    """The document as text, with the digest of itself and of the arrays; raises `DocumentError` for NaN in it."""
    plain = json.loads(to_json(document))
    return json.dumps({**plain, DIGEST: content_sha256(plain, parts)})


def check_seal(document: Mapping[str, Any], parts: Mapping[str, Part]) -> None:
    """Raises `UnfitDocument` where a document has a digest, and it is not that of this content."""
    if DIGEST in document and document[DIGEST] != content_sha256(document, parts):
        raise UnfitDocument("is damaged: its content does not have the SHA-256 that was written with it.")


class Checked(Protocol):
    """What was read from a file that had a digest, or none."""

    @property
    def checked(self) -> bool: ...


def without_digest(read: Mapping[str, Checked]) -> str | None:
    """A sentence on what was read from files that have no digest, by name; None where all have one."""
    names = [name for name, one in read.items() if not one.checked]
    return f"{', '.join(names)}: written before files had digests, so damage would not be noticed." if names else None
