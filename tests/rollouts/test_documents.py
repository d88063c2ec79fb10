"""JSON files: what is written is JSON, and what is read is an object or a sentence."""

import ast
import json
import re
from pathlib import Path

import numpy as np
import pytest

from rollouts.documents import DocumentError, finite_or_none, read_json, to_json, write_json

ROOT = Path(__file__).parents[2]


@pytest.mark.parametrize("value", [float("nan"), float("inf"), -float("inf"), np.float64("nan")])
def test_what_is_no_number_of_json_is_named_and_not_written(value: float, tmp_path: Path) -> None:
    path = tmp_path / "scores.json"
    write_json(path, {"headline": {"value": [1.5, None]}})
    with pytest.raises(DocumentError, match=re.escape(f"{path}: headline.value.1 is no finite number")):
        write_json(path, {"headline": {"value": [1.5, value]}})
    assert read_json(path) == {"headline": {"value": [1.5, None]}}
    assert finite_or_none({"a": [1.5, (value, "b")]}) == {"a": [1.5, [None, "b"]]}


def test_a_document_comes_back(tmp_path: Path) -> None:
    document = {"ü": [1, 2.5, "three", None, True], "nested": {"a": {}}}
    for indent in (None, 2):
        write_json(tmp_path / "a.json", document, indent)
        assert read_json(tmp_path / "a.json") == document
    assert to_json({"a": [1, 2]}) == '{"a":[1,2]}'


@pytest.mark.parametrize(
    ("content", "sentence"),
    [
        (b"", "is no JSON: "),
        (b"{", "is no JSON: "),
        (b"\xff\xfe\x00", "is no JSON: "),
        (b"[" * 100_000, "is no JSON: "),
        (b"[]", "holds list, not a JSON object"),
        (b"null", "holds NoneType, not a JSON object"),
        (b'"text"', "holds str, not a JSON object"),
    ],
)
def test_a_file_that_holds_no_object_is_named(content: bytes, sentence: str, tmp_path: Path) -> None:
    path = tmp_path / "scores.json"
    path.write_bytes(content)
    with pytest.raises(DocumentError, match=re.escape(f"{path} {sentence}")):
        read_json(path)
    with pytest.raises(DocumentError, match="cannot be read: No such file or directory"):
        read_json(tmp_path / "missing.json")
    with pytest.raises(DocumentError, match="cannot be read: Is a directory"):
        read_json(tmp_path)


def test_json_is_written_in_one_place() -> None:
    """Nothing else of the program calls what would write `NaN`; sealing asks for the same strictness."""
    writers = []
    for folder in ("rollouts", "agents", "scoring", "scripts"):
        for path in (ROOT / folder).rglob("*.py"):
            for node in ast.walk(ast.parse(path.read_text())):
                if isinstance(node, ast.Attribute) and node.attr in ("dump", "dumps", "dump_json", "model_dump_json"):
                    writers.append(str(path.relative_to(ROOT)))
    assert set(writers) == {"rollouts/documents.py", "rollouts/sealing.py"}
    assert json.loads(to_json([0.1])) == [0.1]
