"""``training.requirements``: added to the image and never over it, in the papers, and checked for serving."""

from __future__ import annotations

import importlib.util
import json
import sys
from importlib import metadata
from pathlib import Path
from typing import Any

import pytest
import steps_given as given
import steps_wheels as wheels
from packaging.requirements import Requirement

from sklearn_runtime import artifact
from sklearn_runtime import errors as runtime_errors
from sklearn_steps import contract, needs, requirements


@pytest.fixture
def index(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    folder = tmp_path / "wheels"
    folder.mkdir()
    wheels.only(monkeypatch, folder)
    return folder


def asked(folder: Path, *wanted: str, estimator: str = given.TREE, **top: Any) -> dict[str, Any]:
    return given.config(folder / "out", estimator) | {"requirements": list(wanted)} | top


def test_a_package_is_there_in_the_task_and_in_the_papers_and_gone_afterwards(index: Path, tmp_path: Path) -> None:
    wheels.wheel(index, "toyleaf", "2.1")
    wheels.wheel(index, "toytwig", "1.0", needs="toyleaf>=2")
    before = list(sys.path)
    result = given.run(asked(tmp_path, "toytwig==1.0"))
    assert result["notes"] == [] and sys.path == before and importlib.util.find_spec("toytwig") is None
    lines = (tmp_path / "out" / contract.REQUIREMENTS).read_text().splitlines()
    assert lines[0].startswith("# Python 3.") and {"toyleaf==2.1", "toytwig==1.0"} <= set(lines)


def test_requirements_txt_names_everything_that_what_it_names_needs(tmp_path: Path) -> None:
    text = "when,town,y\n" + "".join(f"2026-01-{day:02d},{'ab'[day % 2]},{day % 2}\n" for day in range(1, 21))
    result = given.run(given.config(tmp_path / "out", **given.inline(text, target="y")))
    assert result["lineage"]["rows"] == 20
    pinned = [Requirement(line) for line in (tmp_path / "out" / contract.REQUIREMENTS).read_text().splitlines()[1:]]
    there = {requirements.canonical(one.name): str(one.specifier) for one in pinned}
    assert there["pandas"] == f"=={metadata.version('pandas')}"
    for name in there:
        for needed in map(Requirement, metadata.requires(name) or ()):
            if needed.marker is None or needed.marker.evaluate({"extra": ""}):
                assert requirements.canonical(needed.name) in there


def test_a_model_of_an_added_package_is_trained_but_not_served(
    index: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    wheels.wheel(index, "toywood", source=wheels.CLASSIFIER)
    wanted = asked(tmp_path, "toywood==1.0", estimator="toywood.Most", packages=["toywood"])
    told = given.failure(wanted | {"served": True}, capsys)
    assert (told["step"], told["reason"], told["permanent"]) == ("train", "NotServable", True)
    assert "toywood==1.0" in told["message"] and "remove spec.serving" in told["message"]
    result = given.run(wanted)
    (note,) = result["notes"]
    assert note.startswith("model.joblib needs toywood==1.0, which the image lacks")
    recorded = json.loads((tmp_path / "out" / contract.METADATA).read_bytes())
    assert recorded["needs"] == ["toywood==1.0"]
    with pytest.raises(runtime_errors.ArtifactError, match=r"without toywood==1\.0 of training.requirements"):
        artifact.load(tmp_path / "out", "m", None, None)


def test_what_the_image_has_is_not_installed_and_not_changed(
    index: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    same = f"scikit-learn=={metadata.version('scikit-learn')}"
    assert given.run(asked(tmp_path / "same", same))["notes"] == []
    told = given.failure(asked(tmp_path / "other", "NumPy==1.26.4"), capsys)
    assert (told["step"], told["reason"], told["permanent"]) == ("prepare", "RequirementConflicts", True)
    assert f"the image trainer:1 has numpy {metadata.version('numpy')}" in told["message"]
    wheels.wheel(index, "toyold", needs="numpy<2")
    told = given.failure(asked(tmp_path / "needs", "toyold==1.0"), capsys)
    assert told["reason"] == "RequirementConflicts" and "numpy" in told["message"], told


@pytest.mark.parametrize(
    ("text", "reason"),
    [
        ("toynone==1.0", "RequirementMissing"),
        ("toyleaf==9", "RequirementMissing"),
        ("toyleaf==x", "RequirementInvalid"),
    ],
)
def test_what_no_index_has_is_named(
    text: str, reason: str, index: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    wheels.wheel(index, "toyleaf", "2.1")
    told = given.failure(asked(tmp_path, text), capsys)
    assert (told["reason"], told["permanent"]) == (reason, True)
    assert text in told["message"]


def test_an_index_that_is_away_is_worth_another_try(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    address = "http://person:hunter22@127.0.0.1:9/simple"
    for name, value in {"PIP_INDEX_URL": address, "PIP_RETRIES": "1", "PIP_CONFIG_FILE": "/dev/null"}.items():
        monkeypatch.setenv(name, value)
    monkeypatch.delenv("PIP_FIND_LINKS", raising=False)
    told = given.failure(asked(tmp_path, "toyleaf==2.1"), capsys)
    assert (told["reason"], told["permanent"]) == ("RequirementsUnavailable", False)
    assert "hunter22" not in json.dumps(told)


def test_modules_of_a_model_are_those_that_its_pickle_names() -> None:
    from sklearn.pipeline import make_pipeline
    from sklearn.preprocessing import FunctionTransformer

    found = needs.modules(make_pipeline(FunctionTransformer(json.dumps)))
    assert {"sklearn", "json"} <= found and "pandas" not in found


@pytest.mark.parametrize("compress", [0, 3, 9])
def test_a_compressed_model_is_smaller_and_the_same(compress: int, tmp_path: Path) -> None:
    document = given.config(tmp_path / "out", "sklearn.neighbors.KNeighborsClassifier", source={"builtin": "digits"})
    result = given.run(document | {"compress": compress})
    served = artifact.load(tmp_path / "out", "m", None, result["artifact"]["sha256"])
    assert served.sha256 == result["artifact"]["sha256"]
    plain = 1797 * 0.75 * 64 * 8
    assert (result["artifact"]["size"] < plain / 4) == (compress > 0)
