"""Publishing, against folders and a real MinIO."""

from __future__ import annotations

import hashlib
import json
import uuid
from collections.abc import Callable
from pathlib import Path
from typing import Any

import obstore
import pandas as pd
import pytest
import steps_given as given
from obstore.store import S3Store

from sklearn_steps import contract, errors, objectstore, publish, tasks


def bucket(store: dict[str, str], name: str | None = None) -> S3Store:
    return S3Store(
        name or store["bucket"],
        endpoint=store["AWS_ENDPOINT_URL"],
        region=store["AWS_REGION"],
        access_key_id=store["AWS_ACCESS_KEY_ID"],
        secret_access_key=store["AWS_SECRET_ACCESS_KEY"],
        client_options={"allow_http": True},
        virtual_hosted_style_request=False,
    )


def fresh(store: dict[str, str]) -> str:
    return f"s3://{store['bucket']}/p/default/m/v1-{uuid.uuid4().hex[:8]}/"


def document(store: dict[str, str], uri: str) -> Any:
    key = uri.removeprefix(f"s3://{store['bucket']}/")
    return json.loads(bytes(obstore.get(bucket(store), key).bytes()))


def failed(text: str, uri: str, store: dict[str, str]) -> dict[str, Any]:
    with pytest.raises(SystemExit):
        tasks.run_all(text)
    return dict(document(store, uri + contract.FAILURE))


def test_everything_is_in_the_bucket_and_the_hash_is_right(store: dict[str, str]) -> None:
    uri = fresh(store)
    tasks.run_all(json.dumps(given.config(uri)))
    result = contract.Result.model_validate(document(store, uri + contract.RESULT))
    listing = bucket(store).list(uri.removeprefix(f"s3://{store['bucket']}/")).collect()
    assert {entry["path"].rpartition("/")[2] for entry in listing} == {*contract.PUBLISHED, contract.RESULT}
    assert result.artifact.uri == uri
    assert document(store, uri + contract.METADATA)["sha256"] == result.artifact.sha256


def test_a_repeated_task_changes_nothing(store: dict[str, str]) -> None:
    uri = fresh(store)
    tasks.run_all(json.dumps(given.config(uri)))
    first = document(store, uri + contract.RESULT)
    tasks.run_all(json.dumps(given.config(uri, seed=1)))
    assert document(store, uri + contract.RESULT) == first


def test_the_folder_of_another_run_is_left_alone(store: dict[str, str]) -> None:
    uri = fresh(store)
    tasks.run_all(json.dumps(given.config(uri)))
    told = failed(json.dumps(given.config(uri, runId="another")), uri, store)
    assert (told["reason"], told["step"], told["runId"]) == ("PublishedByAnother", "publish", "another")
    assert document(store, uri + contract.RESULT)["runId"] == given.RUN_ID


class Overtaken(objectstore.Location):
    """Another execution does something just before the result is written."""

    meanwhile: Callable[[], object]

    def create_child(self, name: str, content: bytes) -> bool:
        self.meanwhile()
        return super().create_child(name, content)


def executed(tmp_path: Path) -> tuple[contract.RunConfig, Path, Path]:
    """The configuration of a run, and the folders that its training and evaluation left."""
    document = given.config(tmp_path / "out")
    return given.parsed(document), *given.executed(document, tmp_path)


def overtaken(config: contract.RunConfig, meanwhile: Callable[[Path], object]) -> Overtaken:
    target = Overtaken(config.artifact_uri, objectstore.Credentials.store({}), "artifacts.uri")
    target.meanwhile = lambda: meanwhile(Path(config.artifact_uri.removeprefix("file://")))
    return target


def test_of_two_executions_the_one_whose_result_counts_has_the_last_word(tmp_path: Path) -> None:
    config, model, evaluation = executed(tmp_path)
    target = overtaken(config, lambda out: (out / contract.MODEL).write_bytes(b"of another execution"))
    result = publish.publish(config, model, evaluation, target)
    written = (tmp_path / "out" / contract.MODEL).read_bytes()
    assert hashlib.sha256(written).hexdigest() == result.artifact.sha256


