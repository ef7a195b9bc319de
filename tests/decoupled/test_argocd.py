"""What Argo CD finds when it compares the samples with a real API server on which the operator has been at work.

The comparison is that of Argo CD's own engine, three ways and server-side; what the API server says to a dry run of a
server-side apply is asked of it here.
"""

from __future__ import annotations

import copy
import json
import os
import re
import subprocess
import uuid
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import yaml

from decoupled import operators
from gitops import fixtures, tool
from sklearn_operator.core import naming
from sklearn_sandbox import embedded, helm, paths
from unit.api import api_cases
from waiting import wait_for

Json = dict[str, Any]
SAMPLES = sorted((fixtures.ARGOCD.parent / "samples").glob("*.yaml"))
MANAGER = ("--field-manager", "argocd-controller")
KINDS = {"SklearnModel", "ConfigMap"}
GVK = "x-kubernetes-group-version-kind"
SERVER_SIDE = ("apply", "--server-side", "--force-conflicts", *MANAGER)


def _samples(kustomized: str) -> list[Json]:
    """Every object of every sample, and one with every field, with the mark by which Argo CD knows its own."""
    found = [document for path in SAMPLES for document in yaml.safe_load_all(path.read_text())]
    found += yaml.safe_load_all(kustomized)
    full = api_cases.manifest("full")
    found.append(
        full | {"metadata": {"name": "full"}, "spec": api_cases.changed(full["spec"], {"rollout.version": None})}
    )
    for one in found:
        mark = f"models:{one['apiVersion']}/{one['kind']}:x/{one['metadata']['name']}"
        others = one["metadata"].get("annotations") or {}
        one["metadata"] |= {"annotations": others | {"argocd.argoproj.io/tracking-id": mark}}
    return found


class Team:
    """A namespace that Argo CD applies the samples to, in one of its two ways."""

    def __init__(self, cluster: embedded.Cluster, how: str) -> None:
        self._cluster, self.how, self.name = cluster, how, f"{how}-{uuid.uuid4().hex[:8]}"
        cluster.kubectl("create", "namespace", self.name)
        samples = _samples(cluster.kubectl("kustomize", str(fixtures.ARGOCD / "models" / "coffee")).stdout)
        self.config = [one | {"metadata": one["metadata"] | {"namespace": self.name}} for one in samples]

    def kubectl(self, *args: str, input: str | None = None) -> str:
        return self._cluster.kubectl("--namespace", self.name, *args, input=input).stdout

    def sync(self) -> str:
        command = SERVER_SIDE if self.how == "server-side" else ("apply", *MANAGER)
        return self.kubectl(*command, "-f", "-", input=_list(self.config))

    def live(self) -> list[Json]:
        return self._objects("get", "--show-managed-fields")

    def predicted(self) -> list[Json]:
        return self._objects(*SERVER_SIDE, "--dry-run=server", "--show-managed-fields")

    def _objects(self, *command: str) -> list[Json]:
        found: list[Json] = json.loads(self.kubectl(*command, "-o", "json", "-f", "-", input=_list(self.config)))[
            "items"
        ]
        return found

    def reported(self) -> bool:
        """The operator has been here: finalizer and report are written."""
        models = [one for one in self.live() if one["kind"] == "SklearnModel"]
        return all(
            one["status"]["observedGeneration"] == 1 and one["metadata"].get("finalizers") == [naming.FINALIZER]
            for one in models
        )

    def generations(self) -> dict[str, int]:
        models = [one["metadata"] for one in self.live() if one["kind"] == "SklearnModel"]
        return {metadata["name"]: metadata["generation"] for metadata in models}


def _list(items: list[Json]) -> str:
    return json.dumps({"apiVersion": "v1", "kind": "List", "items": items})


@pytest.fixture(scope="module")
def teams(cluster: embedded.Cluster, tmp_path_factory: pytest.TempPathFactory) -> Iterator[dict[str, Team]]:
    found = {how: Team(cluster, how) for how in ("client-side", "server-side")}
    watched = ",".join(team.name for team in found.values())
    allowed = {"SERVICE_ACCOUNTS": "trainer", "STANDARD_CANARY": "true"}
    with operators.running(cluster, tmp_path_factory.mktemp("argocd"), watched, **allowed):
        for team in found.values():
            team.sync()
        for team in found.values():
            wait_for(f"every model of {team.name} reported", team.reported)
        yield found
        for team in found.values():
            team.kubectl("delete", "skm", "--all", "--wait=false")


