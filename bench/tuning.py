"""Tuning against what a user would run instead: twelve trials of the digits tutorial, two at a time.

Both are whole Python processes of the trainer's environment, imports included: load, split, search, refit, score on the
test part. Plain scikit-learn searches with two threads in one process, which is its fastest way here: fresh worker
processes take longer to start than the search. Optuna's loop over the same fits is shown beside it.

Invariant: the rivals take turns, so that whatever else the machine does meets all; a verdict compares a turn with
itself.
"""

from __future__ import annotations

import json
import os
import subprocess
import time
from collections.abc import Iterator
from typing import Any

import yaml

from bench import figures
from bench import place as places
from sklearn_sandbox import paths

GOAL = 1.3
TRIALS, AT_ONCE = 12, 2

_DATA = """
from sklearn.datasets import load_digits
from sklearn.model_selection import train_test_split
from sklearn.svm import SVC
X, y = load_digits(return_X_y=True)
X, X_test, y, y_test = train_test_split(X, y, test_size=0.5, shuffle=False)
"""
SCIKIT_LEARN = f"""{_DATA}
import joblib
from scipy.stats import uniform
from sklearn.model_selection import PredefinedSplit, RandomizedSearchCV
held_out = [-1] * (len(X) - len(X) // 4 - 1) + [0] * (len(X) // 4 + 1)
space = {{"gamma": uniform(0.0001, 0.0009), "C": uniform(0.01, 0.99)}}
folds = PredefinedSplit(held_out)
search = RandomizedSearchCV(SVC(), space, n_iter={TRIALS}, cv=folds, n_jobs={AT_ONCE}, random_state=0)
with joblib.parallel_config("threading"):
    search.fit(X, y)
print(search.score(X_test, y_test))
"""
OPTUNA = f"""{_DATA}
import optuna
optuna.logging.set_verbosity(optuna.logging.ERROR)
fit_X, judge_X, fit_y, judge_y = train_test_split(X, y, test_size=0.25, shuffle=False)
def objective(trial):
    model = SVC(gamma=trial.suggest_float("gamma", 0.0001, 0.001), C=trial.suggest_float("C", 0.01, 1.0))
    return model.fit(fit_X, fit_y).score(judge_X, judge_y)
study = optuna.create_study(direction="maximize", sampler=optuna.samplers.RandomSampler(seed=0))
study.optimize(objective, n_trials={TRIALS}, n_jobs={AT_ONCE})
print(SVC(**study.best_params).fit(X, y).score(X_test, y_test))
"""
OURS = """
import sys
from sklearn_steps import contract, prepare, threads, train
threads.limit()
config = contract.RunConfig.model_validate_json(sys.argv[1])
part, test = prepare.prepare(config)
fitted = train.train(config, part)
assert len(fitted.training.tuning.trials) == 12
print(fitted.model.score(test.X, test.y))
"""
RIVALS = (("sklearn-operator", OURS), ("plain scikit-learn", SCIKIT_LEARN), ("plain Optuna", OPTUNA))


def measure(runs: int) -> Iterator[figures.Figure]:
    """``runs`` turns after one that only warms the caches."""
    seconds: dict[str, list[float]] = {name: [] for name, _ in RIVALS}
    scores: dict[str, float] = {}
    text = json.dumps(_config())
    for turn in range(runs + 1):
        for name, script in RIVALS:
            took, scores[name] = _timed(script, text)
            if turn:
                seconds[name].append(took)
    part = f"tuning: {TRIALS} trials of digits, {AT_ONCE} at a time"
    ours, plain, _ = (seconds[name] for name, _ in RIVALS)
    ratios = tuple(mine / theirs for mine, theirs in zip(ours, plain, strict=True))
    yield figures.Figure(part, "times plain scikit-learn", "x", ratios, GOAL, "turn by turn")
    for name, _ in RIVALS:
        yield figures.Figure(part, name, "s", tuple(seconds[name]), note=f"test accuracy {scores[name]:.4f}")


def _timed(script: str, config: str) -> tuple[float, float]:
    environment = os.environ | {"SKLEARN_CPU_LIMIT": str(AT_ONCE)}
    command = [str(paths.trainer_python()), "-c", script, config]
    began = time.perf_counter()
    done = subprocess.run(command, env=environment, capture_output=True, text=True, check=False)
    took = time.perf_counter() - began
    if done.returncode:
        raise places.NotMeasured(f"tuning: {done.stderr.strip().splitlines()[-1:]}")
    return took, float(done.stdout)


def _config() -> dict[str, Any]:
    """The sample as the task gets it."""
    sample = paths.project_root() / "deploy" / "samples" / "digits-tuned.yaml"
    spec = yaml.safe_load(sample.read_text())["spec"]
    fields = {"namespace": "default", "model": "m", "version": "m-v1", "number": 1, "runId": "bench"}
    return fields | {
        "data": spec["data"],
        "estimator": spec["model"]["estimator"],
        "tuning": spec["tuning"],
        "artifactUri": "s3://none/",
    }