def test_the_other_one_fails_unless_its_bytes_are_the_same(tmp_path: Path) -> None:
    config, model, evaluation = executed(tmp_path)
    target = objectstore.Location(config.artifact_uri, objectstore.Credentials.store({}), "artifacts.uri")
    first = publish.publish(config, model, evaluation, target)
    path = tmp_path / "out" / contract.RESULT
    same = path.read_bytes()
    path.unlink()
    assert publish.publish(config, model, evaluation, overtaken(config, lambda _: path.write_bytes(same))) == first
    path.unlink()
    other = same.replace(first.artifact.sha256.encode(), b"0" * 64)
    with pytest.raises(errors.UserError, match="another execution of run"):
        publish.publish(config, model, evaluation, overtaken(config, lambda _: path.write_bytes(other)))


def test_two_writers_of_one_result_have_one_winner(store: dict[str, str]) -> None:
    place = objectstore.Location(fresh(store), objectstore.Credentials.store(), "artifacts.uri")
    assert [place.create_child("result.json", b"1"), place.create_child("result.json", b"2")] == [True, False]
    assert place.read_child("result.json") == b"1"


def test_a_table_out_of_the_bucket(store: dict[str, str], tmp_path: Path) -> None:
    frame = pd.DataFrame({"word": ["a", "b"] * 20, "n": range(40), "y": ["p", "q"] * 20})
    frame.to_parquet(tmp_path / "t.parquet")
    obstore.put(bucket(store), "data/t.parquet", tmp_path / "t.parquet")
    uri = fresh(store)
    tasks.run_all(json.dumps(given.config(uri, source={"uri": f"s3://{store['bucket']}/data/t.parquet"}, target="y")))
    assert document(store, uri + contract.RESULT)["metrics"]["accuracy"] == 1.0


@pytest.mark.parametrize(
    ("source", "reason", "word"),
    [
        ("s3://no-such-bucket/t.csv", "BucketMissing", "no-such-bucket does not exist at http"),
        ("s3://{bucket}/data/x.csv", "ObjectMissing", "no such object"),
        ("s3://{bucket}/data/near.csw", "ObjectMissing", "/data/near.csv?"),
    ],
)
def test_what_is_not_there_is_named(store: dict[str, str], source: str, reason: str, word: str) -> None:
    obstore.put(bucket(store), "data/near.csv", b"a,y\n1,2\n")
    uri, source = fresh(store), source.format(bucket=store["bucket"])
    told = failed(json.dumps(given.config(uri, source={"uri": source}, target="y")), uri, store)
    assert (told["reason"], told["permanent"]) == (reason, True)
    assert source in told["message"]
    assert word in told["message"]


@pytest.mark.parametrize(
    ("key", "word"), [("AWS_SECRET_ACCESS_KEY", "secret access key is wrong"), ("AWS_ACCESS_KEY_ID", "id is unknown")]
)
def test_wrong_credentials_are_told_without_them(
    store: dict[str, str], monkeypatch: pytest.MonkeyPatch, key: str, word: str
) -> None:
    obstore.put(bucket(store), "data/near.csv", b"a,y\n1,2\n")
    for name in contract.AWS_KEYS:
        monkeypatch.setenv(f"SKLEARN_DATA_{name}", store[name])
    monkeypatch.setenv(f"SKLEARN_DATA_{key}", "WRONGWRONGWRONG")
    uri = fresh(store)
    told = failed(
        json.dumps(given.config(uri, source={"uri": f"s3://{store['bucket']}/data/near.csv"}, target="y")), uri, store
    )
    assert told["reason"] == "AccessDenied"
    assert word in told["message"]
    assert "data.credentialsSecret" in told["message"]
    assert "WRONG" not in told["message"]


def test_a_store_without_the_bucket_is_said_on_stderr(
    store: dict[str, str], capsys: pytest.CaptureFixture[str]
) -> None:
    with pytest.raises(SystemExit):
        tasks.run_all(json.dumps(given.config("s3://no-such-bucket/m/v1-a/")))
    said = capsys.readouterr().err.splitlines()
    assert "failure.json could not be written" in said[-2]
    assert said[-1].startswith("publish: BucketMissing: artifacts.uri s3://no-such-bucket/m/v1-a/")


def test_only_known_schemes(tmp_path: Path) -> None:
    with pytest.raises(errors.UserError, match="only s3://"):
        objectstore.Location("gs://bucket/x", objectstore.Credentials.store({}), "data.source.uri")
