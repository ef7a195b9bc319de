"""The ASGI application without a network: paths, health, metrics, limits, and that no body whatsoever makes a 500."""

from __future__ import annotations

import asyncio
import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import httpx
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from prometheus_client import CollectorRegistry
from sklearn.datasets import load_iris

from sklearn_runtime import artifact, inference, metrics, web

pytestmark = pytest.mark.filterwarnings("ignore:X does not have valid feature names")
Call = Callable[..., httpx.Response]
ROW = [5.1, 3.5, 1.4, 0.2]
IRIS = load_iris().feature_names


def application(directory: Path, max_body: int = web.MAX_BODY_BYTES) -> web.Application:
    served = artifact.load(directory, directory.name, None, None)
    counted = metrics.Metrics(served, CollectorRegistry())
    return web.Application(inference.Inference(served, counted), counted, max_body)


def call(app: web.Application, method: str, path: str, content: bytes | None = None, **more: Any) -> httpx.Response:
    async def send() -> httpx.Response:
        transport = httpx.ASGITransport(app)
        async with httpx.AsyncClient(transport=transport, base_url="http://pod") as client:
            return await client.request(method, path, content=content, **more)

    return asyncio.run(send())


@pytest.fixture(scope="module")
def iris(published: dict[str, Path]) -> web.Application:
    return application(published["iris"])


@pytest.fixture(scope="module")
def penguins(published: dict[str, Path]) -> web.Application:
    return application(published["penguins"])


@pytest.mark.parametrize(
    ("path", "document"),
    [
        ("/", {"status": "alive"}),
        ("/v1/models", {"models": ["iris"]}),
        ("/v1/models/iris", {"name": "iris", "ready": True}),
        ("/v2/health/live", {"live": True}),
        ("/v2/health/ready", {"ready": True}),
        ("/v2/models", {"models": ["iris"]}),
        ("/v2/models/iris/ready", {"name": "iris", "ready": True}),
        ("/v2/models/iris/versions/iris-v1/ready", {"name": "iris", "ready": True}),
    ],
)
def test_health_and_listing(iris: web.Application, path: str, document: Any) -> None:
    answer = call(iris, "GET", path)
    assert (answer.status_code, answer.json()) == (200, document)


def test_metadata_describes_typed_inputs_and_outputs(iris: web.Application, penguins: web.Application) -> None:
    document = call(penguins, "GET", "/v2/models/penguins").json()
    assert (document["name"], document["versions"]) == ("penguins", ["penguins-v1"])
    assert {item["name"]: item["datatype"] for item in document["inputs"]} == {
        "island": "BYTES",
        "bill": "FP64",
        "mass": "INT64",
        "ringed": "BOOL",
    }
    assert document["outputs"] == [
        {"name": "predict", "datatype": "BYTES", "shape": [-1]},
        {"name": "predict_proba", "datatype": "FP64", "shape": [-1, 2]},
    ]
    assert [item["name"] for item in call(iris, "GET", "/v2/models/iris").json()["inputs"]] == IRIS


@pytest.mark.parametrize(
    ("method", "path", "status"),
    [
        ("POST", "/v2/models/other/infer", 404),
        ("POST", "/v1/models/other:predict", 404),
        ("GET", "/v2/models/other", 404),
        ("POST", "/v2/models/iris/versions/iris-v2/infer", 404),
        ("GET", "/somewhere", 404),
        ("GET", "/v2/models/iris/infer", 405),
        ("POST", "/v2/models/iris", 405),
        ("POST", "/v2/repository/models/iris/unload", 404),
    ],
)
def test_other_paths_and_methods_are_refused(iris: web.Application, method: str, path: str, status: int) -> None:
    answer = call(iris, method, path, b"{}")
    assert answer.status_code == status
    assert answer.json()["error"]


def test_metrics_count_every_request_by_version_and_code(published: dict[str, Path]) -> None:
    app = application(published["iris"])
    call(app, "POST", "/v1/models/iris:predict", json.dumps({"instances": [ROW, ROW]}).encode())
    call(app, "POST", "/v1/models/iris:predict", b"{}")
    text = call(app, "GET", "/metrics").text
    labels = 'model="iris",version="iris-v1"'
    assert f'sklearn_runtime_requests_total{{code="200",{labels}}} 1.0' in text
    assert f'sklearn_runtime_requests_total{{code="400",{labels}}} 1.0' in text
    assert f"sklearn_runtime_request_seconds_count{{{labels}}} 2.0" in text
    assert f"sklearn_runtime_rows_total{{{labels}}} 2.0" in text
    assert 'request_predict_seconds_count{model_name="iris"} 1.0' in text


def test_a_body_over_the_limit_is_413(published: dict[str, Path]) -> None:
    app = application(published["iris"], max_body=1000)
    answer = call(app, "POST", "/v2/models/iris/infer", b" " * 1001)
    assert (answer.status_code, answer.json()["error"]) == (413, "the body is larger than 1000 bytes")


@pytest.mark.parametrize("header", [{"content-encoding": "gzip"}, {"inference-header-content-length": "10"}])
def test_encodings_that_are_not_spoken_are_415(iris: web.Application, header: dict[str, str]) -> None:
    assert call(iris, "POST", "/v2/models/iris/infer", b"{}", headers=header).status_code == 415


