"""Training scripts, inline, from a ConfigMap and from git, and a model made elsewhere: from manifest to prediction."""

from __future__ import annotations

import hashlib
import json
import subprocess
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import yaml

from everything import towns, worlds
from sklearn_sandbox import paths, services

pytestmark = pytest.mark.sandbox

HALF = 0.9688542825361512  # of the test half of the digits, by the parameters that the tutorial gives
DIGITS = {"source": {"builtin": "digits"}, "split": {"testSize": 0.5, "shuffle": False}}
SAMPLES = paths.project_root() / "deploy" / "samples"


def documents() -> tuple[dict[str, Any], dict[str, Any]]:
    scripts, model = yaml.safe_load_all((SAMPLES / "digits-script.yaml").read_text())
    return scripts, model


@pytest.fixture(scope="module")
def repository(tmp_path_factory: pytest.TempPathFactory) -> Iterator[dict[str, Any]]:
    command = [str(paths.trainer_python()), str(Path(__file__).with_name("git_by_dulwich.py"))]
    files = documents()[0]["data"]
    with subprocess.Popen(
        [*command, str(tmp_path_factory.mktemp("git"))], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
    ) as process:
        assert process.stdin is not None and process.stdout is not None
        process.stdin.write(json.dumps([files, {"train.py": "raise SystemExit('a later commit')"}]) + "\n")
        process.stdin.flush()
        yield json.loads(process.stdout.readline())
        process.stdin.close()


@pytest.fixture(scope="module")
def town(
    world: worlds.World, repository: dict[str, Any], tmp_path_factory: pytest.TempPathFactory
) -> Iterator[towns.Town]:
    """Where scripts may come from the repository's host."""
    folder = tmp_path_factory.mktemp("scripts")
    with towns.founded(world, folder, SKLEARN_OPERATOR_GIT_HOSTS=repository["host"]) as one:
        yield one


def scripted(name: str, source: dict[str, Any], args: dict[str, Any] | None = None, **spec: Any) -> dict[str, Any]:
    found = towns.manifest(name, data=spec.pop("data", DIGITS), **spec)
    found["spec"]["model"] = {"script": {"source": source, "args": args or {}}}
    return found


@pytest.fixture(scope="module")
def models(town: towns.Town, repository: dict[str, Any]) -> towns.Town:
    first, _ = repository["commits"]
    git = {"url": f"http://{repository['host']}/repo", "revision": first, "path": "train.py"}
    scripts, sample = documents()
    alone = "\n".join(scripts["data"][name] for name in ("folders.py", "train.py"))
    alone = alone.replace("import folders\n", "").replace("folders.", "")
    town.apply(
        scripts,
        sample,
        scripted("inline", {"inline": alone}, {"gamma": 0.001, "c": 1.0}, serving={}),
        scripted("git", {"git": git}, {"gamma": 0.001}, pipeline={"layout": "Staged"}),
        scripted("later", {"git": git | {"revision": "master"}}),
        scripted("elsewhere", {"git": git | {"url": "https://elsewhere.org/repo"}}),
        scripted("lost", {"configMap": {"name": "digits-script", "key": "trian.py"}}),
        scripted("broken", {"inline": "print('so far', flush=True)\nraise ValueError('gamma must be positive')"}),
    )
    return town


def test_an_inline_script_is_judged_and_served_like_any_estimator(models: towns.Town) -> None:
    models.wait("inline", seconds=240)
    assert models.status("inline")["metrics"]["accuracy"] == HALF
    row = json.loads((SAMPLES / "requests" / "digit-8.json").read_text())
    assert models.infer("inline", row)["by_name"]["predict"] == [8]


def test_the_sample_is_tuned_by_its_flags_with_the_module_beside_it(models: towns.Town) -> None:
    models.wait("digits-script", seconds=300)
    status = models.status("digits-script")
    assert (status["tuning"]["completed"], status["tuning"]["failed"], status["tuning"]["total"]) == (4, 0, 4)
    assert set(status["tuning"]["bestParams"]) == {"gamma", "c"}
    assert status["metrics"]["accuracy"] >= HALF


def test_a_commit_is_in_the_lineage(models: towns.Town, repository: dict[str, Any]) -> None:
    models.wait("git", seconds=240)
    assert models.status("git")["metrics"]["accuracy"] == HALF
    assert models.get("skmv", "git-v1")["status"]["lineage"]["gitCommit"] == repository["commits"][0]


@pytest.mark.parametrize(
    ("name", "reason", "says"),
    [
        ("broken", "ScriptFailed", "ValueError: gamma must be positive"),
        ("later", "ScriptFailed", "its last lines: a later commit"),
        ("lost", "ScriptMissing", "there is no file 'trian.py'; did you mean train.py?"),
    ],
)
def test_how_a_script_fails_is_told_in_its_own_words(name: str, reason: str, says: str, models: towns.Town) -> None:
    row = models.wait(name, "Stalled", seconds=240)
    assert row["reason"] == reason and says in row["message"]


def test_other_hosts_are_refused_before_any_pod(models: towns.Town) -> None:
    assert "the host elsewhere.org is not among those" in models.wait("elsewhere", "Valid", "False")["message"]
    assert not models.runs("elsewhere")


def test_a_model_made_elsewhere_is_published_byte_by_byte(models: towns.Town) -> None:
    models.wait("inline", seconds=240)
    uri = models.get("skmv", "inline-v1")["status"]["artifact"]["uri"]
    content = models.world.read(f"{uri.removeprefix(f's3://{services.BUCKET}/')}model.joblib")
    models.world.put("given/digits.joblib", content)
    sha256 = hashlib.sha256(content).hexdigest()
    for name, digest in (("given", sha256), ("other", "0" * 64)):
        document = towns.manifest(name, data=DIGITS, evaluation={"gates": [{"metric": "accuracy", "min": 0.96}]})
        document["spec"]["model"] = {
            "pretrained": {"uri": f"s3://{services.BUCKET}/given/digits.joblib", "sha256": digest}
        }
        models.apply(document)
    models.wait("given", seconds=240)
    assert models.status("given")["metrics"]["accuracy"] == HALF
    assert models.get("skmv", "given-v1")["status"]["artifact"]["sha256"] == sha256
    row = models.wait("other", "Stalled", seconds=240)
    assert row["reason"] == "Sha256Mismatch" and sha256 in row["message"]
