"""The manifests that users of the check write, each called by the words of which it is made.

Invariant: a word changes one thing, so that a trace says what was edited without showing a manifest.
"""

from __future__ import annotations

import copy
import functools
from typing import Any

from sklearn_operator import api
from sklearn_operator.core import naming, rollout, training

_BASE: dict[str, Any] = {
    "data": {"source": {"builtin": "digits"}, "split": {"testSize": 0.5, "shuffle": False}},
    "model": {"estimator": {"class": "sklearn.svm.SVC", "params": {"gamma": 0.001}}},
    "serving": {},
    "evaluation": {"gates": [{"metric": "accuracy", "min": 0.9}]},
    "history": {"limit": 2},
}
_WORDS: dict[str, dict[str, Any]] = {
    "A": {},
    "B": {"model": {"estimator": {"class": "sklearn.svm.SVC", "params": {"gamma": 0.002}}}},
    "wrong": {"model": {"estimator": {"class": "sklearn.svm.SVX"}}},
    "knative": {"serving": {"deploymentMode": "Knative"}},
    "env": {"serving": {"env": [{"name": "MODE", "value": "new"}]}},
    "unserved": {"serving": None},
    "ungated": {"evaluation": None},
    "short": {"history": {"limit": 1}},
    "twice": {"training": {"attempts": 2}},
    "suspend": {"suspend": True},
    "manual": {"rollout": {"approval": "Manual"}},
    "steps": {"rollout": {"canary": {"steps": [{"weight": 10, "pause": "5m"}, {"weight": 50, "pause": "5m"}]}}},
    "pin1": {"rollout": {"version": "digits-v1"}},
    "pin2": {"rollout": {"version": "digits-v2"}},
}

TRAINED = frozenset({"A", "B", "wrong"})
ADDED = frozenset(_WORDS) - TRAINED


@functools.cache
def raw(name: str) -> dict[str, Any]:
    """The manifest's ``spec``."""
    spec = copy.deepcopy(_BASE)
    for word in name.split():
        for field, value in _WORDS[word].items():
            merged = field in ("rollout", "serving") and value is not None
            spec[field] = (spec.get(field) or {}) | value if merged else value
    return {field: value for field, value in spec.items() if value is not None}


@functools.cache
def parsed(name: str) -> api.SklearnModelSpec:
    return api.parse_spec(raw(name))


@functools.cache
def training_hash(name: str) -> str:
    return training.training_hash(parsed(name))


@functools.cache
def serving_hash(name: str) -> str:
    return rollout.serving_hash(parsed(name))


def toggled(name: str, word: str) -> str:
    """With the word, or without where it was there."""
    words = name.split()
    return " ".join([one for one in words if one != word] if word in words else [*words, word])


def retrained(name: str, word: str) -> str:
    """The same with another first word: other parameters."""
    return " ".join([word, *name.split()[1:]])


def canonical(name: str) -> str:
    first, *rest = name.split()
    return " ".join([first, *sorted(rest)])


def is_pin(word: str) -> bool:
    return word.startswith("pin")


def pinned(name: str) -> str | None:
    return next((naming.version_name("digits", int(word[3:])) for word in name.split() if is_pin(word)), None)