def test_draining_says_not_ready_but_still_answers(published: dict[str, Path]) -> None:
    app = application(published["iris"])
    app.draining = True
    assert call(app, "GET", "/v2/models/iris/ready").status_code == 503
    assert call(app, "GET", "/v2/health/live").status_code == 200
    answer = call(app, "POST", "/v1/models/iris:predict", json.dumps({"instances": [ROW]}).encode())
    assert (answer.status_code, answer.headers["connection"]) == (200, "close")


def test_a_fault_of_the_server_is_a_500_without_a_traceback(
    published: dict[str, Path], monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    app = application(published["iris"])

    def fails(*_: object) -> None:
        raise RuntimeError("a secret detail")

    monkeypatch.setattr("sklearn_runtime.v1.decode", fails)
    answer = call(app, "POST", "/v1/models/iris:predict", b"{}")
    assert answer.status_code == 500
    assert "secret" not in answer.text
    assert "a secret detail" in caplog.text


def test_slow_models_and_large_bodies_leave_the_event_loop(published: dict[str, Path]) -> None:
    app = application(published["iris"])
    rows = [ROW] * (web.INLINE_BYTES // 16)
    answer = call(app, "POST", "/v1/models/iris:predict", json.dumps({"instances": rows}).encode())
    assert answer.json()["predictions"] == ["setosa"] * len(rows)


SCALARS = (
    st.none()
    | st.booleans()
    | st.integers(min_value=-(2**63), max_value=2**64 - 1)
    | st.floats(allow_nan=False, allow_infinity=False)
    | st.text(max_size=8)
)
JSON = st.recursive(SCALARS, lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text(max_size=4), inner))
NAMES = st.sampled_from([*IRIS, "x", ""])
DATATYPES = st.sampled_from(["FP64", "FP32", "INT64", "UINT8", "BOOL", "BYTES", "FP128"])
TENSOR = st.fixed_dictionaries(
    {
        "name": NAMES | SCALARS,
        "shape": st.lists(st.integers(-1, 5), max_size=3) | st.just([1, 4]) | st.just([1]) | JSON,
        "datatype": DATATYPES | SCALARS,
        "data": st.lists(SCALARS, max_size=5) | st.lists(st.floats(-10, 10), min_size=4, max_size=4) | JSON,
    },
    optional={"parameters": JSON},
)
OUTPUTS = st.lists(st.fixed_dictionaries({"name": st.sampled_from(["predict", "predict_proba", "other"]) | SCALARS}))
V2_BODY = st.fixed_dictionaries(
    {"inputs": st.lists(TENSOR, max_size=5)},
    optional={"id": SCALARS, "outputs": OUTPUTS | JSON, "parameters": st.just({"content_type": "pd"}) | JSON},
)
PENGUIN = st.fixed_dictionaries(
    {
        "island": st.sampled_from(["Dream", "Biscoe"]) | SCALARS,
        "bill": SCALARS,
        "mass": SCALARS,
        "ringed": st.booleans() | SCALARS,
    },
    optional={"more": SCALARS},
)
V1_BODY = st.fixed_dictionaries(
    {"instances": st.lists(PENGUIN, max_size=3) | st.lists(st.lists(SCALARS, min_size=3, max_size=5)) | JSON}
)


def column(name: str, datatype: str, values: st.SearchStrategy[Any]) -> st.SearchStrategy[Any]:
    data = st.lists(values | SCALARS, min_size=1, max_size=2)
    return data.map(lambda data: {"name": name, "shape": [len(data)], "datatype": datatype, "data": data})


TABLE_BODY = st.tuples(
    column("island", "BYTES", st.sampled_from(["Dream", None])),
    column("bill", "FP64", st.floats(1, 9) | st.none()),
    column("mass", "INT64", st.integers(1, 9)),
    column("ringed", "BOOL", st.booleans()),
).map(lambda inputs: {"inputs": inputs})
FEW = settings(max_examples=150, deadline=None, suppress_health_check=list(HealthCheck))


def never_a_500(app: web.Application, path: str, body: Any) -> None:
    answer = call(app, "POST", path, json.dumps(body).encode())
    if answer.status_code == 200:
        assert "outputs" in answer.json() or "predictions" in answer.json()
    else:
        assert answer.status_code == 400
        assert answer.json()["error"]


@FEW
@given(body=V2_BODY | JSON)
def test_any_v2_json_is_answered_or_refused(iris: web.Application, body: Any) -> None:
    never_a_500(iris, "/v2/models/iris/infer", body)


@FEW
@given(body=V1_BODY | JSON)
def test_any_v1_json_is_answered_or_refused(penguins: web.Application, body: Any) -> None:
    never_a_500(penguins, "/v1/models/penguins:predict", body)


@FEW
@given(body=TABLE_BODY)
def test_any_v2_columns_are_answered_or_refused(penguins: web.Application, body: Any) -> None:
    never_a_500(penguins, "/v2/models/penguins/infer", body)


@FEW
@given(body=st.binary(max_size=64))
def test_any_bytes_are_refused(iris: web.Application, body: bytes) -> None:
    assert call(iris, "POST", "/v2/models/iris/infer", body).status_code == 400


def test_deep_nesting_is_refused(iris: web.Application) -> None:
    for depth in (900, 100_000):
        content = (
            b'{"inputs":[{"name":"x","shape":[1,4],"datatype":"FP64","data":' + b"[" * depth + b"]" * depth + b"}]}"
        )
        assert call(iris, "POST", "/v2/models/iris/infer", content).status_code == 400
