"""docs/faults.md promises nothing that no test proves."""

from __future__ import annotations

import re

import pytest

from sklearn_sandbox import paths

TABLE = paths.project_root() / "docs" / "faults.md"
ROWS = [line for line in TABLE.read_text().splitlines() if line.startswith("| ") and not line.startswith("| Fault")]


def test_there_are_rows() -> None:
    assert len(ROWS) >= 20


@pytest.mark.parametrize("row", ROWS, ids=lambda row: row.split("|")[1].strip())
def test_every_fault_has_tests_that_exist(row: str) -> None:
    named = re.findall(r"`(tests/[\w/]+\.py)::(\w+)`", row.split("|")[3])
    assert named
    for file, name in named:
        assert re.search(rf"^(async )?def {name}\(", (paths.project_root() / file).read_text(), re.MULTILINE)
