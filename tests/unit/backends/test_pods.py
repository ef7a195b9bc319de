"""Which versions have pods that answer."""

from __future__ import annotations

from typing import Any

import pytest

from sklearn_operator.backends import objects
from sklearn_operator.core import naming


def pod(version: str, ready: str = "True", *, leaving: bool = False) -> dict[str, Any]:
    metadata: dict[str, Any] = {"labels": {naming.LABEL_VERSION: version}}
    if leaving:
        metadata["deletionTimestamp"] = "2026-01-01T12:00:00Z"
    return {"metadata": metadata, "status": {"conditions": [{"type": "Ready", "status": ready}]}}


@pytest.mark.parametrize(
    ("pods", "versions"),
    [
        ([], ()),
        ([pod("m-v1")], ("m-v1",)),
        ([pod("m-v1", "False")], ()),
        ([pod("m-v1"), pod("m-v2", "False")], ("m-v1",)),
        # What still reaches a pod on its way out is answered, and another is there for the rest.
        ([pod("m-v1", leaving=True), pod("m-v2")], ("m-v1", "m-v2")),
        # Nobody is left who could be sent a request.
        ([pod("m-v1", leaving=True)], ()),
        ([pod("m-v1", leaving=True), pod("m-v2", "False")], ()),
        ([pod("m-v1", "False", leaving=True), pod("m-v2")], ("m-v2",)),
    ],
)
def test_ready_versions(pods: list[dict[str, Any]], versions: tuple[str, ...]) -> None:
    assert objects.ready_versions(pods) == versions
