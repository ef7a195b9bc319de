"""The webhooks' conversation: an AdmissionReview in, an AdmissionReview with a verdict and a JSON patch out.

Invariant: what is not understood is refused, never waved through.
"""

from __future__ import annotations

import base64
import json
from collections.abc import Callable, Iterator
from typing import Any

from sklearn_sandbox.kserve import client, defaulting, names, pods, validation
from sklearn_sandbox.kserve.names import Json


def default_service(review: Json) -> Json:
    return _answer(review, patched=defaulting.default(review["request"]["object"]))


def validate_service(review: Json) -> Json:
    request = review["request"]
    return _answer(review, objection=validation.objection(request["object"], request.get("oldObject")))


async def mutate_pod(review: Json, api: client.Client) -> Json:
    """Refused where the named Secret is not there; the ReplicaSet says so in an event and in ReplicaFailure."""
    request = review["request"]
    pod, namespace = request["object"], request["namespace"]
    uri = pods.source_uri(pod)
    if names.ISVC_LABEL not in names.labels_of(pod) or uri is None:
        return _answer(review)
    account = await api.get(client.ACCOUNTS, namespace, pod["spec"].get("serviceAccountName") or "default")
    found = []
    for name in pods.secret_names(pod, account):
        secret = await api.get(client.SECRETS, namespace, name)
        if secret is None:
            return _answer(review, objection=f'secrets "{name}" not found', code=500)
        found.append(secret)
    try:
        return _answer(review, patched=pods.inject(pod, uri, found))
    except LookupError as error:
        return _answer(review, objection=str(error.args[0]), code=500)


def _answer(review: Json, *, patched: Json | None = None, objection: str | None = None, code: int = 403) -> Json:
    request = review["request"]
    response: Json = {"uid": request["uid"], "allowed": objection is None}
    if objection is not None:
        response["status"] = {"code": code, "message": objection}
    elif patched is not None and (changes := list(difference(request["object"], patched))):
        response["patchType"] = "JSONPatch"
        response["patch"] = base64.b64encode(json.dumps(changes).encode()).decode()
    return {"apiVersion": review["apiVersion"], "kind": "AdmissionReview", "response": response}


def difference(old: Any, new: Any, path: str = "") -> Iterator[Json]:
    """A JSON patch; a changed list is replaced as a whole."""
    if isinstance(old, dict) and isinstance(new, dict):
        for key in old.keys() - new.keys():
            yield {"op": "remove", "path": f"{path}/{_escaped(key)}"}
        for key, value in new.items():
            if key in old:
                yield from difference(old[key], value, f"{path}/{_escaped(key)}")
            else:
                yield {"op": "add", "path": f"{path}/{_escaped(key)}", "value": value}
    elif old != new:
        yield {"op": "replace", "path": path, "value": new}


def _escaped(key: str) -> str:
    return key.replace("~", "~0").replace("/", "~1")


def configurations(url: Callable[[str], str], authority: str) -> tuple[Json, Json]:
    """The mutating and the validating configuration; `authority` is the certificate, base64."""

    def hook(name: str, path: str, group: str, version: str, plural: str, operations: list[str], **more: Any) -> Json:
        return {
            "name": f"inferenceservice.kserve-webhook-server.{name}",
            "clientConfig": {"url": url(path), "caBundle": authority},
            "failurePolicy": "Fail",
            "sideEffects": "None",
            "admissionReviewVersions": ["v1"],
            "rules": [
                {"apiGroups": [group], "apiVersions": [version], "resources": [plural], "operations": operations}
            ],
            **more,
        }

    both = ["CREATE", "UPDATE"]
    ours = {"matchExpressions": [{"key": names.ISVC_LABEL, "operator": "Exists"}]}
    elsewhere = {"matchExpressions": [{"key": "control-plane", "operator": "DoesNotExist"}]}
    version, plural = "v1beta1", "inferenceservices"
    mutating = [
        hook("defaulter", MUTATE_SERVICE, names.GROUP, version, plural, both),
        hook(
            "pod-mutator",
            MUTATE_POD,
            "",
            "v1",
            "pods",
            ["CREATE"],
            objectSelector=ours,
            namespaceSelector=elsewhere,
            reinvocationPolicy="IfNeeded",
        ),
    ]
    validating = [hook("validator", VALIDATE_SERVICE, names.GROUP, version, plural, both)]
    return _configuration("Mutating", mutating), _configuration("Validating", validating)


MUTATE_SERVICE = "/mutate-serving-kserve-io-v1beta1-inferenceservice"
VALIDATE_SERVICE = "/validate-serving-kserve-io-v1beta1-inferenceservice"
MUTATE_POD = "/mutate-pods"


def _configuration(kind: str, hooks: list[Json]) -> Json:
    return {
        "apiVersion": "admissionregistration.k8s.io/v1",
        "kind": f"{kind}WebhookConfiguration",
        "metadata": {"name": "inferenceservice.serving.kserve.io"},
        "webhooks": hooks,
    }
