"""Scripts as users write them, and configurations that run them."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import steps_given as given

#: The training script of the tutorial that everybody begins with: digits, and two flags.
DIGITS = """
import argparse, json, os
import joblib
import pandas as pd
from sklearn.svm import SVC

parser = argparse.ArgumentParser()
parser.add_argument("--gamma", type=float, default=0.001)
parser.add_argument("--c", type=float, default=1.0)
args = parser.parse_args()

with open(os.path.join(os.environ["SKLEARN_INPUT"], "schema.json")) as file:
    schema = json.load(file)
rows = pd.read_parquet(os.path.join(os.environ["SKLEARN_INPUT"], "train.parquet"))
X, y = rows[[feature["name"] for feature in schema["features"]]], rows[schema["target"][0]]
model = SVC(gamma=args.gamma, C=args.c).fit(X, y)
print("fitted", len(X), "rows")
output = os.environ["SKLEARN_OUTPUT"]
with open(os.path.join(output, "metrics.json"), "w") as file:
    json.dump({"training_accuracy": model.score(X, y)}, file)
joblib.dump(model, os.path.join(output, "model.joblib"), compress=3)
"""

#: What a short script begins with.
HEAD = """
import json, os, sys
import joblib, pandas as pd
given, output = os.environ["SKLEARN_INPUT"], os.environ["SKLEARN_OUTPUT"]
schema = json.load(open(given + "/schema.json"))
rows = pd.read_parquet(given + "/train.parquet")
names = [feature["name"] for feature in schema["features"]]
X = rows[names]
y = rows[schema["target"][0]] if schema["target"] else None
def leave(model):
    joblib.dump(model, output + "/model.joblib")
"""
HALVES = {"source": {"builtin": "digits"}, "split": {"testSize": 0.5, "shuffle": False}}


def config(folder: Path, script: str, args: dict[str, Any] | None = None, **changes: Any) -> dict[str, Any]:
    """A run of an inline script."""
    document = given.config(folder, **changes)
    del document["estimator"]
    return document | {"script": {"source": {"inline": script}, "args": args or {}}}
