"""The compiled base with the version's own image, resources, retries and Secrets."""

from __future__ import annotations

import copy
import json
from typing import Any

import pytest

from sklearn_operator import api
from sklearn_operator.core import pipeline, settings, training
from sklearn_operator.runtime import resources
from sklearn_steps import contract
from unit.api import api_cases
from unit.core import builders

BASE = pipeline.BasePipelines.parse(resources.pipelines())
SETTINGS = settings.Settings()


def render(change: dict[str, Any] | None = None, given: settings.Settings = SETTINGS) -> pipeline.Rendered:
    spec = api.parse_spec(api_cases.changed(builders.DIGITS, change or {}))
    return pipeline.render(BASE, builders.version(training=training.frozen(spec)), given)


def containers(rendered: pipeline.Rendered) -> dict[str, dict[str, Any]]:
    executors = rendered.pipeline["deploymentSpec"]["executors"]
    return {name.removeprefix("exec-"): executor["container"] for name, executor in executors.items()}


def tasks(rendered: pipeline.Rendered) -> dict[str, dict[str, Any]]:
    return dict(rendered.pipeline["root"]["dag"]["tasks"])


def platform(rendered: pipeline.Rendered) -> dict[str, dict[str, Any]]:
    executors = rendered.platform["platforms"]["kubernetes"]["deploymentSpec"]["executors"]
    return {name.removeprefix("exec-"): executor for name, executor in executors.items()}


def names(executor: dict[str, Any], kind: str, field: str) -> list[str]:
    for entry in executor.get(kind, []):
        assert entry[f"{field}Parameter"] == {"runtimeValue": {"constant": entry[field]}}
    return sorted({entry[field] for entry in executor.get(kind, [])})


STAGED = ["prepare", "train", "evaluate", "publish"]


def test_the_layouts() -> None:
    assert set(BASE.documents) == {"Staged", "Fused", "Cached"}
    assert sorted(containers(render())) == sorted(STAGED)
    assert sorted(containers(render({"pipeline": {"layout": "Fused"}}))) == ["run-all"]


@pytest.mark.parametrize(
    "pipeline_of, reader", [({}, ["prepare"]), ({"pipeline": {"layout": "Fused"}}, ["run-all"]),
                            ({"training": {"cache": True}}, ["fingerprint", "prepare"])]
)  # fmt: skip
def test_a_claim_is_mounted_where_the_data_is_read(pipeline_of: dict[str, Any], reader: list[str]) -> None:
    source = {"data.source": {"uri": "pvc://flowers/2026/iris.csv"}, "data.target": "y"}
    rendered = render(source | pipeline_of)
    executors = platform(rendered)
    assert sorted(name for name, item in executors.items() if "pvcMount" in item) == reader
    for name in reader:
        assert executors[name]["pvcMount"] == [
            {"constant": "flowers", "mountPath": contract.DATA_VOLUME,
             "pvcNameParameter": {"runtimeValue": {"constant": "flowers"}}}
        ]  # fmt: skip
        assert {"name": contract.DATA_VOLUME_ENV, "value": contract.DATA_VOLUME} in containers(rendered)[name]["env"]
    assert all("pvcMount" not in item for item in platform(render(pipeline_of)).values())


@pytest.mark.parametrize("change", [{}, {"pipeline": {"layout": "Fused"}}, {"training": {"cache": True}}])
def test_every_pod_of_a_run_has_requests_and_limits(change: dict[str, Any]) -> None:
    for container in containers(render(change)).values():
        named = {"resourceCpuRequest", "resourceCpuLimit", "resourceMemoryRequest", "resourceMemoryLimit"}
        assert named <= container["resources"].keys()


@pytest.mark.parametrize("layout", ["Staged", "Fused"])
def test_the_base_is_left_alone_and_nothing_of_it_shows_through(layout: str) -> None:
    before = copy.deepcopy(BASE.documents)
    rendered = render({"pipeline": {"layout": layout}})
    assert BASE.documents == before
    assert "__" not in "".join(names(item, "secretAsEnv", "secretName")[0] for item in platform(rendered).values())
    for placeholder in (contract.STORE_SECRET_PLACEHOLDER, contract.DATA_SECRET_PLACEHOLDER,
                        contract.DATA_CONFIGMAP_PLACEHOLDER, contract.DATA_CONFIGMAP_KEY_PLACEHOLDER,
                        contract.DATA_CLAIM_PLACEHOLDER):  # fmt: skip
        assert placeholder not in json.dumps([rendered.pipeline, rendered.platform])