@pytest.fixture(scope="module")
def schema(cluster: embedded.Cluster) -> Json:
    """Of what the API server tells of all its kinds, the definitions that ours and ConfigMaps are made of."""
    whole = json.loads(cluster.kubectl("get", "--raw", "/openapi/v2").stdout)
    definitions, kept = whole["definitions"], set[str]()
    waiting = [name for name, one in definitions.items() if KINDS & {row["kind"] for row in one.get(GVK, ())}]
    while waiting:
        name = waiting.pop()
        if name not in kept:
            kept.add(name)
            waiting += re.findall(r'"#/definitions/([^"]+)"', json.dumps(definitions[name]))
    return whole | {"paths": {}, "definitions": {name: definitions[name] for name in kept}}


def _out_of_sync(schema: Json, config: list[Json], live: list[Json], predicted: list[Json] | None = None) -> list[str]:
    questions = [{"config": one, "live": other} for one, other in zip(config, live, strict=True)]
    for question, answer in zip(questions, predicted or (), strict=predicted is not None):
        question["predicted"] = answer
    answers = tool.diff(schema, questions)
    assert not [answer for answer in answers if "error" in answer]
    return [one["metadata"]["name"] for one, answer in zip(config, answers, strict=True) if answer["modified"]]


def test_every_sample_is_in_sync_three_ways(teams: dict[str, Team], schema: Json) -> None:
    team = teams["client-side"]
    live = team.live()
    assert len(live) == len(team.config) >= len(SAMPLES)
    assert _out_of_sync(schema, team.config, live) == []


@pytest.mark.parametrize("how", ["client-side", "server-side"])
def test_every_sample_is_in_sync_server_side(teams: dict[str, Team], schema: Json, how: str) -> None:
    team = teams[how]
    assert _out_of_sync(schema, team.config, team.live(), team.predicted()) == []


@pytest.mark.parametrize("how", ["client-side", "server-side"])
def test_a_sync_that_is_repeated_writes_nothing(teams: dict[str, Team], how: str) -> None:
    team = teams[how]
    before = team.generations()
    team.sync()
    assert team.generations() == before
    assert all(line.endswith(("unchanged", "serverside-applied")) for line in team.sync().splitlines())


def test_a_change_in_the_repository_and_one_in_the_cluster_are_seen(teams: dict[str, Team], schema: Json) -> None:
    """What the others find in sync, they could have found out of sync."""
    team = teams["client-side"]
    live, changed = team.live(), copy.deepcopy(team.config)
    for one in changed:
        if one["metadata"]["name"] == "iris" and one["kind"] == "SklearnModel":
            one["spec"]["serving"] = {"minReplicas": 2}
    assert _out_of_sync(schema, changed, live) == ["iris"]
    edited = copy.deepcopy(live)
    for one in edited:
        if one["metadata"]["name"] == "digits" and one["kind"] == "SklearnModel":
            one["spec"]["data"]["split"]["testSize"] = 0.25
    assert _out_of_sync(schema, team.config, edited) == ["digits"]
    assert _out_of_sync(schema, team.config, edited, team.predicted()) == ["digits"]


@pytest.mark.parametrize("how", ["client-side", "server-side"])
def test_an_action_is_accepted_and_leaves_the_application_in_sync(
    teams: dict[str, Team], schema: Json, how: str
) -> None:
    """The repository says nothing of what an action writes, so nothing is put back."""
    team = teams[how]
    name = "modular"
    for action in ("suspend", "resume", "retrain"):
        model = json.loads(team.kubectl("get", "skm", name, "-o", "json"))
        (answer,) = tool.action(fixtures.script("SklearnModel", action), [model])
        team.kubectl("patch", "skm", name, "--type=merge", "-p", json.dumps(answer["patch"]))
        stored = json.loads(team.kubectl("get", "skm", name, "-o", "json"))
        assert stored["spec"] == answer["object"]["spec"]
        assert stored["metadata"].get("annotations") == answer["object"]["metadata"].get("annotations")
        assert _out_of_sync(schema, team.config, team.live(), team.predicted()) == []
        if how == "client-side":
            assert _out_of_sync(schema, team.config, team.live()) == []


