"""No foreign exception leaves an adapter, and no document is too deep for one."""

from __future__ import annotations

import asyncio
import json
from datetime import timedelta
from pathlib import Path
from typing import Any

import httpx
import orjson
import pytest
from hypothesis import given
from hypothesis import strategies as some

from sklearn_operator.backends import errors, kfp_http, kserve, kubernetes, nesting, s3

JSON = some.recursive(
    some.none() | some.booleans() | some.integers(-(2**53), 2**53) | some.text(),
    lambda inner: some.lists(inner, max_size=3) | some.dictionaries(some.text(), inner, max_size=3),
    max_leaves=20,
)


def depth(value: Any) -> int:
    inner = list(value.values()) if isinstance(value, dict) else value if isinstance(value, list) else None
    return 0 if inner is None else 1 + max(map(depth, inner), default=0)


@given(JSON, some.integers(0, 4))
def test_cutting_the_text_and_pruning_the_value_agree(value: Any, limit: int) -> None:
    text = json.dumps(value, ensure_ascii=False).encode(errors="replace")
    parsed = json.loads(text)
    assert json.loads(nesting.cut(text, limit)) == nesting.pruned(parsed, limit)
    assert depth(nesting.pruned(parsed, limit)) <= limit
    assert nesting.pruned(parsed, 1000) == parsed


@pytest.mark.parametrize("opening, closing", [('{"a":', "}"), ("[", "]")])
def test_ten_thousand_levels_are_read(opening: str, closing: str) -> None:
    text = f'{{"items":[{opening * 10_000}1{closing * 10_000},{{"b":2}}]}}'
    found = nesting.loads(text.encode(), wrapping=2)
    assert found["items"][1] == {"b": 2}
    assert orjson.dumps(found)


def test_what_is_not_json_stays_an_error() -> None:
    for text in (b"<html>", b"{" * 500, b'{"a":' * 2000 + b'"'):
        with pytest.raises(orjson.JSONDecodeError):
            nesting.loads(text)


@pytest.mark.parametrize("bucket", ["a b", "a\nb", "", "b\x00c", "ü", "x" * 300, "a@b", "["])
async def test_a_bucket_of_an_illegal_name_is_refused_before_the_client_panics(bucket: str) -> None:
    with pytest.raises(errors.Rejected):
        s3.S3ArtifactStore(f"s3://{bucket}/prefix", endpoint="http://127.0.0.1:9")
    store = s3.S3ArtifactStore("s3://models", endpoint="http://127.0.0.1:9", timeout=timedelta(seconds=1))
    with pytest.raises(errors.Rejected):
        await store.delete(f"s3://{bucket}/x")


@pytest.mark.parametrize("endpoint", ["http://", "http://[", "http://a b", "http://x:99999", "nonsense", "ftp://x"])
def test_an_illegal_endpoint_is_refused(endpoint: str) -> None:
    with pytest.raises(errors.Rejected):
        s3.S3ArtifactStore("s3://models", endpoint=endpoint)


@pytest.mark.parametrize("key", ["a//b", "../x", "a\x00b", "\ud800"])
async def test_an_illegal_object_name_is_refused(key: str) -> None:
    store = s3.S3ArtifactStore(
        "s3://models", endpoint="http://127.0.0.1:9", access_key_id="x", secret_access_key="y",
        timeout=timedelta(seconds=1),
    )  # fmt: skip
    with pytest.raises(errors.Rejected):
        await store.read(f"s3://models/{key}")


@pytest.mark.parametrize("address", ["http://[", "http://xn--/", "http://\ud800/", "ftp://x", "http://127.0.0.1:9"])
async def test_no_address_upsets_the_prober(address: str) -> None:
    golden = orjson.dumps({"columns": ["a"], "rows": [[1]], "outputs": {"predict": [1]}})
    async with await kserve.probe_client() as client:
        said = await kserve.HttpProber(client).check(address=address, model="m", version="v", golden=golden)
    assert said is not None and said.text.startswith("no answer from")


@pytest.mark.parametrize("data", [b"[" * 900 + b"]" * 900, b'"x"', b"3", b"null"])
async def test_no_answer_upsets_the_prober(data: bytes) -> None:
    content = b'{"model_version":"v","outputs":[{"name":"predict","data":%s}]}' % data
    transport = httpx.MockTransport(lambda _: httpx.Response(200, content=content))
    golden = orjson.dumps({"columns": ["a"], "rows": [[1]], "outputs": {"predict": [1]}})
    async with httpx.AsyncClient(transport=transport) as client:
        said = await kserve.HttpProber(client).check(address="http://x", model="m", version="v", golden=golden)
    assert said is not None


@pytest.mark.parametrize("golden", [b"[]", b"{}", b"3", b'{"columns":["a"],"rows":[[%s]]}' % (b"[" * 900 + b"]" * 900)])
async def test_no_golden_document_upsets_the_prober(golden: bytes) -> None:
    async with await kserve.probe_client() as client:
        said = await kserve.HttpProber(client).check(address="http://x", model="m", version="v", golden=golden)
    assert said is not None and said.text.startswith("golden.json cannot be read")


async def test_an_endless_answer_is_cut_off() -> None:
    transport = httpx.MockTransport(lambda _: httpx.Response(200, content=b"x" * (2 * 1024 * 1024)))
    golden = orjson.dumps({"columns": ["a"], "rows": [[1]], "outputs": {"predict": [1]}})
    async with httpx.AsyncClient(transport=transport) as client:
        said = await kserve.HttpProber(client).check(address="http://x", model="m", version="v", golden=golden)
    assert said is not None and "more than" in said.text


@pytest.mark.parametrize("token", [b"\xff\xfe", "tökén".encode(), b"two\nlines"])
async def test_a_token_file_that_holds_no_token_is_said(tmp_path: Path, token: bytes) -> None:
    path = tmp_path / "token"
    await asyncio.to_thread(path.write_bytes, token)
    async with httpx.AsyncClient(base_url="http://127.0.0.1:9") as client:
        with pytest.raises(errors.Transient, match="holds no token"):
            await kfp_http.Transport(client, path).get("/x")


@pytest.mark.parametrize(
    "status, message, kind, expected",
    [
        (422, "the server rejected our request due to an error in our request", "application/json-patch+json",
         errors.Conflict),
        (422, 'x "y" is forbidden: ValidatingAdmissionPolicy z denied request', "application/apply-patch+yaml",
         errors.Rejected),
        (403, 'admission webhook "w" denied the request: no', "application/apply-patch+yaml", errors.Rejected),
        (403, "is forbidden: User cannot patch", "application/apply-patch+yaml", errors.Transient),
        (403, "is forbidden: exceeded quota", "application/json", errors.Transient),
        (409, "the object has been modified", "application/json", errors.Conflict),
        (500, "", "application/json", errors.Transient),
    ],
)  # fmt: skip
def test_what_a_refusal_means(status: int, message: str, kind: str, expected: type[errors.BackendError]) -> None:
    content = orjson.dumps({"message": message})
    assert type(kubernetes._refusal("PATCH", "/x", status, content, None, kind)) is expected
