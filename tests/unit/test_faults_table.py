"""docs/faults.md and docs/security.md promise nothing that no test proves."""

from __future__ import annotations

import re

import pytest

from sklearn_sandbox import paths

DOCS = paths.project_root() / "docs"
ROWS = [line for line in (DOCS / "faults.md").read_text().splitlines() if line.startswith("| ")][1:]
THREATS = [
    line
    for line in (DOCS / "security.md").read_text().partition("## Threats and answers")[2].splitlines()
    if line.startswith("| ")
][1:]


def test_there_are_rows() -> None:
    assert len(ROWS) >= 20 and len(THREATS) >= 15


@pytest.mark.parametrize("row", [*ROWS, *THREATS], ids=lambda row: row.split("|")[1].strip())
def test_every_fault_and_every_threat_has_tests_that_exist(row: str) -> None:
    named = re.findall(r"`(tests/[\w/]+\.py)(?:::(\w+))?`", row.split("|")[3])
    assert named
    for file, name in named:
        text = (paths.project_root() / file).read_text()
        assert re.search(rf"^(async )?def {f'{name}[(]' if name else 'test_'}", text, re.MULTILINE)
