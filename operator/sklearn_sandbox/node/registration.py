"""The Node object: that it exists, what it has, and that it is alive.

Invariant: the Lease is renewed four times within the grace that the node controller grants, and the Node itself is
written only when it says something else than it should.
"""

from __future__ import annotations

import asyncio
import datetime as dt
import logging
import os
import platform
from collections.abc import Mapping
from typing import Any

import psutil

from sklearn_sandbox import services
from sklearn_sandbox.node import api, states

log = logging.getLogger(__name__)

NAME = services.NODE
RENEW_SECONDS, LEASE_SECONDS = 5.0, 40
RETRY_SECONDS = 1.0
#: Nothing enforces requests here, so a small machine counts as this one: a rollout needs room for one pod more.
LEAST_CPUS, LEAST_MEMORY = 8, 16 * 2**30
PATH = f"/api/v1/nodes/{NAME}"
LEASES = "/apis/coordination.k8s.io/v1/namespaces/kube-node-lease/leases"
TAINTS = ("node.kubernetes.io/not-ready", "node.kubernetes.io/unreachable")
MACHINES = {"x86_64": "amd64", "aarch64": "arm64"}


def capacity() -> dict[str, str]:
    memory = max(psutil.virtual_memory().total, LEAST_MEMORY)
    disk = psutil.disk_usage("/").total
    return {
        "cpu": str(max(os.cpu_count() or 1, LEAST_CPUS)),
        "memory": f"{memory // 1024}Ki",
        "ephemeral-storage": f"{disk // 1024}Ki",
        "pods": "110",
    }


class Registration:
    def __init__(self, server: api.Api, has: Mapping[str, str], port: int) -> None:
        self._api, self._capacity, self._port = server, dict(has), port

    async def run(self) -> None:
        while True:
            pause = RETRY_SECONDS
            try:
                await self._renew()
                await self._correct()
                pause = RENEW_SECONDS
            except api.Conflict as error:  # the node controller was faster
                log.debug("node not renewed: %s", error)
            except api.ApiError as error:
                log.warning("node not renewed: %s", error)
            await asyncio.sleep(pause)

    async def leave(self) -> None:
        """Say that nothing runs here until the agent is back."""
        text = "the sandbox's node agent was stopped"
        status = {"conditions": [_condition("Ready", "False", "KubeletNotReady", text, dt.datetime.now(dt.UTC))]}
        await self._api.call("PATCH", f"{PATH}/status", {"status": status}, api.STRATEGIC)

    async def _renew(self) -> None:
        now = dt.datetime.now(dt.UTC).strftime("%Y-%m-%dT%H:%M:%S.%fZ")
        spec = {"holderIdentity": NAME, "leaseDurationSeconds": LEASE_SECONDS, "renewTime": now}
        try:
            await self._api.call("PATCH", f"{LEASES}/{NAME}", {"spec": spec}, api.MERGE)
        except api.NotFound:
            try:
                await self._api.call("POST", LEASES, {"metadata": {"name": NAME}, "spec": spec})
            except api.NotFound:  # the namespace appears a moment after the API server
                namespace = {"metadata": {"name": "kube-node-lease"}}
                await self._api.call("POST", "/api/v1/namespaces", namespace)

    async def _correct(self) -> None:
        try:
            node = await self._api.call("GET", PATH)
        except api.NotFound:
            node = await self._api.call("POST", "/api/v1/nodes", {"metadata": {"name": NAME, "labels": _labels()}})
        status = node.get("status") or {}
        ready: api.Json = next((one for one in status.get("conditions") or [] if one["type"] == "Ready"), {})
        port = (status.get("daemonEndpoints") or {}).get("kubeletEndpoint", {}).get("Port")
        if ready.get("status") != "True" or port != self._port or status.get("capacity") != self._capacity:
            await self._api.call(
                "PATCH", f"{PATH}/status", {"status": self._status(dt.datetime.now(dt.UTC))}, api.STRATEGIC
            )
        taints = node["spec"].get("taints") or []
        kept = [taint for taint in taints if taint["key"] not in TAINTS]
        if kept != taints:
            version = {"resourceVersion": (await self._api.call("GET", PATH))["metadata"]["resourceVersion"]}
            await self._api.call("PATCH", PATH, {"metadata": version, "spec": {"taints": kept or None}}, api.MERGE)

    def _status(self, now: dt.datetime) -> dict[str, Any]:
        quiet = {
            "MemoryPressure": "KubeletHasSufficientMemory",
            "DiskPressure": "KubeletHasNoDiskPressure",
            "PIDPressure": "KubeletHasSufficientPID",
        }
        pressures = [_condition(kind, "False", reason, "", now) for kind, reason in quiet.items()]
        ready = _condition(
            "Ready", "True", "KubeletReady", "the sandbox's node agent runs the project's own images", now
        )
        return {
            "addresses": [{"type": "InternalIP", "address": states.HOST_IP}, {"type": "Hostname", "address": NAME}],
            "capacity": self._capacity,
            "allocatable": self._capacity,
            "conditions": [*pressures, ready],
            "daemonEndpoints": {"kubeletEndpoint": {"Port": self._port}},
            "nodeInfo": _info(),
        }


def _condition(kind: str, status: str, reason: str, message: str, now: dt.datetime) -> dict[str, str]:
    times = {"lastHeartbeatTime": states.stamp(now), "lastTransitionTime": states.stamp(now)}
    return {"type": kind, "status": status, "reason": reason, "message": message, **times}


def _labels() -> dict[str, str]:
    machine = MACHINES.get(platform.machine(), platform.machine())
    return {
        "kubernetes.io/hostname": NAME,
        "kubernetes.io/os": "linux",
        "kubernetes.io/arch": machine,
        "sandbox.sklearn-operator.io/node": "true",
    }


def _info() -> dict[str, str]:
    return {
        "machineID": NAME,
        "systemUUID": NAME,
        "bootID": NAME,
        "kernelVersion": platform.release(),
        "osImage": "sklearn-operator sandbox (local processes)",
        "containerRuntimeVersion": "sandbox://1",
        "kubeletVersion": "v1.36.3-sandbox",
        "kubeProxyVersion": "",
        "operatingSystem": "linux",
        "architecture": MACHINES.get(platform.machine(), platform.machine()),
    }
