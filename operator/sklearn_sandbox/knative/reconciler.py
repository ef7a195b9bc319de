"""One look at one Knative Service: its newest Revision, what stands behind each, the route, then the status.

Invariant: level-triggered. Pods of a Revision are taken away only after the gateway goes by a route without it.
"""

from __future__ import annotations

import datetime as dt
from collections.abc import Callable, Sequence

from sklearn_sandbox.knative import names, revisions, states, traffic
from sklearn_sandbox.knative.names import Json
from sklearn_sandbox.kserve import children, client
from sklearn_sandbox.kserve.names import ADDRESS, annotations_of
from sklearn_sandbox.kserve.stores import Stores

Key = tuple[str, str]
#: So many Revisions without traffic are kept, the newest.
KEPT = 3


class Reconciler:
    def __init__(
        self, api: client.Client, stores: Stores, writer: children.Children, now: Callable[[], dt.datetime]
    ) -> None:
        self._api, self._stores, self._writer, self._now = api, stores, writer, now

    async def reconcile(self, key: Key) -> None:
        """Raises client.ApiError; the caller comes again."""
        service = self._stores.knative_services.get(key)
        if service is None or service["metadata"].get("deletionTimestamp"):
            return
        present = await self._revisions(service)
        for index, revision in enumerate(present):
            present[index] = await self._report_revision(revision)
        latest = present[-1]
        up = [one["metadata"]["name"] for one in present if states.ready(one.get("status") or {}).status == "True"]
        latest_ready = up[-1] if up else None
        resolved, routes, settled = await self._route(service, present, up, latest_ready)
        await self._behind(service, present, resolved, settled)
        await self._report(service, latest, latest_ready, resolved, routes)

    async def _revisions(self, service: Json) -> list[Json]:
        """Oldest first. A new one where the template is not what the newest was made from."""
        namespace, name = client.key_of(service)
        every = self._stores.revisions.all(namespace)
        found = [one for one in every if one["metadata"]["labels"].get(names.SERVICE) == name]
        found = [one for one in found if not one["metadata"].get("deletionTimestamp")]
        found.sort(key=names.number)
        wanted = revisions.digest(service["spec"]["template"])
        if not found or annotations_of(found[-1]).get(names.TEMPLATE) != wanted:
            number = names.number(found[-1]) + 1 if found else 1
            made = await self._api.apply(client.REVISIONS, namespace, revisions.build(service, number))
            self._stores.revisions.learn(made)
            found.append(made)
        return found

    async def _report_revision(self, revision: Json) -> Json:
        namespace, name = client.key_of(revision)
        deployment = self._stores.deployments.get((namespace, names.deployment(name)))
        pods = [one for one in self._stores.pods.all(namespace) if _label(one, names.REVISION) == name]
        before: Json = revision.get("status") or {}
        found = states.of_revision(before, deployment, pods)
        status = {
            "observedGeneration": revision["metadata"]["generation"],
            "conditions": states.conditions(found, before.get("conditions") or [], self._time()),
            "actualReplicas": int(((deployment or {}).get("status") or {}).get("availableReplicas") or 0),
            "desiredReplicas": int(((deployment or {}).get("spec") or {}).get("replicas") or 0),
        }
        if status == before:
            return revision
        written = await self._api.replace_status(client.REVISIONS, namespace, name, {**revision, "status": status})
        self._stores.revisions.learn(written)
        return written

    async def _route(
        self, service: Json, present: Sequence[Json], up: Sequence[str], latest_ready: str | None
    ) -> tuple[list[Json], states.State, bool]:
        """The targets in force, RoutesReady, and whether the gateway goes by them."""
        known = [one["metadata"]["name"] for one in present]
        try:
            resolved = traffic.resolve(service, latest_ready, up, known)
        except traffic.Missing as missing:
            before = (service.get("status") or {}).get("traffic") or []
            return (
                before,
                states.State("False" if missing.broken else "Unknown", "RevisionMissing", str(missing)),
                False,
            )
        live = await self._writer.apply_route(traffic.route(service, resolved))
        if not traffic.in_force(live):
            return resolved, states.State("Unknown", "Uninitialized", "Waiting for load balancer to be ready"), False
        return resolved, states.TRUE, True

    async def _behind(self, service: Json, present: Sequence[Json], resolved: Sequence[Json], settled: bool) -> None:
        """Deployments and Services. While the route is not settled, nobody who has pods loses them."""
        routed = {target["revisionName"] for target in resolved}
        idle = []
        for revision in reversed(present):
            name = revision["metadata"]["name"]
            pending = revision is present[-1] and states.ready(revision.get("status") or {}).status != "True"
            wanted = name in routed or pending
            if wanted or settled or not self._stores.deployments.get(_deployment_key(revision)):
                await self._writer.apply_deployment(revisions.deployment(revision, wanted=wanted))
                await self._writer.apply_service(revisions.private(revision, wanted=wanted))
            if not wanted and revision is not present[-1]:
                idle.append(revision)
        for revision in idle[KEPT:] if settled else ():
            await self._api.delete(client.REVISIONS, *client.key_of(revision))

    async def _report(
        self, service: Json, latest: Json, latest_ready: str | None, resolved: list[Json], routes: states.State
    ) -> None:
        namespace, name = client.key_of(service)
        before: Json = service.get("status") or {}
        found = states.of_service(latest, routes)
        route = self._stores.routes.get((namespace, name))
        address = annotations_of(route or {}).get(ADDRESS)
        said: Json = {
            "observedGeneration": service["metadata"]["generation"],
            "conditions": states.conditions(found, before.get("conditions") or [], self._time()),
            "latestCreatedRevisionName": latest["metadata"]["name"],
            "latestReadyRevisionName": latest_ready,
            "traffic": resolved,
            "url": f"http://{address}" if address else None,
            "address": {"url": f"http://{address}"} if address else None,
        }
        status = {key: value for key, value in said.items() if value}
        if status != before:
            body = {**service, "status": status}
            written = await self._api.replace_status(client.KNATIVE_SERVICES, namespace, name, body)
            self._stores.knative_services.learn(written)

    def _time(self) -> str:
        return self._now().strftime("%Y-%m-%dT%H:%M:%SZ")


def _deployment_key(revision: Json) -> Key:
    namespace, name = client.key_of(revision)
    return namespace, names.deployment(name)


def _label(thing: Json, name: str) -> str | None:
    return (thing["metadata"].get("labels") or {}).get(name)
