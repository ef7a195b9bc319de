"""What must be looked at before deciding.

Invariant: questions follow from our own objects alone. A settled model asks nothing, so that a thousand of them cost
nothing at a restart.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from sklearn_operator.core import naming, observed, places, serving
from sklearn_operator.core.settings import Settings


@dataclass(frozen=True)
class RunQuestion:
    """Is there this run, how is it, and what did it leave at ``uri``? ``tuned``: it searches, and tells how far."""

    version: str
    attempt: int
    run_id: str
    display_name: str
    uri: str
    place: places.Place
    tuned: bool = False


@dataclass(frozen=True)
class CleanupQuestion:
    """What is left of a version that is being taken down: runs of all its attempts, objects under its root."""

    version: str
    runs: tuple[RunQuestion, ...]
    root: str
    place: places.Place
    objects: bool


@dataclass(frozen=True)
class ProbeQuestion:
    """Does ``address`` answer as ``version`` of ``model``, with the golden rows kept at ``uri``?

    ``named``: whether the answer has to name the version.
    """

    model: str
    version: str
    address: str
    uri: str
    place: places.Place
    named: bool = True


@dataclass(frozen=True)
class ShareQuestion:
    """How does ``version``, which gets a share beside ``stable``, do? ``probe``: and does it answer its golden rows?"""

    model: str
    version: str
    stable: str
    probe: ProbeQuestion | None


@dataclass(frozen=True)
class Questions:
    runs: tuple[RunQuestion, ...] = ()
    cleanups: tuple[CleanupQuestion, ...] = ()
    probe: ProbeQuestion | None = None
    share: ShareQuestion | None = None
    pods: bool = False


def questions(
    model: observed.Model,
    versions: Sequence[observed.Version],
    service: observed.Json | None,
    deployment: observed.Json | None,
    proven: str | None,
    settings: Settings,
    canary_proven: str | None = None,
) -> Questions:
    """All that has to be asked about one model now."""
    leaving = [version for version in versions if version.deleting or model.deleting]
    unfinished = [version for version in versions if not version.finished and version not in leaving]
    keep_objects = model.spec.get("deletionPolicy") == "Retain"
    rolled = serving.rolled_out(service, deployment)
    share = None if model.deleting else _share(model, versions, service, canary_proven, settings)
    return Questions(
        runs=tuple(_run(model, version, version.attempt, settings) for version in unfinished),
        cleanups=tuple(_cleanup(model, version, settings, objects=not keep_objects) for version in leaving),
        probe=_probe(model, versions, service, rolled, settings) if rolled is not None and rolled != proven else None,
        share=share,
        pods=share is not None or (service is not None and (rolled is None or rolled != proven) and not model.deleting),
    )


def _run(model: observed.Model, version: observed.Version, attempt: int, settings: Settings) -> RunQuestion:
    run_id = naming.run_id(version.uid, attempt)
    name = naming.run_display_name(model.key.namespace, version.name, attempt, run_id)
    uri, tuned = places.folder(model, version, settings), bool(version.training.get("tuning"))
    return RunQuestion(version.name, attempt, run_id, name, uri, places.place(model, version, settings), tuned)


def _cleanup(model: observed.Model, version: observed.Version, settings: Settings, *, objects: bool) -> CleanupQuestion:
    runs = tuple(_run(model, version, attempt, settings) for attempt in range(1, version.attempt + 1))
    root, place = places.root(model, version, settings), places.place(model, version, settings)
    return CleanupQuestion(version.name, runs, root, place, objects)


def _probe(
    model: observed.Model,
    versions: Sequence[observed.Version],
    service: observed.Json | None,
    rolled: str,
    settings: Settings,
) -> ProbeQuestion | None:
    where = serving.address(service)
    version = next((item for item in versions if item.name == rolled), None)
    uri = (version.status.get("artifact") or {}).get("uri") if version else None
    if version is None or not where or not uri:
        return None
    named = serving.runtime_of(service) == settings.runtime
    return ProbeQuestion(model.key.name, rolled, where, uri, places.place(model, version, settings), named)


def _share(
    model: observed.Model,
    versions: Sequence[observed.Version],
    service: observed.Json | None,
    proven: str | None,
    settings: Settings,
) -> ShareQuestion | None:
    """A candidate is asked at its pods: the model's address leads to the stable version."""
    share, stable = serving.share_of(service), serving.carried_version(service)
    version = next((item for item in versions if share is not None and item.name == share.version), None)
    uri = (version.status.get("artifact") or {}).get("uri") if version else None
    if share is None or stable in (None, share.version) or version is None or not uri:
        return None  # a version that comes back is beside itself
    place = places.place(model, version, settings)
    probe = ProbeQuestion(model.key.name, version.name, "", uri, place) if proven != version.name else None
    return ShareQuestion(model.key.name, version.name, stable, probe)
