"""What a run needs of Kubernetes: Secrets and ConfigMaps for its environment, and a pod that shows why it cannot start.

Invariant: a value read here goes to the run's standard input and nowhere else.
"""

from __future__ import annotations

import base64
import hashlib
import json
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from dataclasses import dataclass
from typing import Any

import aiohttp

from sklearn_sandbox import images
from sklearn_sandbox.kfp import spec

_TIMEOUT = 10.0
#: Linux: what one "NAME=value" of a process may hold, its closing zero included (MAX_ARG_STRLEN).
_LONGEST_VARIABLE = 128 * 1024
UNSCHEDULABLE = "Unschedulable"
_NO_NODE = "0/1 nodes are available: 1 node(s) didn't match Pod's node affinity/selector."
#: What Kubeflow Pipelines sets on the container of every task (from 2.16 on), besides what the pipeline says.
SECURITY_CONTEXT = {
    "allowPrivilegeEscalation": False,
    "capabilities": {"drop": ["ALL"]},
    "seccompProfile": {"type": "RuntimeDefault"},
}
_POD_SECURITY = "violates PodSecurity"
Environment = dict[str, dict[str, str]]
#: By executor: where a ConfigMap is mounted, and what it holds.
Mounts = dict[str, dict[str, dict[str, str]]]


@dataclass(frozen=True)
class Trouble:
    """Why the pod of an executor cannot start, as the kubelet would put it."""

    executor: str
    image: str
    reason: str
    message: str


class ClusterError(Exception):
    """The API server cannot be asked now."""


