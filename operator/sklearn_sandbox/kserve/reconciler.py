"""One look at one InferenceService: its children, then its status.

Invariant: level-triggered. Every look starts from the spec and from what the stores show; the order of the steps is
that of KServe's controller, because what a failing step leaves undone is part of what can be observed.
"""

from __future__ import annotations

import copy
import datetime as dt
import logging
from collections.abc import Callable

from sklearn_sandbox.kserve import (
    canaries,
    children,
    client,
    conditions,
    events,
    knative,
    names,
    routes,
    runtimes,
    status,
    workload,
)
from sklearn_sandbox.kserve import faults as faults_module
from sklearn_sandbox.kserve import settings as settings_module
from sklearn_sandbox.kserve.names import Json
from sklearn_sandbox.kserve.stores import Stores

Key = tuple[str, str]
log = logging.getLogger(__name__)


class Reconciler:
    def __init__(
        self,
        api: client.Client,
        stores: Stores,
        faults: faults_module.Faults,
        again: Callable[[Key, float], None],
        now: Callable[[], dt.datetime],
        settings: settings_module.Settings,
        writer: children.Children,
    ) -> None:
        self._api, self._stores, self._faults, self._again, self._now = api, stores, faults, again, now
        self._settings = settings
        self._children = writer
        self._events = events.Recorder(api)

    async def reconcile(self, key: Key) -> None:
        """Raises client.ApiError or the reason why nothing could be rolled out; the caller comes again."""
        service = self._stores.services.get(key)
        if service is None:
            self._children.forget(key)
            return
        if service["metadata"].get("deletionTimestamp"):
            await self._finalizer(service, wanted=False)
            return
        reported: Json = copy.deepcopy(service.get("status") or {})
        known = conditions.Conditions(reported.get("conditions") or [], self._time())
        automatic = names.annotations_of(service).get(names.DISABLE_AUTO_UPDATE) != "true"
        if known.status(conditions.READY) == "True" and not automatic:
            return
        reported["deploymentMode"] = names.deployment_mode(service)
        if known.get(conditions.READY) is None:
            known.start()
        serverless = reported["deploymentMode"] == names.KNATIVE
        if serverless and not self._settings.knative:
            await self._reject_knative(service, reported, known)
            return
        try:
            work = self._knative_predictor if serverless else self._predictor
            if not await work(service, reported, known):
                return
        except (runtimes.InvalidSpec, workload.Unsupported, client.ApiError) as error:
            await self._events.record(service, "Warning", "InternalError", str(error), self._time())
            await self._write(service, reported, known)
            raise
        _mark_stopped(service, known)
        if serverless:
            _knative_ingress(service, reported, known)
        else:
            await self._ingress(service, reported, known)
        await self._write(service, reported, known)

    async def _finalizer(self, service: Json, *, wanted: bool) -> Json:
        present: list[str] = list(service["metadata"].get("finalizers") or [])
        if (names.FINALIZER in present) == wanted:
            return service
        changed = [*present, names.FINALIZER] if wanted else [item for item in present if item != names.FINALIZER]
        namespace, name = client.key_of(service)
        try:
            body = {"metadata": {"finalizers": changed}}
            service = await self._api.merge(client.SERVICES, namespace, name, body)
        except client.ApiError as error:
            if error.status != 404:
                raise
        if wanted:
            self._stores.services.learn(service)
        return service

    async def _reject_knative(self, service: Json, reported: Json, known: conditions.Conditions) -> None:
        text = "It is not possible to use Knative deployment mode when Knative Services are not available"
        await self._events.record(service, "Warning", "ServerlessModeRejected", text, self._time())
        await self._write(service, reported, known)

    async def _predictor(self, service: Json, reported: Json, known: conditions.Conditions) -> bool:
        """False: nothing may be said yet, another look is on its way."""
        spec = service["spec"]
        chosen = self._runtime(service, spec["predictor"], reported)
        try:
            workload.build(service, spec["predictor"], chosen)
        except runtimes.InvalidSpec as error:
            status.invalid(reported, error.reason, error.info)
            raise
        await self._canaries(service, reported, known)
        stable = canaries.reduced_stable(spec, reported.get("canaryStatuses") or [])
        built = workload.build(service, stable, chosen)
        try:
            deployment = await self._children.ensure(service, built)
        except client.ApiError as error:
            status.failed(reported, known, str(error))
            raise
        if deployment is None:
            _stop(reported, known)
            return True
        url = names.component_url(built.name, service["metadata"]["namespace"])
        status.from_deployment(reported, known, deployment, url)
        if status.from_pods(reported, known, self._stores.pods_of(service, built.name)):
            return True
        self._again(client.key_of(service), 1.0)
        return False

    async def _knative_predictor(self, service: Json, reported: Json, known: conditions.Conditions) -> bool:
        """False: nothing may be said yet, another look is on its way."""
        chosen = self._runtime(service, service["spec"]["predictor"], reported)
        before = (reported.get("components") or {}).get("predictor") or {}
        try:
            wanted = knative.build(service, chosen, before)
        except runtimes.InvalidSpec as error:
            status.invalid(reported, error.reason, error.info)
            raise
        try:
            live = await self._children.knative_service(service, wanted)
        except client.ApiError as error:
            status.failed(reported, known, str(error))
            raise
        if live is None:
            _stop(reported, known)
            return True
        found = live.get("status") or {}
        component = knative.propagate(reported, known, found)
        latest = component.get("latestCreatedRevision")
        broken = any(item["status"] == "False" for item in found.get("conditions") or [])
        pods, current = self._stores.pods_of_revision(service, latest), latest == component.get("latestReadyRevision")
        if status.from_pods(reported, known, pods, current=current, broken=broken):
            return True
        self._again(client.key_of(service), 1.0)
        return False

    def _runtime(self, service: Json, predictor: Json, reported: Json | None = None) -> runtimes.Chosen:
        """Of the stable predictor it is reported, with the reason where there is none."""
        model = predictor.get("model")
        if model is None:
            raise workload.Unsupported("this stand-in serves predictors of the form `model` only")
        namespaced, cluster = self._stores.runtimes(service["metadata"]["namespace"])
        try:
            chosen = runtimes.choose(model, namespaced, cluster)
        except runtimes.InvalidSpec as error:
            if reported is not None:
                status.invalid(reported, error.reason, error.info)
            raise
        if reported is not None:
            status.runtime(reported, chosen.name, chosen.cluster_wide)
        return chosen

    async def _canaries(self, service: Json, reported: Json, known: conditions.Conditions) -> None:
        available = {}
        expected = {names.predictor(service["metadata"]["name"], service["spec"]["predictor"].get("name") or "")}
        for predictor in canaries.predictors(service["spec"]):
            built = workload.build(service, predictor, self._runtime(service, predictor))
            expected.add(built.name)
            deployment = await self._children.ensure(service, built)
            available[predictor["name"]] = int(((deployment or {}).get("status") or {}).get("availableReplicas") or 0)
        found = canaries.statuses(service["spec"], available)
        reported.pop("canaryStatuses", None)
        if not found:
            known.clear(conditions.CANARY)
        else:
            reported["canaryStatuses"] = found
            ready = all(item["ready"] for item in found) and not names.stopped(service)
            reason = "Stopped" if names.stopped(service) else "AllCanariesReady" if ready else "CanariesNotReady"
            known.set(conditions.CANARY, "True" if ready else "False", reason)
        await self._children.remove_orphans(service, expected)

    async def _ingress(self, service: Json, reported: Json, known: conditions.Conditions) -> None:
        """After the children: for a moment the route may lead to a predictor that has just been cleaned up."""
        inside = self._address(service)
        if not self._settings.gateway_api:
            if not names.stopped(service):
                status.addresses(reported, known, inside, inside)
            return
        route = self._stores.routes.get(client.key_of(service))
        if names.stopped(service) or known.status(conditions.PREDICTOR) == "True":
            route = await self._children.route(service, routes.build(service, reported.get("canaryStatuses") or []))
        if names.stopped(service):
            known.set(conditions.INGRESS, "False", "Stopped")
        elif refusal := routes.refusal(route):
            known.set(conditions.INGRESS, "False", *refusal)
        else:
            status.addresses(reported, known, names.annotations_of(route or {}).get(names.ADDRESS), inside)

    def _address(self, service: Json) -> str | None:
        """Of the stable predictor's Service, which never splits."""
        name = names.predictor(service["metadata"]["name"], service["spec"]["predictor"].get("name") or "")
        found = self._stores.core_services.get((service["metadata"]["namespace"], name))
        return names.annotations_of(found or {}).get(names.ADDRESS) or None

    async def _write(self, service: Json, reported: Json, known: conditions.Conditions) -> None:
        """Only if something changed. The finalizer comes first, but after the children: it holds nothing of theirs."""
        service = await self._finalizer(service, wanted=True)
        key, before = client.key_of(service), service.get("status") or {}
        reported.setdefault("modelStatus", {"transitionStatus": ""})
        reported["conditions"] = known.list()
        if reported == before:
            return
        wait = self._faults.delay(key)
        if wait is None:
            return
        if wait > 0:
            self._again(key, wait)
            return
        written = await self._replace(service, reported)
        self._faults.written(key)
        if self._faults.status == "twice":
            for condition in reported["conditions"]:
                condition["lastTransitionTime"] = self._time(seconds=1)
            await self._replace(written, reported)
        await self._announce(written, before)

    async def _replace(self, service: Json, reported: Json) -> Json:
        namespace, name = client.key_of(service)
        body = {**service, "status": reported}
        written = await self._api.replace_status(client.SERVICES, namespace, name, body)
        self._stores.services.learn(written)
        return written

    async def _announce(self, service: Json, before: Json) -> None:
        def ready(reported: Json) -> str | None:
            found = [item["status"] for item in reported.get("conditions") or [] if item["type"] == conditions.READY]
            return found[0] if found else None

        was, now, name = ready(before), ready(service["status"]), service["metadata"]["name"]
        if now == "True" and was != "True":
            text = f"InferenceService [{name}] is Ready"
            await self._events.record(service, "Normal", "InferenceServiceReady", text, self._time())
        elif was == "True" and now == "False":
            broken = ", ".join(item["type"] for item in service["status"]["conditions"] if item["status"] == "False")
            text = f"InferenceService [{name}] is no longer Ready because of: {broken}"
            await self._events.record(service, "Warning", "InferenceServiceNotReady", text, self._time())

    def _time(self, seconds: int = 0) -> str:
        return (self._now() + dt.timedelta(seconds=seconds)).strftime("%Y-%m-%dT%H:%M:%SZ")


