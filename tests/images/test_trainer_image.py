"""The trainer's image: a task of the compiled pipeline and the serving pod, by the very commands of the manifests."""

from __future__ import annotations

import json
import shutil
import zipfile
from pathlib import Path
from typing import Any

import containers
import httpx
import pytest
import yaml

import waiting
from sklearn_sandbox import services, storage_initializer
from sklearn_steps import contract

ROOT = Path(__file__).parents[2]
HOST = "127.63.0.2"
SERVER = f"http://{HOST}:8080"
DIGITS = {"source": {"builtin": "digits"}, "split": {"testSize": 0.5, "shuffle": False}}


def config(name: str, **more: Any) -> dict[str, Any]:
    return {
        "formatVersion": 1,
        "namespace": "default",
        "model": "digits",
        "version": "digits-v1",
        "number": 1,
        "runId": "0a1b2c3d-0000-5000-8000-000000000001",
        "data": DIGITS,
        "estimator": {"class": "sklearn.svm.SVC", "params": {"gamma": 0.001}},
        "artifactUri": f"s3://{services.BUCKET}/images/{name}/",
        **more,
    }


def task(document: dict[str, Any], secret: dict[str, str], **env: str) -> containers.Process:
    """The one task of the fused pipeline, as the launcher of Kubeflow Pipelines starts it."""
    text = (ROOT / "operator" / "sklearn_operator" / "pipelines" / "fused.yaml").read_text()
    pipeline = next(iter(yaml.safe_load_all(text)))
    container = pipeline["deploymentSpec"]["executors"]["exec-run-all"]["container"]
    outputs = pipeline["components"]["comp-run-all"]["outputDefinitions"]["artifacts"]
    given = {
        "inputs": {"parameterValues": {"config": json.dumps(document)}},
        "outputs": {
            "artifacts": {
                name: {
                    "artifacts": [{"name": name, "type": about["artifactType"], "uri": f"minio://out/{name}"}],
                }
                for name, about in outputs.items()
            },
            "outputFile": "/minio/out/output.json",
        },
    }
    variables = {item["name"]: item["value"] for item in container["env"]}
    variables |= {contract.STORE_ENV_PREFIX + key: value for key, value in secret.items()}
    args = [json.dumps(given) if word == "{{$}}" else word for word in container["args"]]
    return containers.Process(container["command"], args, variables | env)


@pytest.fixture
def scratch(tmp_path: Path) -> containers.Volume:
    """What Kubeflow Pipelines mounts for outputs: an empty folder that everybody may write to."""
    folder = tmp_path / "minio"
    folder.mkdir()
    folder.chmod(0o777)
    return containers.Volume(folder, "/minio", read_only=False)


def published(name: str, secret: dict[str, str], folder: Path) -> dict[str, Any]:
    """What the task left in the store, fetched as KServe fetches it; the result."""
    shutil.rmtree(folder, ignore_errors=True)
    storage_initializer.fetch(f"s3://{services.BUCKET}/images/{name}/", folder, secret)
    for path in (folder, *folder.rglob("*")):
        path.chmod(0o755 if path.is_dir() else 0o644)
    return dict(json.loads((folder / contract.RESULT).read_bytes()))


def test_a_model_is_trained_published_and_served(
    store: containers.Store, secret: dict[str, str], scratch: containers.Volume, tmp_path: Path
) -> None:
    with store.container("trainer", [scratch]) as container:
        done = container.run(task(config("served"), secret))
    assert done.returncode == 0, done.stdout + done.stderr
    assert json.loads((scratch.folder / "out" / "output.json").read_text())["artifacts"]["metrics"]
    model = tmp_path / "model"
    result = published("served", secret, model)
    assert result["metrics"]["accuracy"] == pytest.approx(0.9688, abs=1e-4)
    _serve(store, model, tmp_path / "server.log")


