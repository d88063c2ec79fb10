"""The page's folder."""

import json
from pathlib import Path

import pytest

from rollouts.errors import InputError
from scoring.report.page import FORMAT, check_folder


def test_only_a_report_is_ever_overwritten(tmp_path: Path) -> None:
    assert check_folder(tmp_path / "new") is None
    (tmp_path / ".lock").touch()
    assert check_folder(tmp_path) is None
    (tmp_path / "thesis.txt").write_text("do not lose")
    with pytest.raises(InputError, match="exists and is not a report; it is left as it is"):
        check_folder(tmp_path)
    (tmp_path / "report.json").write_text('{"format": "something else"}')
    with pytest.raises(InputError, match="is not a report"):
        check_folder(tmp_path)
    (tmp_path / "report.json").write_text("{cut sh")
    with pytest.raises(InputError, match="is not a report"):
        check_folder(tmp_path)
    (tmp_path / "report.json").write_text(json.dumps({"format": FORMAT, "finished": False}))
    assert check_folder(tmp_path) == {"format": FORMAT, "finished": False}
    with pytest.raises(InputError, match=r"thesis\.txt is a file; the report needs a folder"):
        check_folder(tmp_path / "thesis.txt")
