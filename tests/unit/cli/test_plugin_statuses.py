"""The exit statuses of ``kubectl sklearn``: a build takes 2 for changes, so nothing else may end with it.

That changes do is in tests/everything/test_plugin.py.
"""

from __future__ import annotations

import sys
from pathlib import Path

import pytest

from sklearn_operator.cli.plugin import planning, verbs

MANIFEST = """\
apiVersion: sklearn-operator.io/v1alpha1
kind: SklearnModel
metadata: {name: digits}
spec:
  data: {source: {builtin: digits}}
  model: {estimator: {class: sklearn.svm.SVC}}
"""


def status(monkeypatch: pytest.MonkeyPatch, *arguments: str) -> object:
    monkeypatch.setattr(sys, "argv", ["kubectl-sklearn", *arguments])
    with pytest.raises(SystemExit) as ended:
        verbs.main()
    return ended.value.code


@pytest.mark.parametrize(
    "arguments",
    [
        ("plan",),
        ("plan", "--fiel", "x"),
        ("plan", "-f"),
        ("plan", "-f", "x", "y"),
        ("plan", "-f", "there-is-none.yaml"),
        ("plna",),
        ("--contxt", "x", "plan"),
        ("wait", "digits", "--timeout", "long"),
        (),
    ],
    ids=" ".join,
)
def test_a_wrong_command_line_is_an_error_and_no_changes(
    arguments: tuple[str, ...], monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    assert status(monkeypatch, *arguments) == 1
    assert "".join(capsys.readouterr())


def test_help_is_no_error(monkeypatch: pytest.MonkeyPatch) -> None:
    assert status(monkeypatch, "plan", "--help") == 0


def test_a_plan_ends_as_it_has_found(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    file = tmp_path / "digits.yaml"
    file.write_text(MANIFEST)
    assert status(monkeypatch, "plan", "--offline", "-f", str(file)) == planning.NOTHING == 0
    file.write_text(MANIFEST.replace("SVC", "SVX"))
    assert status(monkeypatch, "plan", "--offline", "-f", str(file)) == planning.FAILED == 1
