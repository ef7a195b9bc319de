"""Models that were made elsewhere: proved before they are loaded, judged like any other, published byte by byte."""

from __future__ import annotations

import hashlib
import json
from pathlib import Path
from typing import Any

import joblib
import pytest
import steps_given as given
import steps_served as served
from sklearn.datasets import load_iris
from sklearn.svm import SVC

from sklearn_steps import contract, tasks

#: As the runtime does: it proves arrays.
pytestmark = pytest.mark.filterwarnings("ignore:X does not have valid feature names")


class Trap:
    """Tells on whoever unpickles it."""

    def __init__(self, path: Path) -> None:
        self.path = path

    def __reduce__(self) -> Any:
        return Path.touch, (self.path,)


def dumped(model: Any, path: Path) -> tuple[str, str]:
    joblib.dump(model, path, compress=5)
    return f"file://{path}", hashlib.sha256(path.read_bytes()).hexdigest()


def config(folder: Path, uri: str, sha256: str, **changes: Any) -> dict[str, Any]:
    document = given.config(folder, **changes)
    del document["estimator"]
    return document | {"pretrained": {"uri": uri, "sha256": sha256}}


def iris(path: Path, **options: Any) -> tuple[str, str]:
    X, y = load_iris(return_X_y=True, **options)
    return dumped(SVC().fit(X, y), path)


@pytest.mark.parametrize("frame", [False, True])
def test_it_is_judged_on_the_test_part_and_served_byte_by_byte(frame: bool, tmp_path: Path) -> None:
    uri, sha256 = iris(tmp_path / "mine.joblib", as_frame=frame)
    result = given.run(config(tmp_path / "out", uri, sha256))
    assert result["artifact"]["sha256"] == sha256
    assert (result["estimatorType"], result["lineage"]["rows"]) == ("classifier", 150)
    assert result["metrics"]["accuracy"] > 0.9
    assert any(note.startswith("not trained here") for note in result["notes"])
    assert "Made elsewhere, judged on 38 rows" in (tmp_path / "out" / contract.CARD).read_text()
    assert served.runtime(tmp_path / "out", result)


def test_with_all_rows_it_is_judged_on_all_and_nothing_is_said_of_training(tmp_path: Path) -> None:
    uri, sha256 = iris(tmp_path / "mine.joblib")
    result = given.run(config(tmp_path / "out", uri, sha256, split={"strategy": "None"}))
    X, y = load_iris(return_X_y=True)
    assert result["metrics"]["accuracy"] == SVC().fit(X, y).score(X, y)
    assert not any("trained on" in note for note in result["notes"])


def test_other_bytes_are_never_unpickled(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    sprung = tmp_path / "sprung"
    uri, sha256 = dumped(Trap(sprung), tmp_path / "mine.joblib")
    failure = given.failure(config(tmp_path / "out", uri, "0" * 64), capsys)
    assert (failure["step"], failure["reason"], failure["permanent"]) == ("prepare", "Sha256Mismatch", True)
    assert sha256 in failure["message"] and "was not loaded" in failure["message"]
    assert not sprung.exists()
    # with the right hash it is: the trap is no estimator
    assert given.failure(config(tmp_path / "out", uri, sha256), capsys)["reason"] == "NotAModel"
    assert sprung.exists()


def test_prepare_fetches_and_loads_nothing_and_train_proves_it_again(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    sprung = tmp_path / "sprung"
    uri, sha256 = dumped(Trap(sprung), tmp_path / "mine.joblib")
    text = json.dumps(config(tmp_path / "out", uri, sha256))
    tasks.prepare(text, tmp_path / "train", tmp_path / "test")
    assert not sprung.exists()
    (tmp_path / "train" / "pretrained.joblib").write_bytes(b"x")
    with pytest.raises(SystemExit):
        tasks.train(text, tmp_path / "train", tmp_path / "model")
    assert "train: Sha256Mismatch" in capsys.readouterr().err
    assert not sprung.exists()


def test_a_file_that_is_not_there_is_told(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    iris(tmp_path / "mine.joblib")
    failure = given.failure(config(tmp_path / "out", f"file://{tmp_path}/mnie.joblib", "0" * 64), capsys)
    assert failure["reason"] == "ObjectMissing" and "model.pretrained.uri" in failure["message"]
    assert "did you mean" in failure["message"]


def test_data_that_does_not_fit_is_told_by_column(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    uri, sha256 = iris(tmp_path / "mine.joblib", as_frame=True)
    failure = given.failure(config(tmp_path / "out", uri, sha256, source={"builtin": "wine"}), capsys)
    assert failure["reason"] == "FeaturesDiffer" and "sepal length (cm)" in failure["message"]


def test_its_object_is_read_with_the_stores_credentials(tmp_path: Path, store: dict[str, str]) -> None:
    from obstore.store import S3Store

    options: Any = {"client_options": {"allow_http": True}, "virtual_hosted_style_request": False}
    bucket = S3Store(
        store["bucket"], endpoint=store["AWS_ENDPOINT_URL"], region="us-east-1",
        access_key_id=store["AWS_ACCESS_KEY_ID"], secret_access_key=store["AWS_SECRET_ACCESS_KEY"], **options,
    )  # fmt: skip
    _, sha256 = iris(tmp_path / "mine.joblib")
    bucket.put("given/mine.joblib", tmp_path / "mine.joblib")
    document = config(f"s3://{store['bucket']}/out/", f"s3://{store['bucket']}/given/mine.joblib", sha256)  # type: ignore[arg-type]
    tasks.run_all(json.dumps(document))
    result = json.loads(bytes(bucket.get("out/result.json").bytes()))
    assert result["artifact"]["sha256"] == sha256
