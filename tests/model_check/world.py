"""The world in which the plan is tried: our objects, pipeline server, store, KServe, and what the operator knows.

Invariant: a world is a value without a clock. Whatever time decides is either still running or over, so that two worlds
that behave alike are equal; a timer may run out at any moment, which covers every speed of everybody.
"""

from __future__ import annotations

import functools
import json
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from typing import Any, NamedTuple, TypeVar

from sklearn_operator.core import naming, times

NOW = datetime(2026, 1, 1, 12, 0, 0, tzinfo=UTC)
LONG_AGO = NOW - timedelta(hours=9)
OVER = times.text(NOW - timedelta(seconds=1))
UID = "11111111-2222-3333-4444-555555555555"
NAME = "digits"


class Version(NamedTuple):
    number: int
    hash: str
    trigger: tuple[str, str]
    retrain: str | None
    training: str
    status: str = "{}"
    leaving: bool = False

    @property
    def name(self) -> str:
        return naming.version_name(NAME, self.number)

    @property
    def uid(self) -> str:
        return uid_of(self.number)


class Run(NamedTuple):
    """``state``: sent (not to be seen yet), running, late, ending, stuck, succeeded, unproductive, failed, or deleted.

    ``pods``: whether its tasks may still write.
    """

    version: int
    attempt: int
    state: str
    pods: bool = True

    @property
    def id(self) -> str:
        return naming.run_id(uid_of(self.version), self.attempt)

    @property
    def over(self) -> bool:
        return self.state in ("succeeded", "unproductive", "failed")

    @property
    def seen(self) -> bool:
        return self.state not in ("sent", "deleted")


class Thing(NamedTuple):
    """An object in the store: a good or bad result, a failure that may pass or will not, or anything else."""

    version: int
    attempt: int
    what: str


class Deployment(NamedTuple):
    """``pods`` of its template: unseen (by its controller), starting, ready, crashed; ``old``: whose still run.

    In Knative mode that of a revision: ``up`` once it was ready, and idle where it gets no requests.
    """

    name: str
    template: str
    version: str
    pods: str = "unseen"
    old: str = ""
    up: bool = False


class Route(NamedTuple):
    """Where requests go: Deployment of the stable predictor, and of the candidate with its share."""

    stable: str
    candidate: str = ""
    weight: int = 0


class Said(NamedTuple):
    """What KServe reports: whether the stable predictor is ready, and of the candidate (name, ready, weight)."""

    ready: bool
    candidate: tuple[str, bool, int] | None = None


class Asked(NamedTuple):
    """What KServe asks of Knative: so much for the newest ready revision, and the ``rest`` for that one."""

    percent: int
    rest: str = ""


class Row(NamedTuple):
    """Of Knative's route; ``newest``: it is for whichever revision is the newest ready one."""

    revision: str
    newest: bool
    percent: int


class Component(NamedTuple):
    """What KServe reports of the predictor in Knative mode: the newest revision, the newest ready one, the last one
    that had everything and the one before it, and the route.
    """

    ready: bool = False
    created: str = ""
    latest: str = ""
    rolled: str = ""
    previous: str = ""
    rows: tuple[Row, ...] = ()


class Service(NamedTuple):
    """An InferenceService. ``fresh``: the rollout deadline is not over. ``edited``: somebody wrote into our fields.

    ``route`` and ``said`` in Standard mode; ``asked``, ``rows`` and ``component`` in Knative mode.
    """

    manifest: str
    fresh: bool = True
    edited: bool = False
    leaving: bool = False
    route: Route | None = None
    said: Said | None = None
    asked: Asked | None = None
    rows: tuple[Row, ...] = ()
    component: Component | None = None


class Memory(NamedTuple):
    """What the operator loses when it dies; ``proven`` None: nothing was looked at since it began."""

    unsubmitted: tuple[tuple[int, int], ...] = ()
    ending: tuple[tuple[int, int, bool], ...] = ()
    proven: tuple[tuple[str, str, str], ...] | None = None


class Model(NamedTuple):
    """``spec``: its name in the stage's list. An edit makes all that the status says one of an older generation."""

    spec: str
    retrain: str | None = None
    approve: str | None = None
    finalizer: bool = False
    deleting: bool = False
    status: str = "{}"


class World(NamedTuple):
    """``settling``: versions of which an unseen run may still be on its way. ``ill``: (version, how), for good.

    ``sick``: no pod that is new comes up. ``silent``: the pipeline server and the store do not answer. ``highest`` and
    ``keys``: every number and every trigger key ever used; ``given``: the largest share that each version was given in
    Knative mode. These are for the rules alone.
    """

    model: Model | None
    versions: tuple[Version, ...] = ()
    runs: tuple[Run, ...] = ()
    things: tuple[Thing, ...] = ()
    service: Service | None = None
    deployments: tuple[Deployment, ...] = ()
    memory: Memory = Memory()
    settling: tuple[int, ...] = ()
    ill: tuple[tuple[int, str], ...] = ()
    sick: bool = False
    silent: bool = False
    highest: int = 0
    keys: tuple[str, ...] = ()
    given: tuple[tuple[int, int], ...] = ()

    def version(self, name: str) -> Version | None:
        return next((one for one in self.versions if one.name == name), None)

    def run(self, version: int, attempt: int) -> Run | None:
        return next((one for one in self.runs if (one.version, one.attempt) == (version, attempt)), None)

    def deployment(self, name: str) -> Deployment | None:
        return next((one for one in self.deployments if one.name == name), None)

    def illness(self, version: str) -> str:
        return dict(self.ill).get(naming.number(NAME, version), "")


T = TypeVar("T")


def with_version(world: World, changed: Version) -> World:
    return world._replace(versions=_put(world.versions, changed, lambda one: one.number))


def with_run(world: World, changed: Run) -> World:
    return world._replace(runs=_put(world.runs, changed, lambda one: (one.version, one.attempt)))


def with_deployment(world: World, changed: Deployment) -> World:
    return world._replace(deployments=_put(world.deployments, changed, lambda one: one.name))


def with_thing(world: World, thing: Thing) -> World:
    return world._replace(things=tuple(sorted({*world.things, thing})))


def without_run(world: World, gone: Run) -> World:
    return world._replace(runs=tuple(one for one in world.runs if one != gone))


def _put(things: tuple[T, ...], changed: T, key: Callable[[T], Any]) -> tuple[T, ...]:
    rest: list[T] = [one for one in things if key(one) != key(changed)]
    return tuple(sorted([*rest, changed], key=key))


def uid_of(number: int) -> str:
    return f"{number:08d}-aaaa-bbbb-cccc-dddddddddddd"


def written(document: Any) -> str:
    return json.dumps(document, sort_keys=True)


@functools.cache
def read(text: str) -> Any:
    return json.loads(text)


@functools.cache
def finished(status: str) -> bool:
    return read(status).get("phase") in ("Succeeded", "Failed", "Rejected", "Canceled")


@functools.cache
def recorded(status: str) -> bool:
    return (read(status).get("run") or {}).get("state") not in (None, "", "SUBMITTING")


@functools.cache
def attempt_of(status: str) -> int:
    return int((read(status).get("run") or {}).get("attempt") or 1)
