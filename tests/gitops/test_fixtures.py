"""That the fixtures for Argo CD are what the operator reports, row by row of the state table."""

from __future__ import annotations

from gitops import fixtures
from sklearn_operator import api


def test_what_is_generated_is_what_the_operator_reports() -> None:
    for path, text in fixtures.generated():
        assert path.read_text() == text, f"{path} has drifted: make argocd"


def test_nothing_else_lies_among_the_fixtures() -> None:
    made = {path for path, _ in fixtures.generated() if path.parent.name == "testdata"}
    assert made == set(fixtures.CUSTOMIZATIONS.glob("**/testdata/*.yaml"))


def test_the_conditions_are_those_of_the_state_table() -> None:
    for row in fixtures.models():
        status = row.object["status"]
        told = {condition["type"]: condition["status"] for condition in status.get("conditions", ())}
        assert {kind: told.get(kind) for kind in row.conditions} == row.conditions, row.fixture
        api.SklearnModelStatus.model_validate(status)


def test_every_row_of_the_state_table_has_a_fixture() -> None:
    """The table that users read names the same rows with the same words."""
    lines = (fixtures.ARGOCD.parents[1] / "docs" / "argocd.md").read_text().splitlines()
    told = [[cell.strip() for cell in line.split("|")[1:-1]] for line in lines if line.startswith("| ")]
    table = {cells[0]: cells[1:] for cells in told if len(cells) == 6 and cells[0] != "situation"}
    for row in fixtures.models():
        *columns, waited, argo = table[row.row]
        shown = [row.conditions.get(kind, "") for kind in ("Ready", "Reconciling", "Stalled")]
        if row.fixture != "unseen-change":  # what was said of an earlier generation is no column of that row
            for cell, value in zip(columns, shown, strict=True):
                assert cell == "as it was" or value in cell.split(" or "), row.fixture
        assert row.kstatus in waited.split(" or ") and row.argo == argo, row.fixture
    assert {row.row for row in fixtures.models()} == set(table)
