"""The validation as a user runs it, as far as it takes seconds."""

import json
from pathlib import Path

from commands import ROOT, refused, run
from scoring.validation.groups import GROUPS

ZOO = f"agent={ROOT / 'zoo/compact-hard-all.safetensors'}"


def test_a_check_that_is_not_run_fails_where_all_are_required(tmp_path: Path) -> None:
    done = run("validate", ZOO, "only=published", cwd=tmp_path, fresh=True)
    assert done.returncode == 0, done.stderr
    assert "not run" in done.stdout
    done = run("validate", ZOO, "only=published", "require=all", cwd=tmp_path)
    assert done.returncode == 1
    assert "error: These checks do not hold: published (not run)" in done.stderr
    (written,) = tmp_path.rglob("validation.json")
    record = json.loads(written.read_text())
    assert not record.keys() & GROUPS.keys(), "no group was run, and nothing else has the name of one"


def test_unknown_groups_are_answered_with_the_list(tmp_path: Path) -> None:
    assert "only names 'plants'; the groups are identities, planted," in refused(
        "validate", ZOO, "only=plants", cwd=tmp_path
    )
    assert "require is 'most'; it can be available or all" in refused("validate", ZOO, "require=most", cwd=tmp_path)
