"""Which runtime serves a model."""

from __future__ import annotations

import pytest
from kserve_things import Json, runtime

from sklearn_sandbox.kserve import runtimes

SKLEARN = {"name": "sklearn", "version": "1", "autoSelect": True, "priority": 1}
ML_SERVER = {"name": "sklearn", "version": "1", "autoSelect": True, "priority": 2}
STOCK = [
    runtime("kserve-sklearnserver", SKLEARN, protocolVersions=["v1", "v2"]),
    runtime("kserve-mlserver", ML_SERVER, protocolVersions=["v2"]),
    runtime("kserve-predictiveserver", {**SKLEARN, "autoSelect": False, "priority": 3}, protocolVersions=["v1", "v2"]),
]


def model(version: str | None = None, **fields: Json | str) -> Json:
    shown = {"name": "sklearn", **({"version": version} if version else {})}
    return {"modelFormat": shown, **fields}


@pytest.mark.parametrize(
    ("asked", "expected"),
    [
        pytest.param(model(), "kserve-sklearnserver", id="no protocol means v1"),
        pytest.param(model(protocolVersion="v1"), "kserve-sklearnserver", id="v1"),
        pytest.param(model(protocolVersion="v2"), "kserve-mlserver", id="v2 goes to the higher priority"),
        pytest.param(
            model(runtime="kserve-predictiveserver"), "kserve-predictiveserver", id="not automatic, but named"
        ),
        pytest.param(model("1"), "kserve-sklearnserver", id="version as text"),
    ],
)
def test_of_the_stock_runtimes(asked: Json, expected: str) -> None:
    assert runtimes.choose(asked, [], STOCK) == runtimes.Chosen(expected, _spec(expected), True)


def _spec(name: str) -> Json:
    found: Json = next(item["spec"] for item in STOCK if item["metadata"]["name"] == name)
    return found


def test_the_namespaces_own_comes_first_whatever_the_priority() -> None:
    own = runtime("own", SKLEARN)
    assert not runtimes.choose(model(), [own], STOCK).cluster_wide
    assert not runtimes.choose(model(runtime="own"), [own], [runtime("own")]).cluster_wide


def test_the_newer_of_two_equals() -> None:
    old, new = runtime("a", SKLEARN), runtime("b", SKLEARN)
    old["metadata"]["creationTimestamp"] = "2020-01-01T00:00:00Z"
    assert runtimes.choose(model(), [], [old, new]).name == "b"


@pytest.mark.parametrize(
    ("asked", "reason", "info"),
    [
        (model("1.5"), "NoSupportingRuntime", "No runtime found to support specified framework/version"),
        (model(runtime="nope"), "RuntimeNotRecognized", "Waiting for runtime to become available"),
        (model(runtime="off"), "RuntimeDisabled", "Specified runtime is disabled"),
        (
            model(runtime="kserve-mlserver", protocolVersion="v1"),
            "NoSupportingRuntime",
            "Specified runtime does not support specified protocol version",
        ),
        (
            model("1.5", runtime="kserve-mlserver"),
            "NoSupportingRuntime",
            "Specified runtime does not support specified framework/version",
        ),
    ],
)
def test_what_no_runtime_serves_says_why(asked: Json, reason: str, info: str) -> None:
    with pytest.raises(runtimes.InvalidSpec) as caught:
        runtimes.choose(asked, [], [*STOCK, runtime("off", disabled=True)])
    assert (caught.value.reason, caught.value.info) == (reason, info)
