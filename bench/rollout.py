"""From one version to another, and back to order when somebody meddles.

Invariant: every round leaves the model as it found it but for one version more; the moments are the watcher's.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from typing import Any

from bench import figures, latency, timeline
from bench import place as places

SERVED_GOAL, PIN_GOAL, REPAIR_GOAL = 3.0, 2.0, 1.0
_SERVICE = f"{places.SERVICES}/{latency.NAME}"
_RETRAIN = "sklearn-operator.io/retrain"


def measure(
    place: places.Place, seen: timeline.Timeline, runs: int, say: Callable[[str], None]
) -> Iterator[figures.Figure]:
    """``runs`` rounds on one model that is trained and served."""
    latency.live(place, seen, "Fused")
    served, pinned, unpinned, deleted, edited = [], [], [], [], []
    for number in range(2, runs + 2):
        served.append(next_version(place, seen, number))
        pinned.append(_pin(place, seen, f"{latency.NAME}-v{number - 1}"))
        unpinned.append(_pin(place, seen, None, back_to=f"{latency.NAME}-v{number}"))
        deleted.append(_deleted(place, seen))
        edited.append(_edited(place, seen))
        told = f"served after {served[-1]:.2f} s, pinned {pinned[-1]:.2f} s, there again {deleted[-1]:.2f} s"
        say(f"  version {number}: {told}")
    part = "from version to version"
    yield figures.Figure(part, "trained to served", "s", tuple(served), SERVED_GOAL)
    yield figures.Figure(part, "rollback by pin", "s", tuple(pinned), PIN_GOAL)
    yield figures.Figure(part, "and forth by its removal", "s", tuple(unpinned))
    yield figures.Figure(part, "a deleted InferenceService is there again", "s", tuple(deleted), REPAIR_GOAL)
    yield figures.Figure(part, "an edited one is as it was", "s", tuple(edited), REPAIR_GOAL)


def next_version(place: places.Place, seen: timeline.Timeline, number: int) -> float:
    """Has the model trained once more; the seconds from trained to served."""
    name = f"{latency.NAME}-v{number}"
    began = time.time()
    place.patch(latency.MODEL, {"metadata": {"annotations": {_RETRAIN: str(number)}}})
    trained, _ = seen.first(places.VERSIONS, began, _trained(name), f"{name} trained")
    served, _ = seen.first(places.MODELS, began, _serves(name), f"{name} served")
    place.quiet()
    return served - trained


def _pin(place: places.Place, seen: timeline.Timeline, version: str | None, back_to: str | None = None) -> float:
    target = version or back_to or ""
    began = time.time()
    place.patch(latency.MODEL, {"spec": {"rollout": {"version": version}}})
    served, _ = seen.first(places.MODELS, began, _serves(target), f"{target} served")
    place.quiet()
    return served - began


def _deleted(place: places.Place, seen: timeline.Timeline) -> float:
    old = (place.get(_SERVICE) or {})["metadata"]["uid"]
    began = time.time()
    place.api.delete(_SERVICE)
    made, _ = seen.first(places.SERVICES, began, lambda _, one: one["metadata"]["uid"] != old, "another one")
    gone, _ = seen.first(places.SERVICES, began, lambda kind, _: kind == "DELETED", "the deletion")
    seen.first(places.MODELS, made, latency.ready_model, "Ready again")
    place.quiet()
    return made - gone


def _edited(place: places.Place, seen: timeline.Timeline) -> float:
    before = (place.get(_SERVICE) or {})["spec"]["predictor"]["maxReplicas"]
    began = time.time()
    place.patch(_SERVICE, {"spec": {"predictor": {"maxReplicas": before + 1}}})

    def meddled(_: str, one: timeline.Object) -> bool:
        return bool(one["spec"]["predictor"]["maxReplicas"] != before)

    changed, _ = seen.first(places.SERVICES, began, meddled, "the edit")
    mended, _ = seen.first(places.SERVICES, changed, lambda *seen: not meddled(*seen), "the repair")
    place.quiet()
    return mended - began


def _trained(name: str) -> Callable[[str, timeline.Object], bool]:
    return lambda _, one: one["metadata"]["name"] == name and (one.get("status") or {}).get("phase") == "Succeeded"


def _serves(name: str) -> Callable[[str, timeline.Object], bool]:
    def matches(kind: str, one: dict[str, Any]) -> bool:
        return latency.ready_model(kind, one) and one["status"].get("servingVersion") == name

    return matches
