"""Training through the operator against the same code in a plain Python script, and how soon a failure is told.

The operator's time is from apply until the model is reported as trained, all of its own work included; the script's is
that of a whole process: imports, load, split, fit, score, save. Two models: one that takes no time to fit, and one that
takes seconds.

Invariant: script, Fused and Staged take turns, so that whatever else the machine does meets all; a verdict compares a
turn with itself.
"""

from __future__ import annotations

import json
import subprocess
import tempfile
import time
from collections.abc import Callable, Iterator
from typing import Any

import obstore

from bench import figures, timeline
from bench import place as places
from sklearn_sandbox import paths
from sklearn_steps import contract

FACTOR, FUSED_GOAL, TASK_GOAL, TOLD_GOAL = 1.15, 1.5, 2.0, 5.0
LAYOUTS = {"Fused": 1, "Staged": 4}
NAME = "trained"
MODEL = f"{places.MODELS}/{NAME}"
WATCHED = (places.MODELS,)
MODELS: dict[str, tuple[str, dict[str, Any]]] = {
    "SVC on digits": ("sklearn.svm.SVC", {"gamma": 0.001}),
    "forest of 600 on digits": ("sklearn.ensemble.RandomForestClassifier", {"n_estimators": 600, "random_state": 0}),
}
PLAIN = """
import importlib, json, sys
import joblib
from sklearn.datasets import load_digits
from sklearn.metrics import accuracy_score, balanced_accuracy_score, f1_score
from sklearn.model_selection import train_test_split
path, params, folder = sys.argv[1:]
module, _, name = path.rpartition(".")
X, y = load_digits(return_X_y=True)
X, X_test, y, y_test = train_test_split(X, y, test_size=0.5, shuffle=False)
model = getattr(importlib.import_module(module), name)(**json.loads(params)).fit(X, y)
answers = model.predict(X_test)
print(accuracy_score(y_test, answers), balanced_accuracy_score(y_test, answers))
print(f1_score(y_test, answers, average="macro"))
joblib.dump(model, f"{folder}/model.joblib")
"""


def measure(
    place: places.Place, seen: timeline.Timeline, runs: int, say: Callable[[str], None]
) -> Iterator[figures.Figure]:
    """``runs`` turns after one that only warms the caches."""
    for title, (estimator, params) in MODELS.items():
        took: dict[str, list[float]] = {name: [] for name in ("plain", *LAYOUTS)}
        for turn in range(runs + 1):
            found = {"plain": _plain(estimator, params)}
            found |= {layout: _trained(place, seen, layout, estimator, params) for layout in LAYOUTS}
            say(f"    {title}: " + ", ".join(f"{name} {seconds:.2f} s" for name, seconds in found.items()))
            for name, seconds in found.items() if turn else ():
                took[name].append(seconds)
        yield from _report(f"training: {title}", took)
    yield figures.Figure(
        "a task that fails", "the exception to the message in .status", "s",
        tuple(_told(place, seen, layout) for _ in range(runs) for layout in LAYOUTS), TOLD_GOAL,
    )  # fmt: skip


def _report(part: str, took: dict[str, list[float]]) -> Iterator[figures.Figure]:
    fused = tuple(mine - FACTOR * plain for mine, plain in zip(took["Fused"], took["plain"], strict=True))
    further = LAYOUTS["Staged"] - LAYOUTS["Fused"]
    staged = tuple((more - one) / further for more, one in zip(took["Staged"], took["Fused"], strict=True))
    yield figures.Figure(part, f"Fused, beyond {FACTOR} times plain Python", "s", fused, FUSED_GOAL)
    yield figures.Figure(part, "Staged, per further task", "s", staged, TASK_GOAL)
    for name, seconds in took.items():
        yield figures.Figure(part, f"  {name}", "s", tuple(seconds))


def _plain(estimator: str, params: dict[str, Any]) -> float:
    with tempfile.TemporaryDirectory() as folder:
        command = [str(paths.trainer_python()), "-c", PLAIN, estimator, json.dumps(params), folder]
        began = time.perf_counter()
        done = subprocess.run(command, capture_output=True, text=True, check=False)
        took = time.perf_counter() - began
    if done.returncode:
        raise places.NotMeasured(f"training: {done.stderr.strip().splitlines()[-1:]}")
    return took


def _trained(
    place: places.Place, seen: timeline.Timeline, layout: str, estimator: str, params: dict[str, Any]
) -> float:
    began = _apply(place, layout, {"class": estimator, "params": params})
    at, _ = seen.first(places.MODELS, began, _says("Trained", "True"), f"{layout}: Trained")
    return at - began


def _told(place: places.Place, seen: timeline.Timeline, layout: str) -> float:
    """A parameter that only the fit refuses."""
    began = _apply(place, layout, {"class": "sklearn.neighbors.KNeighborsClassifier", "params": {"n_neighbors": 5000}})
    at, _ = seen.first(places.MODELS, began, _says("Trained", "False", "failed in step"), f"{layout}: a failure")
    store = places.store(place.sandbox)
    keys = [entry["path"] for batch in obstore.list(store, f"default/{NAME}/") for entry in batch]
    [key] = [key for key in keys if key.endswith(contract.FAILURE)]
    return at - contract.Failure.model_validate_json(bytes(obstore.get(store, key).bytes())).at.timestamp()


def _apply(place: places.Place, layout: str, estimator: dict[str, Any]) -> float:
    place.api.delete(MODEL)
    for path in (places.MODELS, places.VERSIONS, places.PODS):
        places.wait_for(f"nothing left in {path}", lambda path=path: not place.list(path))  # type: ignore[misc]
    place.quiet()
    data = {"source": {"builtin": "digits"}, "split": {"testSize": 0.5, "shuffle": False}}
    spec = {"data": data, "model": {"estimator": estimator}, "pipeline": {"layout": layout}}
    kind = {"apiVersion": "sklearn-operator.io/v1alpha1", "kind": "SklearnModel"}
    began = time.time()
    place.create(places.MODELS, kind | {"metadata": {"name": NAME, "namespace": "default"}, "spec": spec})
    return began


def _says(condition: str, status: str, words: str = "") -> Any:
    def matches(kind: str, found: timeline.Object) -> bool:
        rows = {row["type"]: row for row in (found.get("status") or {}).get("conditions", [])}
        row = rows.get(condition, {})
        mine = kind != "DELETED" and found["metadata"]["name"] == NAME
        current = row.get("observedGeneration") == found["metadata"]["generation"]
        return mine and current and row.get("status") == status and words in row.get("message", "")

    return matches