@pytest.fixture(scope="module")
def argo(cluster: embedded.Cluster) -> embedded.Cluster:
    """Where Argo CD would be, with its kinds."""
    application, several = yaml.safe_load_all((paths.project_root() / "tests" / "data" / "argocd.yaml").read_text())
    schemas = [one["spec"]["versions"][0]["schema"]["openAPIV3Schema"]["properties"] for one in (application, several)]
    schemas[1]["spec"]["properties"]["template"]["properties"]["spec"] = schemas[0]["spec"]
    cluster.kubectl("apply", "--server-side", "-f", "-", input=_list([application, several]))
    names = [f"crd/{one['metadata']['name']}" for one in (application, several)]
    cluster.kubectl("wait", "--for=condition=Established", "--timeout=30s", *names)
    cluster.kubectl("create", "namespace", "argocd")
    return cluster


def _applications() -> dict[str, Json]:
    """By file."""
    files = [*fixtures.ARGOCD.glob("*.yaml"), *fixtures.ARGOCD.glob("applications/*.yaml")]
    found = {path.name: {"kind": "", **yaml.safe_load(path.read_text())} for path in files}
    return {name: one for name, one in found.items() if one["kind"].startswith("Application")}


def _of_folders(several: Json) -> dict[str, Json]:
    """What an ApplicationSet of folders makes, by folder."""
    (generator,) = several["spec"]["generators"]
    (pattern,) = (one["path"] for one in generator["git"]["directories"])
    root = paths.project_root()
    folders = [path.relative_to(root) for path in sorted(root.glob(pattern)) if path.is_dir()]
    text = json.dumps(several["spec"]["template"])
    made = {}
    for folder in folders:
        filled = text.replace("{{.path.path}}", str(folder)).replace("{{.path.basename}}", folder.name)
        assert "{{" not in filled
        made[str(folder)] = {"kind": "Application", **json.loads(filled)}
    return made


@pytest.mark.parametrize("name", sorted(_applications()))
def test_each_application_is_one_that_argo_cd_takes(argo: embedded.Cluster, name: str) -> None:
    document = _applications()[name]
    dry = ("apply", "--server-side", "--dry-run=server", "--validate=strict", "-f", "-")
    argo.kubectl(*dry, input=json.dumps(document))
    text = json.dumps(document)
    for wrong in (text.replace('"selfHeal"', '"selfheal"'), text.replace("SideApply=true", "SideAply=true")):
        assert wrong != text and argo.kubectl(*dry, input=wrong, check=False).returncode == 1


def test_each_folder_has_one_application_and_each_application_a_folder() -> None:
    found = _applications()
    alone = found.pop("one-team.yaml")
    made = _of_folders(found.pop("teams.yaml"))
    assert alone["spec"]["source"]["path"] in made, "it stands for one of the set's"
    applications = [*found.values(), *made.values()]
    folders = [one["spec"]["source"]["path"] for one in applications]
    assert len(folders) == len(set(folders)) == 3
    names = [one["metadata"]["name"] for one in applications]
    assert len(names) == len(set(names))
    for one in [*applications, alone]:
        assert (paths.project_root() / one["spec"]["source"]["path"]).is_dir()
        policy = one["spec"]["syncPolicy"]
        labels = (policy.get("managedNamespaceMetadata") or {}).get("labels")
        expected = {"pod-security.kubernetes.io/enforce": "restricted"}
        assert labels == (expected if "CreateNamespace=true" in policy["syncOptions"] else None)


def test_the_root_applies_the_operator_before_the_teams() -> None:
    found = _applications()
    folder = paths.project_root() / found["root.yaml"]["spec"]["source"]["path"]
    waves = {
        path.name: found[path.name]["metadata"]["annotations"]["argocd.argoproj.io/sync-wave"]
        for path in folder.iterdir()
    }
    assert waves == {"operator.yaml": "0", "teams.yaml": "1"}