class Cluster:
    """The Kubernetes of the sandbox; without one every Secret is missing and no pod is shown."""

    def __init__(self, api: Any = None) -> None:
        self._api = api
        self._images = images.catalogue()

    async def environment(
        self, namespace: str, pipeline: Mapping[str, Any], platform: Mapping[str, Any]
    ) -> tuple[Environment, Trouble | None]:
        """Environment by executor, or the first trouble."""
        by_executor, found = spec.images(pipeline), {}
        for label, image in by_executor.items():
            if images.find(image, self._images) is None:
                return {}, Trouble(label, image, "ImagePullBackOff", images.unknown_message(image, self._images))
        configured = spec.platform_executors(platform)
        for label, image in by_executor.items():
            labels = (configured.get(label, {}).get("nodeSelector") or {}).get("labels") or {}
            if labels and not await self._has_node(labels):
                return {}, Trouble(label, image, UNSCHEDULABLE, _NO_NODE)
        seen: dict[tuple[str, str], dict[str, str] | None] = {}
        for label, image in by_executor.items():
            values: dict[str, str] = {}
            for reference in _references(configured.get(label, {})):
                key = (reference.kind, reference.name)
                if key not in seen:
                    seen[key] = await self._data(namespace, *key)
                message = reference.read(namespace, seen[key], values)
                if message:
                    return {}, Trouble(label, image, "CreateContainerConfigError", message)
            mounts = configured.get(label, {}).get("pvcMount", [])
            message = await self._mount(namespace, mounts, spec.environment(pipeline, label), values)
            if message:
                return {}, Trouble(label, image, UNSCHEDULABLE, f"0/1 nodes are available: {message}.")
            if any(len(f"{name}={value}".encode()) >= _LONGEST_VARIABLE for name, value in values.items()):
                text = 'failed to start container "main": exec: "sh": argument list too long'
                return {}, Trouble(label, image, "RunContainerError", text)
            found[label] = values
        return found, None

    async def mounts(self, namespace: str, platform: Mapping[str, Any]) -> Mounts:
        """The ConfigMaps that executors have as volumes; a missing optional one is an empty folder."""
        found: Mounts = {}
        for label, executor in spec.platform_executors(platform).items():
            for entry in executor.get("configMapAsVolume", []):
                data = await self._data(namespace, "configmaps", _name(entry, "configMap"))
                if data is None and not entry.get("optional"):
                    raise ClusterError(f"configmap {_name(entry, 'configMap')} not found, and a volume needs it")
                found.setdefault(label, {})[str(entry["mountPath"])] = data or {}
        return found

    async def admit(
        self, namespace: str, workflow: str, pipeline: Mapping[str, Any], platform: Mapping[str, Any]
    ) -> None:
        """Tasks are processes here; what the namespace's Pod Security would say to their pods is asked all the same."""
        for label, image in spec.images(pipeline).items() if self._api is not None else ():
            pod = task_pod("", workflow, label, image, platform)
            code, answer = await self._call("POST", f"/api/v1/namespaces/{namespace}/pods?dryRun=All", pod)
            if code == 403 and _POD_SECURITY in str(answer.get("message")):
                raise ClusterError(f"executor {label}: {answer['message']}")

    async def show(self, namespace: str, manifest: Mapping[str, Any], status: Mapping[str, Any]) -> None:
        """Makes sure that the pod exists and says what ``status`` says."""
        if self._api is None:
            return
        pods = f"/api/v1/namespaces/{namespace}/pods"
        code, answer = await self._call("POST", pods, manifest)
        if code not in (201, 409):
            raise ClusterError(f"cannot create pod {manifest['metadata']['name']}: {answer.get('message')}")
        path = f"{pods}/{manifest['metadata']['name']}/status"
        await self._call("PATCH", path, {"status": status}, "application/merge-patch+json")

    async def review(self, path: str, body: Mapping[str, Any]) -> dict[str, Any]:
        """What the API server says to a TokenReview or a SubjectAccessReview."""
        code, answer = await self._call("POST", path, body)
        if code != 201:
            raise ClusterError(f"{path}: {code} {answer.get('message')}")
        return dict(answer["status"])

    async def remove(self, namespace: str, pod: str) -> None:
        if self._api is not None:
            options = {"apiVersion": "v1", "kind": "DeleteOptions", "gracePeriodSeconds": 0}
            await self._call("DELETE", f"/api/v1/namespaces/{namespace}/pods/{pod}", options)

    async def _mount(
        self, namespace: str, mounts: list[dict[str, Any]], given: Mapping[str, str], values: dict[str, str]
    ) -> str | None:
        """Variables that begin with a mount path get the volume's folder, for lack of mounts; else what is wrong."""
        for mount in mounts:
            parameter = (mount.get("pvcNameParameter") or {}).get("runtimeValue") or {}
            name, path = str(parameter.get("constant") or mount.get("constant") or ""), mount["mountPath"]
            claim = await self._object(f"/api/v1/namespaces/{namespace}/persistentvolumeclaims/{name}")
            if claim is None:
                return f'persistentvolumeclaim "{name}" not found'
            if (claim.get("status") or {}).get("phase") != "Bound":
                return "pod has unbound immediate PersistentVolumeClaims"
            volume = await self._object(f"/api/v1/persistentvolumes/{claim['spec']['volumeName']}") or {}
            source = (volume.get("spec") or {}).get("hostPath") or (volume.get("spec") or {}).get("local")
            if source is None:
                return f"persistentvolume {claim['spec']['volumeName']}: this sandbox knows hostPath and local only"
            for variable, value in given.items():
                if value == path or value.startswith(f"{path}/"):
                    values[variable] = source["path"] + value.removeprefix(path)
        return None

    async def _object(self, path: str) -> dict[str, Any] | None:
        if self._api is None:
            return None
        code, answer = await self._call("GET", path)
        if code not in (200, 404):
            raise ClusterError(f"{path}: {code} {answer.get('message')}")
        return answer if code == 200 else None

    async def _has_node(self, labels: Mapping[str, str]) -> bool:
        """Whether a node has all of them, which is what the scheduler would ask (the tasks are no pods here)."""
        if self._api is None:
            return True
        code, answer = await self._call("GET", "/api/v1/nodes")
        if code != 200:
            raise ClusterError(f"nodes: {code} {answer.get('message')}")
        nodes = [node["metadata"].get("labels") or {} for node in answer["items"]]
        return any(labels.items() <= node.items() for node in nodes)

    async def _data(self, namespace: str, plural: str, name: str) -> dict[str, str] | None:
        if self._api is None:
            return None
        code, answer = await self._call("GET", f"/api/v1/namespaces/{namespace}/{plural}/{name}")
        if code == 404:
            return None
        if code != 200:
            raise ClusterError(f"{plural} {namespace}/{name}: {code} {answer.get('message')}")
        data: dict[str, str] = answer.get("data") or {}
        if plural == "secrets":
            return {key: base64.b64decode(value).decode() for key, value in data.items()}
        return data

    async def _call(
        self, method: str, path: str, body: Any = None, kind: str = "application/json"
    ) -> tuple[int, dict[str, Any]]:
        headers = {"Accept": "application/json", "Content-Type": kind}
        try:
            request = await self._api.param_serialize(
                method, path, header_params=headers, body=body, auth_settings=["BearerToken"]
            )
            answer = await self._api.call_api(*request, _request_timeout=_TIMEOUT)
            return int(answer.status), json.loads(await answer.read() or b"{}")
        except (aiohttp.ClientError, OSError, TimeoutError, ValueError) as error:
            raise ClusterError(f"{method} {path}: {error!r}") from error