def _serve(store: containers.Store, model: Path, log: Path) -> None:
    """By the ClusterServingRuntime, as a user whom OpenShift would choose."""
    runtime = yaml.safe_load((ROOT / "deploy" / "runtime" / "clusterservingruntime.yaml").read_text())
    (server,) = runtime["spec"]["containers"]
    args = [word.replace("{{.Name}}", "digits") for word in server["args"]]
    env = {item["name"]: item["value"] for item in server["env"]}
    env |= {"SKLEARN_POD_HOST": HOST, "SKLEARN_DRAIN_SECONDS": "0.1"}
    how = containers.Process(server["command"], args, env, scratch=False)  # its pod has no volume to write to
    with store.container("trainer", [containers.Volume(model, "/mnt/models")]) as container:
        with container.running(how.by_somebody(), log) as process:
            ready = server["readinessProbe"]["httpGet"]["path"]
            waiting.wait_for("its being ready", lambda: _answers(ready) or process.poll() is not None)
            assert process.poll() is None, log.read_text()
            row = json.loads((ROOT / "deploy" / "samples" / "requests" / "digit-8.json").read_text())
            answer = httpx.post(f"{SERVER}/v2/models/digits/infer", json=row).json()
            assert answer["outputs"][0]["data"] == [8]
            assert containers.terminate(process) == 0, log.read_text()


def _answers(path: str) -> bool:
    try:
        return httpx.get(SERVER + path, timeout=5).status_code == 200
    except httpx.TransportError:
        return False


def test_further_packages_scripts_and_searches_need_no_home_and_no_name(
    store: containers.Store, secret: dict[str, str], scratch: containers.Volume, tmp_path: Path
) -> None:
    """pip puts packages into the task's own folder, joblib starts processes, and all of it is in /tmp."""
    wheels = tmp_path / "wheels"
    wheels.mkdir()
    _wheel(wheels / "toyleaf-2.1-py3-none-any.whl")
    lines = [
        "import getpass, os, joblib, toyleaf",
        "from sklearn import datasets, model_selection, tree",
        "inputs, target = datasets.load_digits(return_X_y=True)",
        "search = model_selection.GridSearchCV(tree.DecisionTreeClassifier(random_state=0), {'max_depth': [4, 8]},"
        " cv=2, n_jobs=2)",
        "search.fit(inputs, target)",
        "joblib.dump(search.best_estimator_, os.environ['SKLEARN_OUTPUT'] + '/model.joblib')",
    ]
    document = config("script", requirements=["toyleaf==2.1"], script={"source": {"inline": "\n".join(lines)}})
    del document["estimator"]
    index = {"PIP_NO_INDEX": "1", "PIP_FIND_LINKS": "/wheels"}
    with store.container("trainer", [scratch, containers.Volume(wheels, "/wheels")]) as container:
        done = container.run(task(document, secret, **index).by_somebody())
    assert done.returncode == 0, done.stdout + done.stderr
    assert published("script", secret, tmp_path / "model")["metrics"]["accuracy"] > 0.5


def _wheel(path: Path) -> None:
    info = "toyleaf-2.1.dist-info"
    files = {
        "toyleaf.py": "",
        f"{info}/METADATA": "Metadata-Version: 2.1\nName: toyleaf\nVersion: 2.1\n",
        f"{info}/WHEEL": "Wheel-Version: 1.0\nGenerator: test\nRoot-Is-Purelib: true\nTag: py3-none-any\n",
    }
    files[f"{info}/RECORD"] = "".join(f"{name},,\n" for name in (*files, f"{info}/RECORD"))
    with zipfile.ZipFile(path, "w") as archive:
        for name, text in files.items():
            archive.writestr(name, text)


def test_what_writes_caches_finds_a_place_for_them(trainer: containers.Container) -> None:
    """Libraries that people add in images of their own: they ask these variables, and without them the home."""
    code = "import os, pathlib; print(pathlib.Path('~').expanduser(), os.environ['MPLCONFIGDIR'])"
    code += "; print(os.environ['NUMBA_CACHE_DIR'], os.environ['XDG_CACHE_HOME'])"
    places = trainer.output("python", "-c", code).split()
    assert [Path(place).parts[:2] for place in places] == [("/", "tmp")] * 4
