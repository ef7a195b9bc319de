"""Our slim CRDs against KServe's own models: every field we know has to be one of theirs."""

from __future__ import annotations

import json
import subprocess
from pathlib import Path
from typing import Any

import pytest
import yaml
from kserve_things import Json

from sklearn_sandbox import paths
from sklearn_sandbox.kserve import app

FOLDER = Path(app.__file__).parent / "crds"
#: Prints {model class: {field: type}} of the kserve SDK.
DUMP = """
import json, kserve.models as models
known = {}
for name in dir(models):
    found = getattr(models, name)
    if hasattr(found, "attribute_map"):
        known[name] = {found.attribute_map[key]: str(kind) for key, kind in found.openapi_types.items()}
print(json.dumps(known))
"""


@pytest.fixture(scope="module")
def theirs() -> dict[str, dict[str, str]]:
    python = paths.trainer_python()
    if not python.exists():
        pytest.skip(f"needs the trainer environment with the kserve SDK ({python})")
    done = subprocess.run([python, "-c", DUMP], capture_output=True, text=True, check=True)
    found: dict[str, dict[str, str]] = json.loads(done.stdout)
    return found


def crd(plural: str) -> Json:
    loaded: Json = yaml.safe_load((FOLDER / f"{plural}.yaml").read_text())
    return loaded


def schema(plural: str, part: str) -> Json:
    found: Json = crd(plural)["spec"]["versions"][0]["schema"]["openAPIV3Schema"]["properties"][part]
    return found


def strangers(ours: Json, model: str, theirs: dict[str, dict[str, str]], path: str) -> list[str]:
    """Paths of our fields that KServe's model does not have, as deep as the SDK has models of its own."""
    found = []
    for field, inner in (ours.get("properties") or {}).items():
        if field not in theirs[model]:
            found.append(f"{path}.{field}")
            continue
        kind = theirs[model][field].removeprefix("list[").removeprefix("dict(str, ").rstrip("])")
        deeper = inner.get("items") or inner.get("additionalProperties") or inner
        if kind in theirs and isinstance(deeper, dict):
            found += strangers(deeper, kind, theirs, f"{path}.{field}")
    return found


@pytest.mark.parametrize(
    ("plural", "part", "model"),
    [
        ("inferenceservices", "spec", "V1beta1InferenceServiceSpec"),
        ("inferenceservices", "status", "V1beta1InferenceServiceStatus"),
        ("servingruntimes", "spec", "V1alpha1ServingRuntimeSpec"),
        ("clusterservingruntimes", "spec", "V1alpha1ServingRuntimeSpec"),
    ],
)
def test_every_field_of_ours_is_one_of_kserves(
    plural: str, part: str, model: str, theirs: dict[str, dict[str, str]]
) -> None:
    assert strangers(schema(plural, part), model, theirs, part) == []


def test_the_comparison_notices_a_field_that_is_not_kserves(theirs: dict[str, dict[str, str]]) -> None:
    ours = schema("inferenceservices", "spec")
    ours["properties"]["predictor"]["properties"]["model"]["properties"]["storageUrl"] = {}
    assert "spec.predictor.model.storageUrl" in strangers(ours, "V1beta1InferenceServiceSpec", theirs, "spec")


def test_the_two_runtime_kinds_are_the_same_and_share_the_container() -> None:
    assert schema("servingruntimes", "spec") == schema("clusterservingruntimes", "spec")
    runtime = schema("servingruntimes", "spec")["properties"]["containers"]["items"]["properties"]
    predictor = schema("inferenceservices", "spec")["properties"]["predictor"]["properties"]
    assert runtime == predictor["containers"]["items"]["properties"]
    assert runtime.items() <= predictor["model"]["properties"].items()


def test_nothing_is_open_where_the_operator_writes() -> None:
    predictor = schema("inferenceservices", "spec")["properties"]["predictor"]["properties"]
    written = ["model", "labels", "annotations", "minReplicas", "maxReplicas", "scaleMetric", "scaleTarget", "name"]
    free = [path for field in written for path in opened(predictor[field], field) if path not in KNOWN_OPEN]
    assert free == []


#: Objects of a container that the project leaves to its users.
KNOWN_OPEN = {"model.lifecycle", "model.securityContext"}


def opened(part: Any, path: str) -> list[str]:
    found = [path] if part.get("x-kubernetes-preserve-unknown-fields") else []
    for field, inner in (part.get("properties") or {}).items():
        found += opened(inner, f"{path}.{field}")
    if isinstance(part.get("items"), dict):
        found += opened(part["items"], f"{path}[]")
    return found
