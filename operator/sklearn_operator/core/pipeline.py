"""The pipeline of one version: the compiled base with the version's own image, resources, retries and Secrets.

Invariant: a pure function on the compiled documents. What the SDK would write for the same settings is what stands
here; a contract test compiles both and compares. No secret value is ever in it, only names.
"""

from __future__ import annotations

import copy
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import timedelta
from typing import Any

import yaml

from sklearn_operator import api
from sklearn_operator.core import datasets, observed, places, quantities, training
from sklearn_operator.core.settings import Settings
from sklearn_steps import contract

_GIGABYTE = 10**9
#: The operator ends a run at its timeout and says so; the deadline of a task is for when there is no operator.
_SLACK = timedelta(minutes=1)


@dataclass(frozen=True)
class Rendered:
    """What is submitted: pipeline spec, platform spec and the service account of the run, None for the server's own."""

    pipeline: dict[str, Any]
    platform: dict[str, Any]
    service_account: str | None = None


@dataclass(frozen=True)
class BasePipelines:
    """The compiled documents by layout."""

    documents: Mapping[str, tuple[dict[str, Any], dict[str, Any]]]

    @classmethod
    def parse(cls, texts: Mapping[str, str]) -> BasePipelines:
        """From the compiler's two-document YAML."""
        documents = {}
        for layout, text in texts.items():
            pipeline, platform = yaml.load_all(text, Loader=yaml.CSafeLoader)
            documents[layout] = (pipeline, platform)
        return cls(documents)


def render(
    base: BasePipelines, version: observed.Version, settings: Settings, config: observed.Json | None = None
) -> Rendered:
    """The documents for one version; ``config`` is what its run is told, where that is cached."""
    inputs = version.training
    layout = str((inputs.get("pipeline") or {}).get("layout") or "Staged")
    cached = training.cached(version)
    pipeline, platform = copy.deepcopy(base.documents["Cached" if cached else layout])
    options = inputs.get("training") or {}
    for executor in pipeline["deploymentSpec"]["executors"].values():
        _shape(executor["container"], training.image(version, settings), _resources(options, settings))
    for executor in platform["platforms"]["kubernetes"]["deploymentSpec"]["executors"].values():
        _connect(executor, inputs, settings)
        _mount(executor, (inputs.get("model") or {}).get("script") or {})
        _place(executor, options)
        if not settings.task_run_as_non_root:
            executor.pop("securityContext")
    for task in pipeline["root"]["dag"]["tasks"].values():
        _retry(task, options.get("retries") or {})
        if cached and config is not None and task["cachingOptions"].get("enableCache"):
            executor = pipeline["components"][task["componentRef"]["name"]]["executorLabel"]
            _belong(pipeline["deploymentSpec"]["executors"][executor]["container"], config)
    return Rendered(pipeline, platform, options.get("serviceAccountName"))


def _resources(options: Mapping[str, Any], settings: Settings) -> dict[str, dict[str, str]]:
    """Requests and limits are always set: a namespace with a quota refuses pods that lack them."""
    asked = options.get("resources") or {}
    limits = {**settings.task_limits, **(asked.get("limits") or {})}
    requests = {**settings.task_requests, **(asked.get("requests") or {})}
    for name, value in requests.items():
        if name in limits and quantities.parse(value) > quantities.parse(limits[name]):
            if name in (asked.get("requests") or {}):
                limits[name] = value
            else:
                requests[name] = limits[name]
    return {"requests": requests, "limits": limits}


def _shape(container: dict[str, Any], image: str, resources: Mapping[str, Mapping[str, str]]) -> None:
    container["image"] = image
    shaped: dict[str, Any] = {}
    for kind, suffix in (("requests", "Request"), ("limits", "Limit")):
        for name, unit in (("cpu", 1), ("memory", _GIGABYTE)):
            text = resources[kind].get(name)
            if text is not None:
                shaped[f"{name}{suffix}"] = float(quantities.parse(text) / unit)
                shaped[f"resource{name.capitalize()}{suffix}"] = str(text)
    for name, count in resources["limits"].items():
        if name not in ("cpu", "memory"):
            text = str(count)
            shaped["accelerator"] = {"count": text, "resourceCount": text, "resourceType": name, "type": name}
    container["resources"] = shaped
    cores = max(1, int(quantities.parse(resources["limits"]["cpu"])))
    own = {
        contract.CPU_LIMIT_ENV: str(cores),
        contract.MEMORY_LIMIT_ENV: str(int(quantities.parse(resources["limits"]["memory"]))),
    }
    environment = [item for item in container.get("env", []) if item["name"] not in own]
    container["env"] = [*environment, *({"name": name, "value": value} for name, value in own.items())]


