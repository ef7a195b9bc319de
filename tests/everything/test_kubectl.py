"""kubectl's own verbs, as a user and a GitOps tool type them: wait, get, explain, apply, diff."""

from __future__ import annotations

import json
import re
from typing import Any

import pytest
import yaml

import waiting
from everything import towns

pytestmark = pytest.mark.sandbox

MODEL = "digits"


@pytest.fixture(scope="module")
def digits(town: towns.Town) -> towns.Town:
    """The town with the digits sample, all work on it done."""
    town.apply(towns.sample(MODEL))
    town.kubectl("wait", "--for=condition=Ready", f"skm/{MODEL}", "--timeout=90s")
    at_rest(town)
    return town


def at_rest(town: towns.Town) -> None:
    """The first time of serving is the operator's last write."""
    town.settled(MODEL, f"{MODEL}-v1")
    waiting.wait_for("servedAt", lambda: town.get("skmv", f"{MODEL}-v1")["status"].get("servedAt"), 30)


def test_wait_ends_when_the_model_answers(digits: towns.Town) -> None:
    assert digits.kubectl("wait", "--for=condition=Ready", f"skm/{MODEL}", "--timeout=1s").split()[1:] == [
        "condition",
        "met",
    ]
    assert digits.predict(MODEL, [[0] * 64])
    waited = digits.run("wait", "--for=condition=Stalled", f"skm/{MODEL}", "--timeout=1s")
    assert (waited.returncode, "timed out" in waited.stderr) == (1, True)


def table(town: towns.Town, *args: str) -> tuple[list[str], list[str]]:
    """Headings, and the cells of the only row."""
    heading, row = town.kubectl("get", *args).splitlines()
    return heading.split(), re.split(r"\s{2,}", row)


def test_the_columns_are_those_of_the_contract(digits: towns.Town) -> None:
    headings, row = table(digits, "skm")
    assert headings == ["NAME", "PHASE", "READY", "METRIC", "VERSION", "URL", "AGE"]
    assert row[:5] == [MODEL, "Ready", "True", "accuracy=0.969", f"{MODEL}-v1"]
    assert row[5] == digits.status(MODEL)["url"]
    headings, row = table(digits, "skm", "-o", "wide")
    assert headings[7:] == ["ESTIMATOR", "RUN", "NEXT", "MESSAGE"]
    assert row[7] == "sklearn.svm.SVC"
    assert row[8].startswith(f"{digits.namespace}.{MODEL}-v1-1-")
    assert row[-1] == f"{MODEL}-v1 answers requests"
    headings, row = table(digits, "skmv")
    assert headings == ["NAME", "MODEL", "NUMBER", "PHASE", "METRIC", "TRIGGER", "SERVING", "AGE"]
    assert row[:6] == [f"{MODEL}-v1", MODEL, "1", "Succeeded", "accuracy=0.969", "SpecChange"]
    assert row[6] == "True"


def test_one_command_shows_both_kinds(digits: towns.Town) -> None:
    names = digits.kubectl("get", "skm,skmv", "-o", "name").split()
    assert names == [
        f"sklearnmodel.sklearn-operator.io/{MODEL}",
        f"sklearnmodelversion.sklearn-operator.io/{MODEL}-v1",
    ]
    assert digits.kubectl("get", "ml", "-o", "name").split() == names


@pytest.mark.parametrize(
    ("path", "words"),
    [
        ("skm", ["KIND:       SklearnModel", "VERSION:    v1alpha1"]),
        ("skm.spec.model", ["FIELD: model <Object>", "estimator\t<Object>", "pipeline\t<[]Object>"]),
        ("skm.spec.data.split.testSize", ["FIELD: testSize <number>", "Default 0.25"]),
        ("skm.status.conditions", ["FIELD: conditions <[]Object>", "lastTransitionTime"]),
        ("skmv.status", ["artifact\t<Object>", "lineage\t<Object>"]),
    ],
)
def test_explain_tells_about_every_field(digits: towns.Town, path: str, words: list[str]) -> None:
    told = digits.kubectl("explain", path)
    assert [word for word in words if word not in told] == [], told
    assert "<no description>" not in told


def audited_writes(town: towns.Town) -> list[tuple[str, str, str]]:
    """Verb, resource and name of every write to the objects of the town that reached the API server."""
    found = []
    for line in (town.world.sandbox.home / "audit.log").read_text().splitlines():
        event = json.loads(line)
        about = event.get("objectRef") or {}
        if (
            event["verb"] in ("create", "update", "patch", "delete")
            and about.get("namespace") == town.namespace
            and about.get("resource") in ("sklearnmodels", "sklearnmodelversions", "inferenceservices")
            and "dryRun" not in event["requestURI"]
        ):
            found.append((event["verb"], about["resource"], about.get("name", "")))
    return found


def everything(town: towns.Town) -> dict[str, Any]:
    objects = [item for kind in ("skm", "skmv", "isvc") for item in town.get(kind)]
    return {f"{item['kind']}/{item['metadata']['name']}": item["metadata"]["resourceVersion"] for item in objects}


def looked_again(town: towns.Town) -> None:
    """Waits until the operator has passed over the model once more: an annotation nobody uses wakes it up."""
    before = town.operator.passes()
    town.kubectl("annotate", "skm", MODEL, "--overwrite", f"example.com/look={before:.0f}")
    waiting.wait_for("another pass", lambda: town.operator.passes() > before, 30)


def test_applying_the_same_file_again_writes_nothing(digits: towns.Town) -> None:
    before, writes, runs = everything(digits), audited_writes(digits), digits.runs(MODEL)
    assert digits.apply(towns.sample(MODEL)).strip() == f"sklearnmodel.sklearn-operator.io/{MODEL} unchanged"
    assert digits.run("diff", "-f", "-", text=yaml.safe_dump(towns.sample(MODEL))).returncode == 0
    assert (everything(digits), digits.runs(MODEL)) == (before, runs)
    # kubectl sees that nothing changed and sends nothing.
    assert audited_writes(digits) == writes


def test_the_operator_does_not_answer_a_foreign_change_with_writes(digits: towns.Town) -> None:
    before, writes = everything(digits), audited_writes(digits)
    looked_again(digits)
    assert audited_writes(digits) == [*writes, ("patch", "sklearnmodels", MODEL)]
    changed = [name for name, version in everything(digits).items() if version != before[name]]
    assert changed == [f"SklearnModel/{MODEL}"]


def test_server_side_apply_takes_over_and_then_changes_nothing(digits: towns.Town) -> None:
    text = yaml.safe_dump(towns.sample(MODEL))
    flags = ("--server-side", "--field-manager=gitops", "--force-conflicts")
    digits.kubectl("apply", *flags, "-f", "-", text=text)
    before, spec = everything(digits), digits.get("skm", MODEL)["spec"]
    digits.kubectl("apply", *flags, "-f", "-", text=text)
    difference = digits.run("diff", *flags, "-f", "-", text=text)
    assert (difference.returncode, difference.stdout) == (0, "")
    assert everything(digits) == before
    assert spec == towns.sample(MODEL)["spec"]
    assert digits.get("skm", MODEL)["metadata"]["generation"] == 1
    assert [item["metadata"]["name"] for item in digits.get("skmv")] == [f"{MODEL}-v1"]
    assert len(digits.runs(MODEL)) == 1
