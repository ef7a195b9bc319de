"""What the chart renders: linted, restricted, with the rights that it says and no others."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from chart import choices
from scripts.manifests import settings
from sklearn_operator.runtime.settings import OperatorSettings
from sklearn_sandbox import helm

Manifest = dict[str, Any]


@pytest.fixture(scope="module", params=choices.CHOICES.values(), ids=choices.CHOICES)
def rendered(request: pytest.FixtureRequest, tool: helm.Helm, whole: Path) -> list[Manifest]:
    return [one.manifest for one in tool.render(request.param, chart=whole)]


def one(found: list[Manifest], kind: str) -> Manifest:
    (only,) = [manifest for manifest in found if manifest["kind"] == kind]
    return only


def rules(found: list[Manifest]) -> Iterator[tuple[Manifest, Manifest]]:
    for manifest in found:
        for rule in manifest.get("rules", []):
            yield manifest, rule


def variables(found: list[Manifest]) -> dict[str, Any]:
    entries = one(found, "Deployment")["spec"]["template"]["spec"]["containers"][0]["env"]
    names = [entry["name"] for entry in entries]
    assert len(names) == len(set(names))
    return {entry["name"]: entry.get("value", entry.get("valueFrom")) for entry in entries}


@pytest.mark.parametrize("values", choices.CHOICES.values(), ids=choices.CHOICES)
def test_helm_has_nothing_to_object(tool: helm.Helm, whole: Path, tmp_path: Path, values: choices.Values) -> None:
    given = tmp_path / "values.json"
    given.write_text(json.dumps(values))
    tool.run("lint", "--strict", "--quiet", "--values", str(given), str(whole))


@pytest.mark.parametrize(("values", "message"), choices.REFUSED.values(), ids=choices.REFUSED)
def test_bad_values_are_refused_in_words(tool: helm.Helm, values: choices.Values, message: str) -> None:
    with pytest.raises(helm.Refused) as refusal:
        tool.render(values)
    assert message in str(refusal.value)


def test_no_right_is_a_wildcard_and_none_reaches_into_pods_or_lists_secrets(rendered: list[Manifest]) -> None:
    for manifest, rule in rules(rendered):
        told = f"{manifest['kind']} {manifest['metadata']['name']}: {rule}"
        assert "nonResourceURLs" not in rule, told
        words = {*rule["apiGroups"], *rule["resources"], *rule["verbs"], *rule.get("resourceNames", [])}
        assert not any("*" in word for word in words), told
        assert not {"pods/exec", "pods/attach", "pods/portforward", "serviceaccounts/token"} & set(rule["resources"])
        assert not {"escalate", "bind", "impersonate"} & set(rule["verbs"]), told
        if rule["resources"] == ["leases"] and "create" not in rule["verbs"]:
            assert len(rule["resourceNames"]) == 1, told
        if "secrets" in rule["resources"]:
            assert rule["verbs"] == ["get"] and manifest["metadata"]["name"].endswith("-artifact-secrets"), told


def test_pods_are_restricted(rendered: list[Manifest]) -> None:
    template = one(rendered, "Deployment")["spec"]["template"]["spec"]
    (container,) = template["containers"]
    assert template["securityContext"]["runAsUser"] == 65532
    assert container["securityContext"] == {
        "allowPrivilegeEscalation": False,
        "privileged": False,
        "readOnlyRootFilesystem": True,
        "runAsNonRoot": True,
        "capabilities": {"drop": ["ALL"]},
    }
    assert container["resources"]["limits"]["memory"]
    assert not any("hostPath" in volume for volume in template["volumes"])


def test_the_operators_variables_are_its_settings(rendered: list[Manifest]) -> None:
    prefix = "SKLEARN_OPERATOR_"
    given = {name.removeprefix(prefix).lower() for name in variables(rendered) if name.startswith(prefix)}
    assert given - settings.OF_THE_CHART == {setting.name for setting in settings.documented()}
    assert {"namespaces", "trainer_image"} <= given


def test_with_namespaces_nothing_is_the_clusters_but_the_kinds_and_the_roles_of_people(tool: helm.Helm) -> None:
    found = [document.manifest for document in tool.render(choices.CHOICES["two namespaces"])]
    wide = [manifest for manifest in found if "namespace" not in manifest["metadata"]]
    assert {manifest["kind"] for manifest in wide} == {"CustomResourceDefinition", "ClusterRole"}
    assert all(
        any("aggregate-to" in label for label in manifest["metadata"]["labels"])
        for manifest in wide
        if manifest["kind"] == "ClusterRole"
    )
    places = {manifest["metadata"]["namespace"] for manifest in found if manifest["kind"] == "ServingRuntime"}
    assert places == {"team-a", "team-b"}
    assert variables(found)["SKLEARN_OPERATOR_NAMESPACES"] == "team-a,team-b"


def test_two_releases_in_one_namespace_have_a_lease_each(tool: helm.Helm) -> None:
    leases = {}
    for release, values in (("one", {"namespaces": ["a"]}), ("two", {"namespaces": ["b"], "crds": {"install": False}})):
        found = [document.manifest for document in tool.render(values, release=release)]
        leases[release] = variables(found)["SKLEARN_OPERATOR_LEASE_NAME"]
        of_leases = [rule for _, rule in rules(found) if rule["resources"] == ["leases"]]
        assert [rule["resourceNames"] for rule in of_leases if "resourceNames" in rule] == [[leases[release]]]
    assert leases == {"one": "one-sklearn-operator", "two": "two-sklearn-operator"}
    chosen = tool.render({"settings": {"leaseName": "mine"}})
    assert variables([document.manifest for document in chosen])["SKLEARN_OPERATOR_LEASE_NAME"] == "mine"


def test_two_releases_have_no_object_in_common(tool: helm.Helm) -> None:
    """Helm would refuse the second one."""
    more: dict[str, Any] = {"crds": {"install": False}}
    one, two = (
        {
            (manifest["kind"], manifest["metadata"].get("namespace"), manifest["metadata"]["name"])
            for manifest in (document.manifest for document in tool.render(values, release=release))
        }
        for release, values in (("one", {"namespaces": ["a"]}), ("two", {"namespaces": ["b"], **more}))
    )
    assert not one & two


def test_pods_log_for_programs_and_processes_for_people(tool: helm.Helm) -> None:
    found = variables([document.manifest for document in tool.render()])
    assert found["SKLEARN_OPERATOR_LOG_FORMAT"] == "json"
    assert OperatorSettings.model_fields["log_format"].default == "text"


def test_without_replicas_there_is_no_budget(tool: helm.Helm) -> None:
    kinds = {document.manifest["kind"] for document in tool.render({"replicas": 0})}
    assert "Deployment" in kinds and "PodDisruptionBudget" not in kinds


def test_what_is_no_value_may_be_said_as_a_variable(tool: helm.Helm) -> None:
    given = [{"name": f"SKLEARN_OPERATOR_{name.upper()}", "value": "x"} for name in sorted(settings.OUTSIDE)]
    found = variables([document.manifest for document in tool.render({"extraEnv": given})])
    assert [found[entry["name"]] for entry in given] == ["x", "x"]


@pytest.mark.parametrize(
    ("policy", "told"),
    [
        ({}, "networkPolicy.from is empty: every pod of the cluster may read the operator's metrics"),
        ({"enabled": False}, "networkPolicy.enabled is false: every pod of the cluster"),
        ({"from": [{"podSelector": {}}]}, ""),
    ],
    ids=["open to all", "no policy", "closed"],
)
def test_whoever_installs_is_told_who_may_read_metrics(tool: helm.Helm, policy: Manifest, told: str) -> None:
    options = ["--dry-run=client", "--namespace", helm.NAMESPACE, "--values", "-"]
    said = tool.run(
        "install", helm.RELEASE, str(helm.chart_folder()), *options, text=json.dumps({"networkPolicy": policy})
    )
    notes = said.partition("\nNOTES:\n")[2]
    assert "looks after all namespaces" in notes
    assert told in notes and ("metrics" in notes) is bool(told)


def test_credentials_come_from_secrets_alone(tool: helm.Helm) -> None:
    found = variables([document.manifest for document in tool.render(choices.EVERYTHING)])
    for name in ("ACCESS_KEY_ID", "SECRET_ACCESS_KEY"):
        reference = {"secretKeyRef": {"name": "store", "key": f"AWS_{name}"}}
        assert found[f"SKLEARN_OPERATOR_STORE_{name}"] == reference


def test_traces_go_where_the_values_say_and_nowhere_unless_they_do(tool: helm.Helm) -> None:
    with_it, without = ([document.manifest for document in tool.render(one)] for one in (choices.EVERYTHING, {}))
    assert variables(with_it)["OTEL_EXPORTER_OTLP_ENDPOINT"] == "http://collector.observability.svc:4318"
    assert not [name for name in variables(without) if name.startswith("OTEL_")]


def test_token_and_certificates_are_mounted_where_the_settings_say(tool: helm.Helm) -> None:
    found = [document.manifest for document in tool.render(choices.MULTI_USER)]
    pod = one(found, "Deployment")["spec"]["template"]["spec"]
    mounts = {mount["name"]: mount["mountPath"] for mount in pod["containers"][0]["volumeMounts"]}
    told = variables(found)
    assert told["SKLEARN_OPERATOR_KFP_TOKEN_FILE"] == f"{mounts['kfp-token']}/token"
    assert told["SKLEARN_OPERATOR_KFP_CA_FILE"] == f"{mounts['kfp-ca']}/ca.crt"
    volumes = {volume["name"]: volume for volume in pod["volumes"]}
    assert volumes["kfp-token"]["projected"]["sources"][0]["serviceAccountToken"] == {
        "audience": "pipelines.example.org",
        "expirationSeconds": 7200,
        "path": "token",
    }


def test_definitions_and_the_runtime_outlive_the_release_unless_told_otherwise(tool: helm.Helm) -> None:
    kept = {"helm.sh/resource-policy": "keep"}
    for values, expected in (({}, kept), (choices.CHOICES["nothing kept"], None)):
        found = [document.manifest for document in tool.render(values)]
        kinds = ("CustomResourceDefinition", "ClusterServingRuntime")
        lasting = [manifest for manifest in found if manifest["kind"] in kinds]
        assert len(lasting) == 3
        assert all(manifest["metadata"].get("annotations") == expected for manifest in lasting)