def _belong(container: dict[str, Any], config: observed.Json) -> None:
    """What a cached task must know to report a failure, where the cache does not look: not among its parameters."""
    run = {name: config[name] for name in contract.RUN_FIELDS}
    container["env"] = [*container["env"], {"name": contract.RUN_ENV, "value": training.encode_config(run)}]


def _connect(executor: dict[str, Any], inputs: Mapping[str, Any], settings: Settings) -> None:
    data = inputs.get("data") or {}
    config_map = (data.get("source") or {}).get("configMap")
    claim = datasets.claim(str((data.get("source") or {}).get("uri") or ""))
    names = {
        contract.STORE_SECRET_PLACEHOLDER: places.secret(inputs, settings),
        contract.DATA_SECRET_PLACEHOLDER: data.get("credentialsSecret"),
    }
    secrets = []
    for entry in executor.get("secretAsEnv", []):
        name = names.get(entry["secretName"])
        if name:
            secrets.append(_named(entry, "secretName", name))
    maps = []
    for entry in executor.get("configMapAsEnv", []):
        if config_map:
            keys = [{**key, "configMapKey": config_map["key"]} for key in entry["keyToEnv"]]
            maps.append(_named({**entry, "keyToEnv": keys}, "configMapName", config_map["name"]))
    volumes = [_mounted(entry, claim) for entry in executor.get("pvcMount", []) if claim]
    for field, entries in (("secretAsEnv", secrets), ("configMapAsEnv", maps), ("pvcMount", volumes)):
        executor.pop(field, None)
        if entries:
            executor[field] = entries


def _mounted(entry: dict[str, Any], claim: str) -> dict[str, Any]:
    return {**entry, "constant": claim, "pvcNameParameter": {"runtimeValue": {"constant": claim}}}


def _mount(executor: dict[str, Any], script: Mapping[str, Any]) -> None:
    """The ConfigMap with the script, where there is one. Whether the key is in it, the task says in better words."""
    config_map = (script.get("source") or {}).get("configMap")
    mounts = executor.pop("configMapAsVolume", [])
    if config_map and mounts:
        executor["configMapAsVolume"] = [_named(entry, "configMapName", config_map["name"]) for entry in mounts]


def _place(executor: dict[str, Any], options: Mapping[str, Any]) -> None:
    """On which nodes, with whose word at the registry, and for how long at most."""
    labels = options.get("nodeSelector")
    tolerations = [_toleration(item) for item in options.get("tolerations") or ()]
    secrets = [_named({}, "secretName", str(item["name"])) for item in options.get("imagePullSecrets") or ()]
    timeout = api.parse_duration(options["timeout"]) + _SLACK if options.get("timeout") else None
    for field, value in (
        # A 64-bit number is text in the JSON of protobuf.
        ("activeDeadlineSeconds", str(int(timeout.total_seconds())) if timeout else None),
        ("nodeSelector", {"labels": dict(labels)} if labels else None),
        ("tolerations", tolerations),
        ("imagePullSecret", secrets),
    ):
        if value:
            executor[field] = value


def _toleration(item: Mapping[str, Any]) -> dict[str, Any]:
    """A 64-bit number is text in the JSON of protobuf."""
    return {name: str(value) if name == "tolerationSeconds" else value for name, value in item.items()}


def _named(entry: Mapping[str, Any], field: str, name: str) -> dict[str, Any]:
    return {**entry, field: name, f"{field}Parameter": {"runtimeValue": {"constant": name}}}


def _retry(task: dict[str, Any], retries: Mapping[str, Any]) -> None:
    limit = int(retries.get("limit") or 0)
    if limit:
        backoff = api.parse_duration(retries.get("backoff") or "0s")
        task["retryPolicy"] = {
            "maxRetryCount": limit,
            # A duration of protobuf: seconds are its only unit.
            "backoffDuration": f"{int(backoff.total_seconds())}s",
            "backoffFactor": 2.0,
            "backoffMaxDuration": "3600s",
        }
