"""The Kubernetes adapter's contract, against a real API server and against the memory twin."""

from __future__ import annotations

import uuid
from collections.abc import AsyncIterator
from typing import Any

import pytest
import pytest_asyncio

from sklearn_operator.backends import errors, kubernetes
from sklearn_operator.backends.memory_kubernetes import MemoryKubernetes
from sklearn_operator.core import naming, ownership
from sklearn_sandbox import embedded

MAPS = kubernetes.Resource("v1", "configmaps")
SETS = kubernetes.DEPLOYMENTS
Client = kubernetes.KubernetesClient | MemoryKubernetes


@pytest.fixture(scope="module")
def server(request: pytest.FixtureRequest) -> embedded.Cluster:
    running: embedded.Cluster = request.getfixturevalue("kubernetes")  # a module has the name here
    return running


@pytest_asyncio.fixture(params=["memory", "apiserver"])
async def client(request: pytest.FixtureRequest) -> AsyncIterator[Client]:
    if request.param == "memory":
        yield MemoryKubernetes()
        return
    cluster: embedded.Cluster = request.getfixturevalue("server")
    async with kubernetes.connect(str(cluster.kubeconfig), "contract") as real:
        yield real


def named(**metadata: Any) -> dict[str, Any]:
    name = f"c-{uuid.uuid4().hex[:12]}"
    return {"apiVersion": "v1", "kind": "ConfigMap", "metadata": {"name": name, **metadata}, "data": {"a": "1"}}


def deployment() -> dict[str, Any]:
    labels = {"app": "x"}
    pod = {"metadata": {"labels": labels}, "spec": {"containers": [{"name": "c", "image": "i"}]}}
    return {
        "apiVersion": "apps/v1",
        "kind": "Deployment",
        "metadata": {"name": f"d-{uuid.uuid4().hex[:12]}"},
        "spec": {"selector": {"matchLabels": labels}, "template": pod},
    }


async def test_what_is_absent_is_none(client: Client) -> None:
    assert await client.get(MAPS, "default", "nobody") is None


async def test_a_name_is_taken_once(client: Client) -> None:
    body = named()
    created = await client.create(MAPS, "default", body)
    assert created["metadata"]["uid"]
    with pytest.raises(errors.Conflict):
        await client.create(MAPS, "default", body)


async def test_listing_selects_by_label(client: Client) -> None:
    group = uuid.uuid4().hex
    mine, other = named(labels={"group": group}), named(labels={"group": "other"})
    for body in (mine, other):
        await client.create(MAPS, "default", body)
    listed = await client.list_objects(MAPS, "default", {"group": group})
    assert [item["metadata"]["name"] for item in listed] == [mine["metadata"]["name"]]


async def test_a_listing_comes_in_pages_of_one_revision(client: Client) -> None:
    group = uuid.uuid4().hex
    bodies = [named(labels={"group": group}) for _ in range(5)]
    for body in bodies:
        await client.create(MAPS, "default", body)
    pages = [page async for page in client.pages(MAPS, "default", {"group": group}, size=2)]
    assert [len(page.items) for page in pages] == [2, 2, 1]
    found = {item["metadata"]["name"] for page in pages for item in page.items}
    assert found == {body["metadata"]["name"] for body in bodies}
    assert len({page.revision for page in pages}) == 1


async def test_applying_twice_writes_once(client: Client) -> None:
    body = named()
    first = await client.apply(MAPS, "default", body, revision=None)
    revision = first["metadata"]["resourceVersion"]
    second = await client.apply(MAPS, "default", body, revision=revision)
    assert revision == second["metadata"]["resourceVersion"]
    third = await client.apply(MAPS, "default", {**body, "data": {"a": "2"}}, revision=revision)
    assert third["data"] == {"a": "2"}
    assert third["metadata"]["resourceVersion"] != revision


async def test_what_has_changed_since_it_was_seen_is_not_applied_over(client: Client) -> None:
    body = named()
    first = await client.apply(MAPS, "default", body, revision=None)
    revision = first["metadata"]["resourceVersion"]
    await client.apply(MAPS, "default", {**body, "data": {"a": "2"}}, revision=revision)
    with pytest.raises(errors.Conflict):
        await client.apply(MAPS, "default", {**body, "data": {"a": "3"}}, revision=revision)
    await client.delete(MAPS, "default", body["metadata"]["name"])
    again = await client.apply(MAPS, "default", body, revision=revision)
    assert again["metadata"]["uid"] != first["metadata"]["uid"]


async def test_somebody_elses_object_of_the_name_is_not_taken_over(client: Client) -> None:
    body = named()
    await client.create(MAPS, "default", body)
    with pytest.raises(errors.Conflict):
        await client.apply(MAPS, "default", {**body, "data": {"a": "2"}}, revision=None)
    kept = await client.get(MAPS, "default", body["metadata"]["name"])
    assert kept is not None and kept["data"] == {"a": "1"}


