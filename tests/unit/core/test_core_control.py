"""``training.requirements``, ``training.cache``, ``artifacts`` and ``pvc://``: what the manifest alone decides."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from sklearn_operator import api
from sklearn_operator.api import Problem
from sklearn_operator.core import datasets, observed, outcomes, packages, settings, training, validation
from unit.api import api_cases
from unit.core import builders

SETTINGS = settings.Settings()


def refused(change: dict[str, Any]) -> str:
    with pytest.raises(validation.NotAccepted) as refusal:
        validation.accept(builders.model(api_cases.changed(builders.DIGITS, change)), SETTINGS, builders.catalogue())
    return refusal.value.message


def asked(*requirements: str, **more: Any) -> dict[str, Any]:
    return {"training": {"requirements": list(requirements)} | more}


@pytest.mark.parametrize(
    "text",
    ["pandas", "pandas>=2", "pandas==2.*", "-e git+https://h/r", "--index-url=https://h", "a @ https://h/a.whl",
     "https://h/a.whl", "a==1 --hash=sha256:00", "a==1; python_version<'4'", "a==1\nb==2", "../a==1"],
)  # fmt: skip
def test_what_is_not_one_pinned_package_is_refused_with_the_remedy(text: str) -> None:
    message = refused(asked(text))
    assert "spec.training.requirements[0]" in message and "pinned exactly, such as pandas==2.3.3" in message
    assert "without address, option, hash or marker" in message and "spec.training.image" in message


def test_two_requirements_for_one_package() -> None:
    message = refused(asked("ruamel.yaml==1.0", "Ruamel_Yaml==1.1"))
    assert "spec.training.requirements[1]: Ruamel_Yaml==1.1: is for the same package as spec.training" in message


@pytest.mark.parametrize("version", ["abc", "1..2", "1.0-", "latest", "1_0x"])
def test_a_version_that_is_none(version: str) -> None:
    assert f"spec.training.requirements[0]: pandas=={version}: {version} is no version" in refused(
        asked(f"pandas=={version}")
    )


@pytest.mark.parametrize(
    "version", ["1", "2.3.3", "1!2.0", "2.0rc1", "1.0.post2", "1.0.dev3", "2.1+cu118", "v1.0", "1.0-1"]
)
def test_versions_as_indexes_write_them(version: str) -> None:
    spec = api.parse_spec(api_cases.changed(builders.DIGITS, asked(f"pandas=={version}")))
    assert list(packages.problems(spec.training, builders.catalogue())) == []


def test_scikit_learn_is_the_images() -> None:
    here = builders.catalogue().sklearn
    assert f"the image of the tasks has scikit-learn {here}" in refused(asked("scikit_learn==0.24.2"))
    for change in (asked(f"scikit-learn=={here}"), asked("scikit-learn==0.24.2", image="mine:1")):
        spec = api.parse_spec(api_cases.changed(builders.DIGITS, change))
        assert list(packages.problems(spec.training, builders.catalogue())) == []


@given(st.text(max_size=30))
def test_any_text_is_a_requirement_or_a_problem_and_never_a_crash(text: str) -> None:
    try:
        spec = api.parse_spec(api_cases.changed(builders.DIGITS, asked(text)))
    except api.InvalidSpec:
        return
    found = list(packages.problems(spec.training, builders.catalogue()))
    assert all(isinstance(one, Problem) for one in found)
    assert not any(sign in text for sign in (" ", ";", "@", "/", "\n")) and text[0] != "-"


def test_one_task_that_publishes_is_not_cached() -> None:
    message = refused({"training": {"cache": True}, "pipeline": {"layout": "Fused"}})
    assert "spec.training.cache: true: the one task of layout Fused publishes" in message


def config(change: dict[str, Any]) -> dict[str, Any]:
    spec = api.parse_spec(api_cases.changed(builders.DIGITS, change))
    version = builders.version(training=training.frozen(spec))
    return training.run_config(builders.model(), version, SETTINGS, builders.catalogue())


def test_the_task_is_told() -> None:
    assert not {"requirements", "served", "compress"} & config({}).keys()
    told = config(asked("pandas==2.3.3") | {"artifacts": {"compress": 3}})
    assert (told["requirements"], told["served"], told["compress"]) == (["pandas==2.3.3"], True, 3)
    assert "served" not in config(asked("pandas==2.3.3") | {"serving": None})


def test_what_trains_anew_and_what_does_not() -> None:
    def hashed(change: dict[str, Any]) -> str:
        return training.training_hash(api.parse_spec(api_cases.changed(builders.DIGITS, change)))

    assert hashed({"artifacts": {"compress": 9}}) == hashed({"training": {"cache": True}}) == hashed({})
    assert hashed(asked("pandas==2.3.3")) != hashed({})


def test_who_follows_the_advice_to_serve_no_longer_is_trained_again() -> None:
    served = api.parse_spec(api_cases.changed(builders.DIGITS, asked("xgboost==3.0.0")))
    unserved = api.parse_spec(api_cases.changed(builders.DIGITS, asked("xgboost==3.0.0") | {"serving": None}))
    version = builders.version(training=training.frozen(served))
    assert training.made_as(version, served) and not training.made_as(version, unserved)


@pytest.mark.parametrize("path", ["../x.csv", "a/../../x.csv", "a//x.csv", "./x.csv", "a/..", "/x.csv"])
def test_a_path_stays_in_its_volume(path: str) -> None:
    message = refused({"data.source": {"uri": f"pvc://claim/{path}"}, "data.target": "y", "data.format": "csv"})
    assert "spec.data.source.uri" in message and "the path has to lie inside the volume" in message


@pytest.mark.parametrize("uri", ["pvc://Claim/x.csv", "pvc://a_b/x.csv", "pvc://-a/x.csv"])
def test_a_claim_has_an_objects_name(uri: str) -> None:
    assert "is no name of a PersistentVolumeClaim" in refused({"data.source": {"uri": uri}, "data.target": "y"})


@given(st.text(max_size=40))
def test_any_path_in_a_volume_is_inside_or_a_problem(path: str) -> None:
    found = list(datasets._volume(f"pvc://claim/{path}"))
    inside = not {"", ".", ".."} & set(path.removesuffix("/").split("/")) or not path
    assert (found == []) == inside


def test_a_volume_or_a_folder_of_it_tells_its_format_by_its_files() -> None:
    for uri in ("pvc://claim/", "pvc://claim/rides/", "pvc://claim/a b/rides.parquet"):
        spec = api.parse_spec(api_cases.changed(builders.DIGITS, {"data.source": {"uri": uri}, "data.target": "y"}))
        assert spec.data is not None and list(datasets.problems(spec.data, SETTINGS)) == []


def test_a_claim_that_is_not_there_is_for_a_person_and_a_full_cluster_is_not() -> None:
    def stuck(message: str) -> bool:
        trouble = observed.PodTrouble("p", "Unschedulable", message)
        return outcomes.hopeless((trouble,), builders.NOW, SETTINGS.pod_config_grace) is not None

    assert stuck('0/1 nodes are available: persistentvolumeclaim "rides" not found.')
    assert not stuck("0/3 nodes are available: 3 Insufficient memory.")
