"""A model that is not what was trained never serves, and the message names what differs."""

from __future__ import annotations

import hashlib
import json
import shutil
from pathlib import Path

import joblib
import pytest
import runtime_models
from sklearn.cluster import AgglomerativeClustering

from sklearn_runtime import artifact, errors

pytestmark = pytest.mark.filterwarnings("ignore:X does not have valid feature names")


@pytest.fixture
def iris(published: dict[str, Path], tmp_path: Path) -> Path:
    """A copy of the iris model that a test may damage."""
    return Path(shutil.copytree(published["iris"], tmp_path / "iris"))


def refused(directory: Path, sha256: str | None = None) -> str:
    with pytest.raises(errors.ArtifactError) as raised:
        artifact.load(directory, "iris", "iris-v1", sha256)
    return str(raised.value)


def seal(directory: Path) -> None:
    """Record the model file as it is now."""
    content = (directory / "model.joblib").read_bytes()
    digest = hashlib.sha256(content).hexdigest()
    runtime_models.rewrite(directory / "metadata.json", sha256=digest, size=len(content))


@pytest.mark.parametrize("name", ["digits", "iris", "penguins", "linnerud", "outliers", "pairs"])
def test_a_good_model_gives_its_golden_outputs(published: dict[str, Path], name: str) -> None:
    served = artifact.load(published[name], name, None, None)
    assert served.version == f"{name}-v1"
    assert "predict" in [output.name for output in served.outputs]


def test_the_manifest_decides_on_version_and_digest(iris: Path) -> None:
    digest = json.loads((iris / "metadata.json").read_text())["sha256"]
    assert artifact.load(iris, "iris", "iris-v7", digest).version == "iris-v7"
    assert "SKLEARN_MODEL_SHA256 asks for " + "0" * 64 in refused(iris, "0" * 64)


def test_an_altered_model_file_is_not_loaded(iris: Path) -> None:
    content = bytearray((iris / "model.joblib").read_bytes())
    content[-1] ^= 1
    (iris / "model.joblib").write_bytes(content)
    assert refused(iris).startswith("sha256 of model.joblib is ")


def test_a_truncated_model_file_is_not_loaded(iris: Path) -> None:
    (iris / "model.joblib").write_bytes(b"")
    assert "model.joblib has 0 bytes, metadata.json says" in refused(iris)


@pytest.mark.parametrize("name", ["model.joblib", "metadata.json", "golden.json"])
def test_a_missing_file_is_named(iris: Path, name: str) -> None:
    (iris / name).unlink()
    assert f"{name} is missing" in refused(iris)


def test_a_missing_directory_is_named(tmp_path: Path) -> None:
    assert "is not a directory" in refused(tmp_path / "nothing")


@pytest.mark.parametrize("content", ["", "[]", "{"])
def test_an_unreadable_document_is_named(iris: Path, content: str) -> None:
    (iris / "metadata.json").write_text(content)
    assert refused(iris).startswith("metadata.json ")


def test_another_format_is_refused(iris: Path) -> None:
    runtime_models.rewrite(iris / "metadata.json", formatVersion=2)
    assert "formatVersion 2, this runtime reads 1" in refused(iris)


def test_a_changed_golden_label_is_named_with_its_row(iris: Path) -> None:
    outputs = json.loads((iris / "golden.json").read_text())["outputs"]
    outputs["predict"][2] = "virginica"
    runtime_models.rewrite(iris / "golden.json", outputs=outputs)
    assert refused(iris) == "golden.json row 2: predict gives 'setosa' here, 'virginica' at training"


def test_a_changed_golden_fraction_is_named(iris: Path) -> None:
    outputs = json.loads((iris / "golden.json").read_text())["outputs"]
    outputs["predict_proba"][0] = [0.99999, 0.00001, 0.0]
    runtime_models.rewrite(iris / "golden.json", outputs=outputs)
    assert "golden.json row 0: predict_proba gives [1.0, 0.0, 0.0] here" in refused(iris)


@pytest.mark.parametrize(
    ("changes", "says"),
    [
        ({"rows": []}, "has no rows or no outputs"),
        ({"outputs": None}, "needs columns, rows and outputs"),
        ({"rows": [[1.0]]}, "every row needs one value per column, 4 in all"),
        ({"columns": ["a", "b", "c", "d"]}, "unknown column 'a'"),
        ({"outputs": {"predict": []}}, "gives 8 rows, 0 are recorded"),
        ({"outputs": {"transform": [1]}}, "records the output transform, which the model does not give"),
    ],
)
def test_golden_rows_that_do_not_fit_are_refused(iris: Path, changes: dict[str, object], says: str) -> None:
    runtime_models.rewrite(iris / "golden.json", **changes)
    assert says in refused(iris)


def test_features_that_the_model_does_not_know_are_named(iris: Path) -> None:
    features = [{"name": name, "dtype": "float64"} for name in "abcd"]
    runtime_models.rewrite(iris / "metadata.json", features=features)
    assert "but the model was fitted with 'sepal length (cm)'" in refused(iris)


def test_a_wrong_number_of_features_is_named(published: dict[str, Path], tmp_path: Path) -> None:
    digits = Path(shutil.copytree(published["digits"], tmp_path / "digits"))
    runtime_models.rewrite(digits / "metadata.json", features=[{"name": "a", "dtype": "float64"}])
    assert "lists 1 features, but the model takes 64" in refused(digits)


def test_a_pickle_of_other_versions_that_cannot_load_names_both(iris: Path) -> None:
    (iris / "model.joblib").write_bytes(b"\x80\x04\x8c\x0csklearn.gone\x8c\x05Model\x93.")
    seal(iris)
    runtime_models.rewrite(iris / "metadata.json", versions={"python": "3.11.7", "sklearn": "0.24.2"})
    message = refused(iris)
    assert "ModuleNotFoundError" in message
    assert "sklearn 0.24.2 at training" in message


def test_other_versions_that_load_and_agree_are_only_a_warning(iris: Path, caplog: pytest.LogCaptureFixture) -> None:
    runtime_models.rewrite(iris / "metadata.json", versions={"sklearn": "1.2.0"})
    artifact.load(iris, "iris", None, None)
    assert "sklearn 1.2.0 at training" in caplog.text


def test_a_model_without_predict_is_refused(iris: Path) -> None:
    joblib.dump(AgglomerativeClustering().fit([[0.0] * 4, [1.0] * 4]), iris / "model.joblib")
    seal(iris)
    assert refused(iris) == "AgglomerativeClustering has no predict, so it cannot be served"