@asynccontextmanager
async def connect(kubeconfig: str | None) -> AsyncIterator[Cluster]:
    if not kubeconfig:
        yield Cluster()
        return
    from kubernetes.aio import config
    from kubernetes.aio.client import ApiClient, Configuration

    configuration = Configuration()
    load: Any = config.load_kube_config
    await load(config_file=kubeconfig, client_configuration=configuration)
    async with ApiClient(configuration) as api:
        yield Cluster(api)


@dataclass(frozen=True)
class _Reference:
    """One secretAsEnv or configMapAsEnv entry."""

    kind: str
    name: str
    keys: tuple[tuple[str, str], ...]
    optional: bool

    def read(self, namespace: str, data: Mapping[str, str] | None, values: dict[str, str]) -> str | None:
        """Adds the values; else the kubelet's message (pkg/kubelet/kuberuntime and pkg/kubelet/kubelet_pods.go)."""
        what = "secret" if self.kind == "secrets" else "configmap"
        if data is None:
            return None if self.optional else f'{what} "{self.name}" not found'
        for key, variable in self.keys:
            if key in data:
                values[variable] = data[key]
            elif not self.optional:
                kind = "Secret" if what == "secret" else "ConfigMap"
                return f"couldn't find key {key} in {kind} {namespace}/{self.name}"
        return None


def _references(executor: Mapping[str, Any]) -> list[_Reference]:
    found = []
    for plural, field, word in (("secrets", "secretAsEnv", "secret"), ("configmaps", "configMapAsEnv", "configMap")):
        for entry in executor.get(field, []):
            name = _name(entry, word)
            keys = tuple((key[f"{word}Key"], key["envVar"]) for key in entry.get("keyToEnv", []))
            found.append(_Reference(plural, name, keys, bool(entry.get("optional"))))
    return found


def _name(entry: Mapping[str, Any], word: str) -> str:
    parameter = (entry.get(f"{word}NameParameter") or {}).get("runtimeValue") or {}
    return str(parameter.get("constant") or entry.get(f"{word}Name") or "")


def workflow_name(pipeline: Mapping[str, Any], run_id: str, number: int) -> str:
    """As generateName makes it, but the same for the same run."""
    digits = hashlib.sha256(f"{run_id}/{number}".encode()).hexdigest()
    return f"{pipeline['pipelineInfo']['name']}-{digits[:5]}"


def task_pod(run_id: str, workflow: str, label: str, image: str, platform: Mapping[str, Any]) -> dict[str, Any]:
    """The pod of an executor, as far as anybody here looks at it. No scheduler ever does."""
    executor = spec.platform_executors(platform).get(label, {})
    metadata = executor.get("podMetadata") or {}
    number = int(hashlib.sha256(f"{workflow}/{label}".encode()).hexdigest(), 16) % 10**10
    context = {**SECURITY_CONTEXT, **(executor.get("securityContext") or {})}
    return {
        "apiVersion": "v1",
        "kind": "Pod",
        "metadata": {
            "name": f"{workflow}-system-container-impl-{number:010d}",
            "annotations": {**metadata.get("annotations", {}), "sidecar.istio.io/inject": "false"},
            "labels": {
                **metadata.get("labels", {}),
                "pipeline/runid": run_id,
                "pipelines.kubeflow.org/v2_component": "true",
                "workflows.argoproj.io/workflow": workflow,
                "workflows.argoproj.io/completed": "false",
            },
        },
        "spec": {
            "schedulerName": "none",
            "restartPolicy": "Never",
            "automountServiceAccountToken": False,
            "containers": [{"name": "main", "image": image, "securityContext": context}],
        },
    }


def waiting_pod(
    run_id: str, workflow: str, trouble: Trouble, platform: Mapping[str, Any], service_account: str | None
) -> tuple[dict[str, Any], dict[str, Any]]:
    """Manifest and status of a pod of the run that cannot start."""
    manifest = task_pod(run_id, workflow, trouble.executor, trouble.image, platform)
    pod_spec = manifest["spec"]
    if service_account:
        pod_spec["serviceAccountName"] = service_account
    if trouble.reason == UNSCHEDULABLE:
        executor = spec.platform_executors(platform).get(trouble.executor, {})
        pod_spec["nodeSelector"] = executor.get("nodeSelector", {}).get("labels", {})
        condition = {"type": "PodScheduled", "status": "False", "reason": UNSCHEDULABLE, "message": trouble.message}
        return manifest, {"phase": "Pending", "conditions": [condition]}
    container = {
        "name": "main",
        "image": trouble.image,
        "imageID": "",
        "ready": False,
        "started": False,
        "restartCount": 0,
        "state": {"waiting": {"reason": trouble.reason, "message": trouble.message}},
    }
    return manifest, {"phase": "Pending", "containerStatuses": [container]}
