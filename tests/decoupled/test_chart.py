"""What the chart and the kustomizations render, shown to a real API server: it would take every object as it is."""

from __future__ import annotations

import functools
import json
import operator
import os
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import yaml

from chart import choices, copies
from scripts.manifests import kustomize
from sklearn_sandbox import embedded, helm, paths

Manifest = dict[str, Any]

DRY = ("--server-side", "--dry-run=server", "--validate=strict", "--force-conflicts", "--field-manager=helm")
KUSTOMIZE = paths.project_root() / "deploy" / "kustomize"
COMPONENTS = sorted(folder.name for folder in (KUSTOMIZE / "components").iterdir())


@pytest.fixture(scope="module")
def tool() -> helm.Helm:
    return helm.ensure()


@pytest.fixture(scope="module")
def whole(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return copies.whole(tmp_path_factory.mktemp("chart") / "sklearn-operator")


@pytest.fixture(scope="module")
def prepared(cluster: embedded.Cluster) -> Iterator[embedded.Cluster]:
    """With Prometheus Operator's kinds, and two namespaces of teams; one of them lets restricted pods in alone."""
    definitions = str(paths.project_root() / "tests" / "data" / "monitoring.yaml")
    cluster.kubectl("apply", "-f", definitions)
    cluster.kubectl("wait", "--for=condition=Established", "-f", definitions)
    for name in ("team-a", "team-b"):
        cluster.kubectl("create", "namespace", name)
    cluster.kubectl("label", "namespace", "team-a", "pod-security.kubernetes.io/enforce=restricted")
    cluster.kubectl("create", "serviceaccount", "sklearn-operator", "-n", "team-a")
    yield cluster
    cluster.kubectl("delete", "namespace", "team-a", "team-b", "--wait=false")
    cluster.kubectl("delete", "-f", definitions, "--wait=false")


def shown(cluster: embedded.Cluster, manifests: list[Manifest]) -> str:
    done = cluster.kubectl("apply", *DRY, "-f", "-", input=listed(manifests))
    assert "Warning" not in done.stderr, done.stderr
    return done.stdout


@pytest.mark.parametrize("values", choices.CHOICES.values(), ids=choices.CHOICES)
def test_the_server_takes_every_object(
    prepared: embedded.Cluster, tool: helm.Helm, whole: Path, values: choices.Values
) -> None:
    manifests = [one.manifest for one in tool.render(values, chart=whole)]
    said = shown(prepared, manifests)
    assert said.count("(server dry run)") == len(manifests)


@pytest.mark.parametrize("values", [choices.CHOICES["nothing said"], choices.EVERYTHING], ids=["plain", "everything"])
def test_a_namespace_for_restricted_pods_lets_the_operators_and_the_runtimes_pods_in(
    prepared: embedded.Cluster, tool: helm.Helm, values: choices.Values
) -> None:
    found = {one.manifest["kind"]: one.manifest for one in tool.render(values)}
    operator = dict(found["Deployment"]["spec"]["template"]["spec"]) | {"serviceAccountName": "sklearn-operator"}
    served = {"containers": found["ClusterServingRuntime"]["spec"]["containers"]}
    for name, spec in {"operator": operator, "served": served}.items():
        pod = {"apiVersion": "v1", "kind": "Pod", "metadata": {"name": name, "namespace": "team-a"}, "spec": spec}
        spec.setdefault("serviceAccountName", "sklearn-operator")
        assert "created" in prepared.kubectl("create", "--dry-run=server", "-f", "-", input=json.dumps(pod)).stdout


def test_a_misspelt_field_would_be_refused(prepared: embedded.Cluster, tool: helm.Helm, whole: Path) -> None:
    found = [one.manifest for one in tool.render(choices.MONITORING, chart=whole)]
    (monitor,) = [manifest for manifest in found if manifest["kind"] == "ServiceMonitor"]
    monitor["spec"]["endpoints"][0]["intervall"] = "1m"
    with pytest.raises(AssertionError, match="unknown field"):
        shown(prepared, [monitor])


@pytest.mark.parametrize(
    "names",
    [[], *([name] for name in COMPONENTS), ["namespaces", "multi-user", "monitoring"]],
    ids=lambda names: " and ".join(names) or "none",
)
def test_components_build_what_the_chart_renders_with_their_values(
    prepared: embedded.Cluster, tool: helm.Helm, tmp_path: Path, names: list[str]
) -> None:
    found = [os.path.relpath(KUSTOMIZE / "components" / name, tmp_path) for name in names]
    content = {"resources": [os.path.relpath(KUSTOMIZE, tmp_path)], "components": found}
    (tmp_path / "kustomization.yaml").write_text(yaml.safe_dump(content))
    built = list(yaml.safe_load_all(prepared.kubectl("kustomize", str(tmp_path)).stdout))
    have = [path.name for path in (helm.chart_folder() / "files").iterdir()]
    values = [kustomize.components(have)[name][1] for name in names]
    rendered = kustomize.plain(tool.render(functools.reduce(operator.or_, values, kustomize.BASE_VALUES)))
    expected = [one.manifest for one in rendered] + [kustomize.NAMESPACE]
    assert by_name(built) == by_name(expected)
    shown(prepared, built)


def test_whoever_removes_the_operator_leaves_the_kinds(prepared: embedded.Cluster) -> None:
    kinds = {}
    for name in ("crds", "base"):
        built = yaml.safe_load_all(prepared.kubectl("kustomize", str(KUSTOMIZE / name)).stdout)
        kinds[name] = {manifest["kind"] for manifest in built}
    assert kinds["crds"] == {"CustomResourceDefinition"} and not kinds["base"] & kinds["crds"]


def by_name(manifests: list[Manifest]) -> dict[str, Any]:
    """Comparable: lists whose entries have names come in no particular order."""

    def ordered(value: Any) -> Any:
        if isinstance(value, dict):
            return {key: ordered(below) for key, below in value.items()}
        if isinstance(value, list):
            named = all(isinstance(one, dict) and ("name" in one or "mountPath" in one) for one in value)
            parts = [ordered(one) for one in value]
            return sorted(parts, key=lambda one: one.get("mountPath") or one["name"]) if named else parts
        return value

    found = {}
    for manifest in manifests:
        metadata = manifest["metadata"]
        found[f"{manifest['kind']} {metadata.get('namespace', '')}/{metadata['name']}"] = ordered(manifest)
    assert len(found) == len(manifests)
    return found


def test_an_owner_reference_takes_the_right_to_the_owners_finalizers(
    prepared: embedded.Cluster, tool: helm.Helm
) -> None:
    """The one right that no audit log shows in use."""
    found = [one.manifest for one in tool.render({"namespaces": ["team-b"]}, release="whole", namespace="team-b")]
    mine = [manifest for manifest in found if manifest["kind"] in ("Role", "RoleBinding", "ServiceAccount")]
    prepared.kubectl("apply", "-f", "-", input=listed(mine))
    for manifest in mine:
        if manifest["kind"] == "Role":
            manifest["rules"] = [
                rule for rule in manifest["rules"] if rule["resources"] != ["sklearnmodels/finalizers"]
            ]
    prepared.kubectl("apply", "-f", "-", input=listed(mine).replace("whole-sklearn-operator", "less-sklearn-operator"))
    owner = {"apiVersion": "sklearn-operator.io/v1alpha1", "kind": "SklearnModel", "name": "digits", "uid": "1"}
    service = {
        "apiVersion": "serving.kserve.io/v1beta1",
        "kind": "InferenceService",
        "metadata": {
            "name": "digits",
            "namespace": "team-b",
            "ownerReferences": [owner | {"blockOwnerDeletion": True}],
        },
        "spec": {"predictor": {"model": {"modelFormat": {"name": "sklearn"}}}},
    }
    said = {}
    for name in ("whole", "less"):
        account = f"--as=system:serviceaccount:team-b:{name}-sklearn-operator"
        options = ("--server-side", "--dry-run=server", "-f", "-", account)
        said[name] = prepared.kubectl("apply", *options, input=json.dumps(service), check=False)
    assert said["whole"].returncode == 0, said["whole"].stderr
    assert "cannot set blockOwnerDeletion if an ownerReference refers to a resource" in said["less"].stderr


def listed(manifests: list[Manifest]) -> str:
    return json.dumps({"apiVersion": "v1", "kind": "List", "items": manifests})