async def test_the_record_of_an_apply_tells_what_is_no_longer_wanted(server: embedded.Cluster) -> None:
    body = {**named(), "data": {"a": "1", "b": "2"}}
    async with kubernetes.connect(str(server.kubeconfig), naming.FIELD_MANAGER) as real:
        made = await real.apply(MAPS, "default", body, revision=None)
    assert ownership.leftover(made, body) is None
    assert ownership.leftover(made, {**body, "data": {"a": "3"}}) == "data.b"


async def test_a_status_write_on_an_old_version_conflicts(client: Client) -> None:
    created = await client.create(SETS, "default", deployment())
    metadata = created["metadata"]
    identity = {"name": metadata["name"], "namespace": "default", "resourceVersion": metadata["resourceVersion"]}
    body = {**created, "metadata": identity, "status": {"replicas": 1}}
    written = await client.replace_status(SETS, "default", metadata["name"], body)
    assert written["status"]["replicas"] == 1
    with pytest.raises(errors.Conflict):
        await client.replace_status(SETS, "default", metadata["name"], body)


async def test_a_replacement_of_an_old_version_conflicts(client: Client) -> None:
    created = await client.create(MAPS, "default", named(labels={"kept": "yes"}))
    name = created["metadata"]["name"]
    written = await client.replace(MAPS, "default", name, {**created, "data": {"b": "2"}})
    assert written["data"] == {"b": "2"}
    assert written["metadata"]["labels"] == {"kept": "yes"}
    assert written["metadata"]["resourceVersion"] != created["metadata"]["resourceVersion"]
    with pytest.raises(errors.Conflict):
        await client.replace(MAPS, "default", name, {**created, "data": {"c": "3"}})
    with pytest.raises(errors.NotFound):
        await client.replace(MAPS, "default", "nobody", named(resourceVersion="1") | {"metadata": {"name": "nobody"}})


async def test_an_edit_whose_test_fails_conflicts_and_changes_nothing(client: Client) -> None:
    created = await client.create(MAPS, "default", named())
    name = created["metadata"]["name"]
    wrong = [{"op": "test", "path": "/metadata/uid", "value": "x"}, {"op": "add", "path": "/data/b", "value": "2"}]
    with pytest.raises(errors.Conflict):
        await client.edit(MAPS, "default", name, wrong)
    after = await client.get(MAPS, "default", name)
    assert after is not None and after["data"] == {"a": "1"}


async def test_an_edit_of_nothing_says_so(client: Client) -> None:
    with pytest.raises(errors.NotFound):
        await client.edit(MAPS, "default", "nobody", [{"op": "add", "path": "/data/b", "value": "2"}])


async def test_a_finalizer_holds_a_deleted_object_until_it_is_taken_off(client: Client) -> None:
    finalizer = "example.com/hold"
    created = await client.create(MAPS, "default", named(finalizers=[finalizer]))
    name = created["metadata"]["name"]
    await client.delete(MAPS, "default", name, uid=created["metadata"]["uid"])
    held = await client.get(MAPS, "default", name)
    assert held is not None and "deletionTimestamp" in held["metadata"]
    path = "/metadata/finalizers/0"
    await client.edit(
        MAPS, "default", name, [{"op": "test", "path": path, "value": finalizer}, {"op": "remove", "path": path}]
    )
    assert await client.get(MAPS, "default", name) is None


async def test_deleting_what_is_gone_is_done(client: Client) -> None:
    await client.delete(MAPS, "default", "nobody")


async def test_deleting_a_namesake_conflicts(client: Client) -> None:
    created = await client.create(MAPS, "default", named())
    with pytest.raises(errors.Conflict):
        await client.delete(MAPS, "default", created["metadata"]["name"], uid=str(uuid.uuid4()))


async def test_nonsense_is_rejected_with_the_servers_words(server: embedded.Cluster) -> None:
    async with kubernetes.connect(str(server.kubeconfig), "contract") as real:
        with pytest.raises(errors.Rejected, match="data"):
            await real.create(MAPS, "default", {**named(), "data": {"a": {"not": "text"}}})


async def test_a_server_that_is_not_there_is_transient(server: embedded.Cluster, tmp_path: Any) -> None:
    copy = tmp_path / "kubeconfig"
    copy.write_text(server.kubeconfig.read_text().replace(server.server, "https://127.0.0.1:9"))
    async with kubernetes.connect(str(copy), "contract") as real:
        with pytest.raises(errors.Transient):
            await real.get(MAPS, "default", "x")