def _knative_ingress(service: Json, reported: Json, known: conditions.Conditions) -> None:
    """Without Istio's VirtualService: the route that Knative made is the only one, from outside and from within."""
    if names.stopped(service):
        known.set(conditions.INGRESS, "False", "Stopped")
        return
    knative.across(known)
    url = ((reported.get("components") or {}).get("predictor") or {}).get("url", "")
    if url:
        status.addresses(reported, known, url.removeprefix("http://"), url.removeprefix("http://"))


def _stop(reported: Json, known: conditions.Conditions) -> None:
    """All that was said is wiped, but for the mode; a second look leaves it at that."""
    said = known.get(conditions.PREDICTOR) or {}
    if said.get("status") == "False" and said.get("reason") == "Stopped":
        return
    mode = reported["deploymentMode"]
    reported.clear()
    reported["deploymentMode"] = mode
    for condition in known.list():
        known.clear(condition["type"])
    known.set(conditions.PREDICTOR, "False", "Stopped")


def _mark_stopped(service: Json, known: conditions.Conditions) -> None:
    if known.get(conditions.STOPPED) is None:
        known.set(conditions.STOPPED, "False")
    wanted = "True" if names.stopped(service) else "False"
    if known.status(conditions.STOPPED) != wanted:
        known.set(conditions.STOPPED, wanted)
