"""What the server checks in a pipeline, and the words of it that the local execution needs.

Invariant: what the real server refuses at upload or at submission is refused here with the same status
(backend/src/apiserver/template/v2_template.go).
"""

from __future__ import annotations

import copy
import re
import time
from collections.abc import Mapping
from typing import Any

import yaml

from sklearn_sandbox.kfp import problems

_NAME = re.compile(r"[a-z0-9]([-a-z0-9]*[a-z0-9])?")
_RUN_ID = "{{$.pipeline_job_uuid}}"
_KINDS: dict[str, tuple[str, type | tuple[type, ...]]] = {
    "NUMBER_DOUBLE": ("double or integer", (int, float)),
    "NUMBER_INTEGER": ("double or integer", (int, float)),
    "STRING": ("string", str),
    "BOOLEAN": ("bool", bool),
    "LIST": ("list", list),
    "STRUCT": ("struct", dict),
}


def parse(content: bytes | str) -> tuple[dict[str, Any], dict[str, Any]]:
    """Pipeline spec and platform spec of one or two YAML documents."""
    context = "InvalidInputError"
    try:
        documents = [item for item in yaml.load_all(content, Loader=yaml.CSafeLoader) if item]
    except yaml.YAMLError as error:
        raise problems.invalid(context, f"failed to parse pipeline spec YAML: {error}") from error
    pipeline: dict[str, Any] | None = None
    platform: dict[str, Any] = {}
    for item in documents:
        if not isinstance(item, dict):
            raise problems.invalid(context, "unknown template format")
        if "pipelineInfo" in item:
            if pipeline is not None:
                raise problems.invalid(context, "multiple pipeline specs provided")
            pipeline = item
        elif "platforms" in item:
            platform = item
    if pipeline is None:
        raise problems.invalid(context, "unknown template format")
    _check(context, pipeline)
    return pipeline, platform


def _check(context: str, pipeline: Mapping[str, Any]) -> None:
    version = pipeline.get("schemaVersion")
    if version != "2.1.0":
        message = f"KFP only supports schema version 2.1.0, but the pipeline spec has version {version}"
        raise problems.invalid(context, message)
    name = (pipeline.get("pipelineInfo") or {}).get("name")
    if not name or not _NAME.search(str(name)):
        raise problems.invalid(context, "invalid v2 pipeline spec: name is empty or malformed")
    if not pipeline.get("root"):
        raise problems.invalid(context, "invalid v2 pipeline spec: root component is empty")


def check_parameters(pipeline: Mapping[str, Any], given: Mapping[str, Any]) -> None:
    """Parameters must be there, of the right type, and known."""
    context = "Failed to create a new run: Failed to generate the ExecutionSpec"
    declared = ((pipeline["root"].get("inputDefinitions")) or {}).get("parameters") or {}
    for name, parameter in declared.items():
        if name not in given:
            if not parameter.get("isOptional") and "defaultValue" not in parameter:
                message = f"parameter {name} is not optional, yet has neither default value nor user provided value"
                raise problems.invalid(context, message)
            continue
        words, kind = _KINDS.get(parameter.get("parameterType"), ("", object))
        value = given[name]
        if not isinstance(value, kind) or (isinstance(value, bool) and kind is not bool and kind is not object):
            message = f"input parameter {name} requires type {words}, but the parameter value is not of that type"
            raise problems.invalid(context, message)
    extra = sorted(set(given) - set(declared))
    if extra:
        raise problems.invalid(context, f"parameter(s) provided are not required by pipeline: {', '.join(extra)}")


def expand_macros(parameters: Mapping[str, Any], run_id: str, now: float) -> dict[str, Any]:
    """The server replaces these in every string parameter (backend/src/common/util/parameter_formatter.go)."""
    stamp = time.strftime("%Y%m%d%H%M%S", time.gmtime(now))
    expanded = dict(parameters)
    for name, value in parameters.items():
        if isinstance(value, str):
            expanded[name] = value.replace("[[RunUUID]]", run_id).replace("[[CurrentTime]]", stamp)
    return expanded


def named(pipeline: Mapping[str, Any], run_id: str) -> dict[str, Any]:
    """With the run's id for tasks that ask for it; the driver knows the placeholder as a whole value only.

    The local runner would give an id of its own (backend/src/v2/driver/resolve.go).
    """
    found: dict[str, Any] = copy.deepcopy(dict(pipeline))
    for component in (found.get("root") or {}, *(found.get("components") or {}).values()):
        for task in ((component.get("dag") or {}).get("tasks") or {}).values():
            for parameter in ((task.get("inputs") or {}).get("parameters") or {}).values():
                value = parameter.get("runtimeValue") or {}
                if value.get("constant") == _RUN_ID:
                    value["constant"] = run_id
    return found


def images(pipeline: Mapping[str, Any]) -> dict[str, str]:
    """Image by executor."""
    executors = (pipeline.get("deploymentSpec") or {}).get("executors") or {}
    return {label: one["container"]["image"] for label, one in executors.items() if "container" in one}


def environment(pipeline: Mapping[str, Any], label: str) -> dict[str, str]:
    """Variables that the pipeline itself gives to an executor."""
    container = pipeline["deploymentSpec"]["executors"][label]["container"]
    return {item["name"]: item.get("value", "") for item in container.get("env", [])}


def platform_executors(platform: Mapping[str, Any]) -> dict[str, dict[str, Any]]:
    kubernetes = (platform.get("platforms") or {}).get("kubernetes") or {}
    return dict((kubernetes.get("deploymentSpec") or {}).get("executors") or {})


def run_deadline(platform: Mapping[str, Any]) -> float | None:
    """PipelineConfig(active_deadline_seconds=...), for the run as a whole."""
    kubernetes = (platform.get("platforms") or {}).get("kubernetes") or {}
    seconds = (kubernetes.get("pipelineConfig") or {}).get("activeDeadlineSeconds")
    return float(seconds) if seconds else None