def test_the_operators_values_are_those_of_the_chart() -> None:
    spec = _applications()["operator.yaml"]["spec"]
    chart, given = spec["source"]["path"], spec["source"]["helm"]
    rendered = helm.ensure().render(
        given["valuesObject"],
        release=given["releaseName"],
        namespace=spec["destination"]["namespace"],
        chart=paths.project_root() / chart,
    )
    (deployment,) = (one.manifest for one in rendered if one.manifest["kind"] == "Deployment")
    variables = deployment["spec"]["template"]["spec"]["containers"][0]["env"]
    env = {one["name"].removeprefix("SKLEARN_OPERATOR_"): one for one in variables}
    settings = given["valuesObject"]["settings"]
    assert env["STORE_ENDPOINT"]["value"] == settings["storeEndpoint"]
    reference = env["STORE_SECRET_ACCESS_KEY"]["valueFrom"]["secretKeyRef"]
    assert reference == {"name": settings["storeCredentialsSecret"], "key": "AWS_SECRET_ACCESS_KEY"}


def test_the_patch_of_the_config_map_adds_the_scripts_and_keeps_the_rest(argo: embedded.Cluster) -> None:
    cluster = argo
    argocd = ("--namespace", "argocd")
    cluster.kubectl(*argocd, "create", "configmap", "argocd-cm", "--from-literal=url=https://argocd.example")
    patch = str(fixtures.ARGOCD / "argocd-cm-patch.yaml")
    cluster.kubectl(*argocd, "patch", "configmap", "argocd-cm", "--patch-file", patch)
    data = json.loads(cluster.kubectl(*argocd, "get", "configmap", "argocd-cm", "-o", "json").stdout)["data"]
    assert data.pop("url") == "https://argocd.example"
    offered = yaml.safe_load(data.pop("resource.customizations.actions.sklearn-operator.io_SklearnModel"))
    assert offered["discovery.lua"] == fixtures.script("SklearnModel", "discovery")
    scripts = {one["name"]: one["action.lua"] for one in offered["definitions"]}
    assert scripts == {name: fixtures.script("SklearnModel", name) for name in fixtures.actions()}
    health = "resource.customizations.health.sklearn-operator.io_"
    assert data == {f"{health}{kind}": fixtures.script(kind) for kind in fixtures.KINDS}


@pytest.fixture
def waiting(cluster: embedded.Cluster) -> Iterator[Team]:
    """A version waits for approval, as the fixture for Argo CD says it; no operator looks."""
    row = next(row for row in fixtures.models() if row.fixture == "approval")
    team = Team(cluster, "waiting")
    body = row.object | {"metadata": {"name": row.object["metadata"]["name"]}}
    team.kubectl("create", "-f", "-", input=json.dumps(body))
    path = ("patch", "skm", body["metadata"]["name"], "--subresource=status", "--type=merge", "-p")
    team.kubectl(*path, json.dumps({"status": body["status"]}))
    yield team
    team.kubectl("delete", "skm", "--all", "--wait=false")


@pytest.mark.parametrize("verb", ["retrain", "approve"])
def test_an_action_writes_what_the_plugin_writes(cluster: embedded.Cluster, waiting: Team, verb: str) -> None:
    before = json.loads(waiting.kubectl("get", "skm", "digits", "-o", "json"))
    (offered,) = tool.discovery(fixtures.script("SklearnModel", "discovery"), [before])
    assert offered[verb]["disabled"] is False
    (answer,) = tool.action(fixtures.script("SklearnModel", verb), [before])
    _plugin(cluster, waiting.name, verb, "digits")
    after = json.loads(waiting.kubectl("get", "skm", "digits", "-o", "json"))
    ours, theirs = (one["metadata"]["annotations"] for one in (answer["object"], after))
    if verb == "retrain":  # both write the time, the plugin to the microsecond
        assert theirs[naming.ANNOTATION_RETRAIN][:16] >= ours[naming.ANNOTATION_RETRAIN][:16]
        ours[naming.ANNOTATION_RETRAIN] = theirs[naming.ANNOTATION_RETRAIN]
    assert ours == theirs
    assert answer["object"]["spec"] == after["spec"]


def _plugin(cluster: embedded.Cluster, namespace: str, *arguments: str) -> None:
    command = [str(paths.operator_bin() / "kubectl-sklearn"), *arguments]
    flags = ["--namespace", namespace, "--kubeconfig", str(cluster.kubeconfig)]
    environment = os.environ | {"PATH": f"{Path(cluster.state) / 'bin'}:{os.environ['PATH']}"}
    subprocess.run([command[0], *flags, *command[1:]], env=environment, check=True, capture_output=True)
