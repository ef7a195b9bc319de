"""Artifacts in a bucket of the namespace's own, opened by its own Secret: training, serving, deleting."""

from __future__ import annotations

import base64
import datetime as dt
from typing import Any

import pytest

from everything import towns
from sklearn_sandbox import buckets, objects, services

pytestmark = pytest.mark.sandbox

BUCKET = "team"
OWN = {"uri": f"s3://{BUCKET}/models", "credentialsSecret": "team-store"}


@pytest.fixture(scope="module")
def bucket(town: towns.Town) -> None:
    box, now = town.world.sandbox, dt.datetime.now(dt.UTC)
    buckets.ensure(box.store_endpoint, services.REGION, box.access_key, box.secret_key, BUCKET, now)


def secret(town: towns.Town, **changes: str) -> dict[str, Any]:
    found = objects.store_secret(town.world.sandbox, town.namespace)
    found["metadata"]["name"] = "team-store"
    found["data"] |= {key: base64.b64encode(value.encode()).decode() for key, value in changes.items()}
    return found


@pytest.mark.usefixtures("bucket")
def test_a_model_lives_in_the_bucket_that_its_secret_opens(town: towns.Town) -> None:
    town.apply(towns.manifest("elsewhere", artifacts=OWN, serving={}))

    def told() -> str:
        return str(town.condition("elsewhere", "Reconciling").get("message"))

    words = f"Secret {town.namespace}/team-store (artifacts.credentialsSecret)"
    town.expect("what is missing told", lambda: f"{words} does not exist; create it with" in told(), 240)
    town.apply(secret(town, AWS_ENDPOINT_URL="http://169.254.169.254"))
    town.expect("the host refused", lambda: f"{words}: the operator's settings do not allow the host" in told(), 240)
    assert town.runs("elsewhere") == []
    town.apply(secret(town))
    status = town.settled("elsewhere", "elsewhere-v1")
    assert status["artifactUri"].startswith(f"s3://{BUCKET}/models/{town.namespace}/elsewhere/v1-")
    assert town.predict("elsewhere", [[5.1, 3.5, 1.4, 0.2]]) == [0]
    prefix = f"{town.namespace}/elsewhere/"
    assert len(town.world.objects(f"models/{prefix}", BUCKET)) > 5
    assert town.world.objects(prefix) == []
    town.kubectl("delete", "skm/elsewhere", "--timeout=60s")
    assert town.world.objects(f"models/{prefix}", BUCKET) == []


@pytest.mark.usefixtures("bucket")
def test_a_model_that_moves_leaves_its_versions_where_they_are(town: towns.Town) -> None:
    town.apply(secret(town), towns.manifest("moving", serving={}))
    town.settled("moving", "moving-v1")
    town.apply(towns.manifest("moving", params={"max_depth": 2}, artifacts=OWN, serving={}))
    town.settled("moving", "moving-v2")
    town.apply(
        towns.manifest("moving", params={"max_depth": 2}, artifacts=OWN, serving={}, rollout={"version": "moving-v1"})
    )
    town.settled("moving", "moving-v1")
    assert town.predict("moving", [[5.1, 3.5, 1.4, 0.2]]) == [0]
    places = [town.get("skmv", f"moving-v{number}")["status"]["artifact"]["uri"] for number in (1, 2)]
    assert [place.split("/")[2] for place in places] == [services.BUCKET, BUCKET]
    town.kubectl("delete", "skm/moving", "--timeout=60s")
    prefix = f"{town.namespace}/moving/"
    assert town.world.objects(f"models/{prefix}", BUCKET) == town.world.objects(prefix) == []
