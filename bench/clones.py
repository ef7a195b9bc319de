"""Many settled models from one: what the real operator, KServe and Kubernetes made of it, under other names.

Invariant: a clone differs from its original in name and uids alone, and in what is computed from them (run id, folder
of the artifact), so the operator finds nothing to correct.
"""

from __future__ import annotations

import asyncio
import json
import re
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from bench import latency
from bench import place as places
from sklearn_operator.backends import kubernetes
from sklearn_operator.core import naming

Object = dict[str, Any]
LANES = 16
_KEPT = ("name", "namespace", "labels", "annotations", "finalizers", "ownerReferences")


@dataclass(frozen=True)
class Sample:
    """One settled model with its children, as read from the API server."""

    model: Object
    versions: tuple[Object, ...]
    service: Object
    deployment: Object


def capture(place: places.Place, versions: int) -> Sample:
    """The model that stands in the sandbox, once nothing about it changes any more."""
    place.quiet()
    found = [place.list(path) for path in (places.MODELS, places.VERSIONS, places.SERVICES, places.DEPLOYMENTS)]
    if [len(items) for items in found] != [1, versions, 1, 1]:
        raise places.NotMeasured(f"the sandbox does not hold exactly one settled model with {versions} versions")
    headers = (
        {"apiVersion": naming.API_VERSION, "kind": "SklearnModel"},
        {"apiVersion": naming.API_VERSION, "kind": "SklearnModelVersion"},
        {"apiVersion": "serving.kserve.io/v1beta1", "kind": "InferenceService"},
        {"apiVersion": "apps/v1", "kind": "Deployment"},
    )
    model, made, service, deployment = (
        tuple(header | item for item in items) for header, items in zip(headers, found, strict=True)
    )
    return Sample(model[0], made, service[0], deployment[0])


async def spread(place: places.Place, sample: Sample, count: int) -> None:
    """``count`` clones of the sample."""
    gate = asyncio.Semaphore(LANES)
    async with kubernetes.connect(str(place.sandbox.kubeconfig), naming.FIELD_MANAGER) as client:

        async def one(number: int) -> None:
            async with gate:
                await _clone(client, sample, {latency.NAME: f"{latency.NAME}-{number:05d}"})

        await asyncio.gather(*(one(number) for number in range(count)))


async def _clone(client: kubernetes.KubernetesClient, sample: Sample, names: Mapping[str, str]) -> None:
    known = dict(names)
    made = []
    for resource, original in (
        (kubernetes.MODELS, sample.model),
        *((kubernetes.VERSIONS, version) for version in sample.versions),
        (kubernetes.INFERENCE_SERVICES, sample.service),
        (kubernetes.DEPLOYMENTS, sample.deployment),
    ):
        created = await client.create(resource, "default", _renamed(_body(original), known))
        old, new = original["metadata"]["uid"], created["metadata"]["uid"]
        known[old] = new
        if resource is kubernetes.VERSIONS:
            known |= {old[:8]: new[:8], naming.run_id(old, 1): naming.run_id(new, 1)}
            known |= {naming.run_id(old, 1)[:8]: naming.run_id(new, 1)[:8]}
        made.append((resource, original, created))
    for resource, original, created in made:
        body = {**created, "status": _renamed(original["status"], known)}
        body["metadata"].pop("managedFields", None)
        await client.replace_status(resource, "default", created["metadata"]["name"], body)


def _body(original: Object) -> Object:
    metadata = {name: value for name, value in original["metadata"].items() if name in _KEPT}
    return {**{key: original[key] for key in ("apiVersion", "kind", "spec")}, "metadata": metadata}


def _renamed(document: Object, known: Mapping[str, str]) -> Object:
    """The longest first: a folder is named by the first part of a uid that elsewhere stands whole."""
    longest_first = sorted(known, key=len, reverse=True)
    pattern = re.compile("|".join(map(re.escape, longest_first)))
    text = pattern.sub(lambda match: known[match.group()], json.dumps(document))
    renamed: Object = json.loads(text)
    return renamed
