"""The pods that the operator has others make, before an API server that enforces the level "restricted"."""

from __future__ import annotations

import copy
import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pytest
import yaml

from sklearn_sandbox import embedded
from sklearn_sandbox.kfp import cluster as cluster_of_pipelines

ROOT = Path(__file__).parents[2]
NAMESPACE = "restricted"
#: All of the level but the user.
BY_PIPELINES = cluster_of_pipelines.SECURITY_CONTEXT


@pytest.fixture(scope="module")
def restricted(cluster: embedded.Cluster) -> embedded.Cluster:
    labels = {
        "pod-security.kubernetes.io/enforce": "restricted",
        "pod-security.kubernetes.io/enforce-version": "latest",
    }
    for item in (
        {"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": NAMESPACE, "labels": labels}},
        # Nobody makes it here: no controller runs.
        {"apiVersion": "v1", "kind": "ServiceAccount", "metadata": {"name": "default", "namespace": NAMESPACE}},
    ):
        cluster.kubectl("apply", "-f", "-", input=json.dumps(item))
    return cluster


def refusal(cluster: embedded.Cluster, spec: Mapping[str, Any]) -> str:
    """What the API server says against a pod; nothing where it takes it."""
    pod = {"apiVersion": "v1", "kind": "Pod", "metadata": {"name": "one", "namespace": NAMESPACE}, "spec": dict(spec)}
    return cluster.kubectl("apply", "--dry-run=server", "-f", "-", input=json.dumps(pod), check=False).stderr


def serving() -> dict[str, Any]:
    text = (ROOT / "deploy" / "runtime" / "clusterservingruntime.yaml").read_text()
    return dict(yaml.safe_load(text)["spec"])


def test_the_serving_pods_are_let_in_and_the_level_is_enforced(restricted: embedded.Cluster) -> None:
    spec = {"containers": serving()["containers"]}
    assert refusal(restricted, spec) == ""
    for field in ("allowPrivilegeEscalation", "capabilities", "runAsNonRoot", "seccompProfile"):
        without = copy.deepcopy(spec)
        del without["containers"][0]["securityContext"][field]
        assert "violates PodSecurity" in refusal(restricted, without)


@pytest.mark.parametrize("layout", ["staged", "fused", "cached"])
def test_the_pods_of_every_task_are_let_in(restricted: embedded.Cluster, layout: str) -> None:
    text = (ROOT / "operator" / "sklearn_operator" / "pipelines" / f"{layout}.yaml").read_text()
    pipeline, platform = yaml.safe_load_all(text)
    executors = platform["platforms"]["kubernetes"]["deploymentSpec"]["executors"]
    assert executors.keys() == pipeline["deploymentSpec"]["executors"].keys()
    for name, executor in pipeline["deploymentSpec"]["executors"].items():
        image = executor["container"]["image"]
        container = {
            "name": "main",
            "image": image,
            "securityContext": BY_PIPELINES | executors[name]["securityContext"],
        }
        assert refusal(restricted, {"containers": [container]}) == ""
        container["securityContext"] = BY_PIPELINES
        assert "runAsNonRoot != true" in refusal(restricted, {"containers": [container]})
