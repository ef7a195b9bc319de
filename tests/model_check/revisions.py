"""How the world goes on in Knative mode: KServe writes one Knative Service, and Knative makes revisions and a route.

Invariant: as in the other surroundings nothing is a fault, and whatever one system knows of another it may know late.
Knative gives requests only to revisions that were ready once; without a share to the newest of these.
"""

from __future__ import annotations

import functools
import json
from collections.abc import Iterator, Sequence
from typing import Any, NamedTuple

from model_check import world as worlds
from model_check.world import Asked, Component, Deployment, Row, Service, World

SUFFIX = "-deployment"
_MODE = "serving.kserve.io/deploymentMode"
_BESIDE = "sklearn-operator.io/beside"


class Wanted(NamedTuple):
    """What the InferenceService asks for; ``beside``: what gets the rest, by our annotation."""

    template: str
    version: str
    percent: int | None
    beside: str


@functools.cache
def wanted(manifest: str) -> Wanted | None:
    """None in another mode. Annotations are part of a revision, the share is not."""
    found = worlds.read(manifest)
    notes, predictor = found["metadata"]["annotations"], dict(found["spec"]["predictor"])
    if notes[_MODE] != "Knative":
        return None
    percent, version = predictor.pop("canaryTrafficPercent", None), next(iter(predictor["labels"].values()))
    return Wanted(worlds.written([notes, predictor]), version, percent, notes.get(_BESIDE, ""))


def annotations(template: str) -> dict[str, str]:
    """Of a revision; of another mode's template there are none that matter."""
    found, _ = json.JSONDecoder().raw_decode(template)  # somebody may have edited it
    return dict(found[0]) if isinstance(found, list) else {}


def carried(asked: Wanted) -> tuple[str, ...]:
    """The stable version first, then the candidate."""
    return (asked.version,) if asked.percent is None else (asked.beside, asked.version)


def steps(world: World, service: Service, asked: Wanted) -> Iterator[tuple[str, World]]:
    looks = {
        "KServe writes the Knative Service and reports": _written(_reported(world, service), service, asked),
        "Knative routes": _routed(world, service),
    }
    yield from ((label, after) for label, after in looks.items() if after != world)


def late(world: World, service: Service, asked: Wanted) -> bool:
    """Whether anything is still to come."""
    up = all(one.pods in ("ready", "idle") for one in world.deployments)
    return not up or not world.deployments or any(True for _ in steps(world, service, asked))


def requests(world: World, service: Service) -> list[tuple[str, int]]:
    """Who gets how much of the requests, the one that the rest goes to first."""
    rows = sorted(service.rows, key=lambda row: row.newest)
    found = [(world.deployment(row.revision + SUFFIX), row.percent) for row in rows if row.percent]
    return [(one.version if one is not None else "", percent) for one, percent in found]


def answering(world: World, service: Service) -> Deployment | None:
    """Behind which pods the requests come that no candidate gets."""
    main = next((row for row in sorted(service.rows, key=lambda row: row.newest) if row.percent), None)
    found = world.deployment(main.revision + SUFFIX) if main is not None else None
    return found if found is not None and found.pods == "ready" else None


def newest_ready(world: World) -> Deployment | None:
    return next((one for one in reversed(world.deployments) if one.up or one.pods == "ready"), None)


def given(before: tuple[tuple[int, int], ...], number: int, percent: int | None) -> tuple[tuple[int, int], ...]:
    """The largest share that each version was ever given."""
    most = dict(before)
    most[number] = max(most.get(number, 0), 100 if percent is None else percent)
    return tuple(sorted(most.items()))


def status(component: Component) -> dict[str, Any]:
    """As KServe writes it."""
    named = {"Created": component.created, "Ready": component.latest, "Rolledout": component.rolled}
    predictor: dict[str, Any] = {f"latest{kind}Revision": name for kind, name in named.items() if name}
    predictor["traffic"] = [
        {"revisionName": row.revision, "latestRevision": row.newest, "percent": row.percent} for row in component.rows
    ]
    reached = {"url": "http://digits.example", "address": {"url": "http://digits.local"}} if component.latest else {}
    states = {"PredictorReady": component.ready, "IngressReady": bool(component.latest), "Ready": component.ready}
    conditions = [{"type": kind, "status": str(state)} for kind, state in states.items()]
    return {
        "deploymentMode": "Knative",
        "components": {"predictor": predictor},
        "conditions": conditions,
        **reached,
    }


def _written(world: World, service: Service, asked: Wanted) -> World:
    """Only the template makes a revision. There is nothing to share with before one revision had everything.

    ``service``: as it was before the report, for KServe writes first and reports what it read.
    """
    rolled = service.component.rolled if service.component is not None else ""
    target = Asked(100)
    if asked.percent is not None and rolled:
        target = Asked(asked.percent, rolled if asked.percent < 100 else "")
    template = asked.template + (" edited" if service.edited else "")
    made = world.deployments
    if not made or made[-1].template != template:
        number = _number(made[-1].name) + 1 if made else 1
        made = (*made, Deployment(named(number) + SUFFIX, template, asked.version))
    assert world.service is not None
    return world._replace(service=world.service._replace(asked=target), deployments=made)


def _routed(world: World, service: Service) -> World:
    """Knative's look: which revisions are ready, where requests go, and who needs no pods any more."""
    if service.asked is None:
        return world
    made = [one._replace(up=True) if one.pods == "ready" else one for one in world.deployments]
    rows = _resolved(service.asked, made) or service.rows
    routed = {row.revision + SUFFIX for row in rows}
    for place, one in enumerate(made):
        if one.name in routed or (place == len(made) - 1 and not one.up):
            made[place] = one._replace(pods="unseen") if one.pods == "idle" else one
        else:
            made[place] = one._replace(pods="idle")
    return world._replace(service=service._replace(rows=rows), deployments=tuple(made))


def _resolved(asked: Asked, made: Sequence[Deployment]) -> tuple[Row, ...]:
    """Nothing, and all stays as it was, while there is somebody missing."""
    up = [one.name.removesuffix(SUFFIX) for one in made if one.up]
    if not up or (asked.rest and asked.rest not in up):
        return ()
    first = Row(up[-1], True, asked.percent)
    return (first, Row(asked.rest, False, 100 - asked.percent)) if asked.rest else (first,)


def _reported(world: World, service: Service) -> World:
    """What had everything is known from the last report alone."""
    if service.asked is None:
        return world
    made, rows, before = world.deployments, service.rows, service.component or Component()
    up = [one.name.removesuffix(SUFFIX) for one in made if one.up]
    newest, latest = made[-1].name.removesuffix(SUFFIX), up[-1] if up else ""
    ready = newest == latest and made[-1].pods != "crashed" and rows == _resolved(service.asked, made)
    rolled, previous = before.rolled, before.previous
    mine = next((row.percent for row in rows if row.newest and row.revision == latest), None)
    if mine is not None and rolled != latest and mine == 100:
        rolled, previous = latest, rolled
    elif mine is not None and rolled == latest == newest and mine < 100 and {row.revision for row in rows} == {latest}:
        rolled = previous or rolled  # asked to share with itself
    said = Component(ready, newest, latest, rolled, previous, rows)
    return world._replace(service=service._replace(component=said))


def named(number: int) -> str:
    return f"{worlds.NAME}-predictor-{number:05d}"


def _number(deployment: str) -> int:
    return int(deployment.removesuffix(SUFFIX).rpartition("-")[2])