def test_the_image() -> None:
    assert {item["image"] for item in containers(render()).values()} == {SETTINGS.trainer_image}
    own = containers(render({"training": {"image": "ghcr.io/org/mine:1"}}))
    assert {item["image"] for item in own.values()} == {"ghcr.io/org/mine:1"}


def test_resources_are_always_set_as_text_and_for_older_servers_as_numbers() -> None:
    for container in containers(render()).values():
        assert container["resources"] == {
            "cpuRequest": 0.5, "resourceCpuRequest": "500m", "memoryRequest": 1.073741824,
            "resourceMemoryRequest": "1Gi", "cpuLimit": 2.0, "resourceCpuLimit": "2",
            "memoryLimit": 4.294967296, "resourceMemoryLimit": "4Gi",
        }  # fmt: skip
        assert {"name": contract.CPU_LIMIT_ENV, "value": "2"} in container["env"]


@pytest.mark.parametrize(
    "asked, expected",
    [
        ({"requests": {"cpu": "3"}}, {"cpuRequest": 3.0, "cpuLimit": 3.0}),
        ({"limits": {"cpu": "250m"}}, {"cpuRequest": 0.25, "cpuLimit": 0.25}),
        ({"requests": {"memory": "1G"}, "limits": {"memory": "2G"}}, {"memoryRequest": 1.0, "memoryLimit": 2.0}),
        (
            {"limits": {"nvidia.com/gpu": 1}},
            {"accelerator": {"count": "1", "resourceCount": "1", "resourceType": "nvidia.com/gpu",
                             "type": "nvidia.com/gpu"}},
        ),
    ],
)  # fmt: skip
def test_resources_that_the_manifest_names(asked: dict[str, Any], expected: dict[str, Any]) -> None:
    shaped = containers(render({"training": {"resources": asked}}))["train"]["resources"]
    assert {name: shaped[name] for name in expected} == expected


@pytest.mark.parametrize("limit, cores", [("250m", "1"), ("1", "1"), ("1500m", "1"), (8, "8")])
def test_threads_follow_the_limit(limit: str | int, cores: str) -> None:
    container = containers(render({"training": {"resources": {"limits": {"cpu": limit}}}}))["train"]
    assert [item for item in container["env"] if item["name"] == contract.CPU_LIMIT_ENV] == [
        {"name": contract.CPU_LIMIT_ENV, "value": cores}
    ]


def test_retries_and_a_pause_in_the_seconds_of_protobuf() -> None:
    for task in tasks(render()).values():
        assert task["retryPolicy"] == {
            "maxRetryCount": 2, "backoffDuration": "30s", "backoffFactor": 2.0, "backoffMaxDuration": "3600s",
        }  # fmt: skip
    slow = tasks(render({"training": {"retries": {"limit": 1, "backoff": "1h1m"}}}))["train"]["retryPolicy"]
    assert (slow["maxRetryCount"], slow["backoffDuration"]) == (1, "3660s")
    assert "retryPolicy" not in tasks(render({"training": {"retries": {"limit": 0}}}))["train"]


def test_only_the_stores_secret_is_there_unless_others_are_named() -> None:
    for executor in platform(render()).values():
        assert names(executor, "secretAsEnv", "secretName") == ["sklearn-operator-store"]
        assert "configMapAsEnv" not in executor


def test_the_datas_secret_goes_to_the_task_that_reads_the_data() -> None:
    change = {"data.source": {"uri": "s3://b/k.csv"}, "data.target": "y", "data.credentialsSecret": "theirs"}
    found = {name: names(item, "secretAsEnv", "secretName") for name, item in platform(render(change)).items()}
    assert found["prepare"] == ["sklearn-operator-store", "theirs"]
    assert {name for name, secrets in found.items() if "theirs" in secrets} == {"prepare"}


@pytest.mark.parametrize("layout, reader", [("Staged", "prepare"), ("Fused", "run-all")])
def test_a_config_map_becomes_the_environment_of_the_task_that_reads_it(layout: str, reader: str) -> None:
    source = {"configMap": {"name": "flowers", "key": "iris.csv"}}
    rendered = render({"data.source": source, "data.target": "y", "pipeline": {"layout": layout}})
    executors = platform(rendered)
    assert names(executors[reader], "configMapAsEnv", "configMapName") == ["flowers"]
    (entry,) = executors[reader]["configMapAsEnv"]
    assert entry["keyToEnv"] == [{"configMapKey": "iris.csv", "envVar": contract.DATA_INLINE_ENV}]
    assert [name for name, item in executors.items() if "configMapAsEnv" in item] == [reader]


