"""`spec.canary[]` in Standard mode: who the canaries are. What they get of the traffic is in `routes`.

Invariant: pure. A canary's predictor is the stable one with the canary's fields on top; a zero never overrides.
"""

from __future__ import annotations

import copy
import math
from typing import Any

from sklearn_sandbox.kserve.names import Json

_NO_SCALING = ("maxReplicas", "scaleTarget", "scaleMetric", "autoScaling")


def predictors(spec: Json) -> list[Json]:
    """The full predictor of every canary."""
    return [_predictor(spec["predictor"], canary) for canary in spec.get("canary") or []]


def replicas(stable: Json, canary: Json) -> int:
    """What it asks for, else its share of the stable replicas, rounded up."""
    asked = canary["predictor"].get("minReplicas")
    return int(asked) if asked is not None else math.ceil(_minimum(stable) * canary["trafficPercent"] / 100)


def statuses(spec: Json, available: dict[str, int]) -> list[Json]:
    """`available`: available replicas by predictor name. modelStatus is never filled."""
    return [
        {
            "name": canary["predictor"]["name"],
            "ready": available.get(canary["predictor"]["name"], 0) > 0,
            "trafficPercent": canary["trafficPercent"],
            "modelStatus": {"transitionStatus": ""},
        }
        for canary in spec.get("canary") or []
    ]


def reduced_stable(spec: Json, reported: list[Json]) -> Json:
    """The stable predictor, smaller by the replicas of ready canaries, but never below one."""
    stable: Json = copy.deepcopy(spec["predictor"])
    ready = {status["name"] for status in reported if status["ready"]}
    taken = sum(replicas(stable, item) for item in spec.get("canary") or [] if item["predictor"]["name"] in ready)
    if taken and stable.get("minReplicas") is not None:
        stable["minReplicas"] = max(stable["minReplicas"] - taken, 1)
    return stable


def _predictor(stable: Json, canary: Json) -> Json:
    merged: Json = _overlay(stable, canary["predictor"])
    merged = {key: value for key, value in merged.items() if key not in _NO_SCALING}
    return {**merged, "minReplicas": replicas(stable, canary)}


def _overlay(base: Any, top: Any) -> Any:
    if isinstance(base, dict) and isinstance(top, dict):
        merged = copy.deepcopy(base)
        for key, value in top.items():
            if value not in (None, 0, "", [], {}):
                merged[key] = _overlay(base.get(key), value)
        return merged
    return copy.deepcopy(top)


def _minimum(stable: Json) -> int:
    return int(stable["minReplicas"]) if stable.get("minReplicas") is not None else 1