@pytest.mark.parametrize("limit, size", [("1Gi", "1073741824"), ("1.5G", "1500000000"), (512, "512")])
def test_tasks_know_their_memory_limit(limit: str | int, size: str) -> None:
    resources = {"limits": {"memory": limit}, "requests": {"memory": 1}}
    for container in containers(render({"training": {"resources": resources}})).values():
        assert {"name": contract.MEMORY_LIMIT_ENV, "value": size} in container["env"]


def test_nodes_taints_and_registries_as_the_sdk_writes_them() -> None:
    placed = {
        "nodeSelector": {"kubernetes.io/arch": "amd64", "pool": "train"},
        "tolerations": [
            {"key": "gpu", "operator": "Equal", "value": "yes", "effect": "NoExecute", "tolerationSeconds": 300},
            {"operator": "Exists"},
        ],
        "imagePullSecrets": [{"name": "registry"}, {"name": "mirror"}],
    }
    for executor in platform(render({"training": placed})).values():
        assert executor["nodeSelector"] == {"labels": placed["nodeSelector"]}
        assert executor["tolerations"] == [
            {"key": "gpu", "operator": "Equal", "value": "yes", "effect": "NoExecute", "tolerationSeconds": "300"},
            {"operator": "Exists"},
        ]
        assert names(executor, "imagePullSecret", "secretName") == ["mirror", "registry"]
    for executor in platform(render()).values():
        assert {"nodeSelector", "tolerations", "imagePullSecret"}.isdisjoint(executor)


def test_a_task_has_a_deadline_even_if_there_is_no_operator_to_end_it() -> None:
    assert {item["activeDeadlineSeconds"] for item in platform(render()).values()} == {"3660"}
    short = platform(render({"training": {"timeout": "5m30s"}}))
    assert {item["activeDeadlineSeconds"] for item in short.values()} == {"390"}


def test_the_service_account() -> None:
    assert render().service_account is None
    assert render({"training": {"serviceAccountName": "trainer"}}).service_account == "trainer"


def test_a_cached_run_is_known_to_its_tasks_by_what_the_cache_does_not_look_at() -> None:
    spec = api.parse_spec(api_cases.changed(builders.DIGITS, {"training": {"cache": True}}))
    model, frozen = builders.model(), training.frozen(spec)
    rendered, parameters = [], []
    for number in (1, 2):
        version = builders.version(number, training=frozen)
        config = training.run_config(model, version, SETTINGS, builders.catalogue())
        rendered.append(pipeline.render(BASE, version, SETTINGS, config))
        parameters.append({name: json.loads(text) for name, text in training.parameters_of(version, config).items()})
    assert parameters[0]["recipe"] == parameters[1]["recipe"] != parameters[0]["config"] != parameters[1]["config"]
    assert not {"version", "runId", "artifactUri", "previous", "trigger"} & parameters[0]["recipe"].keys()
    assert {name for name, task in tasks(rendered[0]).items() if task["cachingOptions"]} == {"prepare", "train"}
    for name, container in containers(rendered[1]).items():
        told = [json.loads(item["value"]) for item in container["env"] if item["name"] == contract.RUN_ENV]
        whole = [parameters[1]["recipe"] | told[0]] if told else []
        assert bool(told) == (name in ("prepare", "train"))
        assert all(one["runId"] == parameters[1]["config"]["runId"] for one in whole)
        for one in whole:
            assert contract.RunConfig.model_validate(one).version == builders.version(2).name
    assert platform(rendered[0])["fingerprint"] == platform(rendered[0])["prepare"]


def test_gates_and_the_serving_version_are_no_part_of_the_recipe() -> None:
    judged = {"evaluation": {"metrics": ["accuracy"], "gates": [{"metric": "accuracy", "compareTo": "Serving"}]}}
    spec = api.parse_spec(api_cases.changed(builders.DIGITS, {"training": {"cache": True}} | judged))
    config = {"evaluation": {"metrics": ["accuracy"], "gates": [1], "compareWith": {}}, "model": "m", "version": "m-v1"}
    found = training.parameters_of(builders.version(training=training.frozen(spec)), config)
    assert json.loads(found["recipe"]) == {"evaluation": {"metrics": ["accuracy"]}, "model": "m"}


def test_the_same_version_gives_the_same_documents() -> None:
    assert render() == render()


@pytest.mark.parametrize("layout", ["Staged", "Fused"])
def test_no_task_runs_as_root_unless_the_settings_leave_it_open(layout: str) -> None:
    inputs = {"pipeline": {"layout": layout}}
    for executor in platform(render(inputs)).values():
        assert executor["securityContext"] == {"runAsNonRoot": True}
    for executor in platform(render(inputs, settings.Settings(task_run_as_non_root=False))).values():
        assert "securityContext" not in executor
