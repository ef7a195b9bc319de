"""What was seen: plain frozen data, complete before anything is decided.

Invariant: nothing in here is a wish. ``status`` of our own objects appears only as history (a finished version keeps
its result there, as a finished Job does) and to keep transition times; it is never taken for the state of the world.
"""

from __future__ import annotations

import enum
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any, NamedTuple

Json = Mapping[str, Any]


class ModelKey(NamedTuple):
    """The identity by which work is queued: one SklearnModel. A tuple, because it is looked up all the time."""

    namespace: str
    name: str

    def __str__(self) -> str:
        return f"{self.namespace}/{self.name}"


class RunState(enum.StrEnum):
    """States of a Kubeflow Pipelines v2 run (backend/api/v2beta1/run.proto)."""

    PENDING = "PENDING"
    RUNNING = "RUNNING"
    SUCCEEDED = "SUCCEEDED"
    SKIPPED = "SKIPPED"
    FAILED = "FAILED"
    CANCELING = "CANCELING"
    CANCELED = "CANCELED"
    PAUSED = "PAUSED"
    UNKNOWN = "RUNTIME_STATE_UNSPECIFIED"

    @property
    def terminal(self) -> bool:
        return self in _TERMINAL


_TERMINAL = frozenset({RunState.SUCCEEDED, RunState.SKIPPED, RunState.FAILED, RunState.CANCELED})


@dataclass(frozen=True)
class Run:
    """One run as the pipeline server tells it; times are UTC with second precision."""

    id: str
    name: str
    state: RunState
    created_at: datetime | None = None
    finished_at: datetime | None = None
    error: str | None = None
    url: str | None = None


@dataclass(frozen=True)
class PodTrouble:
    """Why a pod cannot start or keeps failing, in the pod's own words."""

    pod: str
    reason: str
    message: str
    since: datetime | None = None
    version: str | None = None


@dataclass(frozen=True)
class Outcome:
    """What an attempt left in the store: ``result.json`` or ``failure.json``, parsed; None when it is not there."""

    result: Json | None = None
    failure: Json | None = None
    invalid: str | None = None


@dataclass(frozen=True)
class Attempt:
    """Everything seen about the current attempt of an unfinished version; ``progress``: how far its search is."""

    run: Run | None
    outcome: Outcome | None = None
    troubles: tuple[PodTrouble, ...] = ()
    progress: Json | None = None


@dataclass(frozen=True)
class Version:
    """A SklearnModelVersion; ``retrain``: the value of the retrain annotation that it answers."""

    name: str
    uid: str
    number: int
    training_hash: str
    trigger_type: str
    trigger_key: str
    created_at: datetime
    training: Json
    status: Json = field(default_factory=dict)
    deleting: bool = False
    finalizers: tuple[str, ...] = ()
    resource_version: str = ""
    retrain: str | None = None

    @property
    def phase(self) -> str:
        return str(self.status.get("phase") or "Pending")

    @property
    def finished(self) -> bool:
        return self.phase in ("Succeeded", "Failed", "Rejected", "Canceled")

    @property
    def attempt(self) -> int:
        return int((self.status.get("run") or {}).get("attempt") or 1)

    @property
    def run_recorded(self) -> bool:
        """True once the pipeline server was seen to hold the current attempt's run."""
        return bool((self.status.get("run") or {}).get("state") not in (None, "", "SUBMITTING"))


@dataclass(frozen=True)
class Model:
    """A SklearnModel; ``spec`` as the user wrote it. ``deleting_since``: when its deletion was asked for."""

    key: ModelKey
    uid: str
    generation: int
    resource_version: str
    spec: Json
    status: Json = field(default_factory=dict)
    annotations: Mapping[str, str] = field(default_factory=dict)
    finalizers: tuple[str, ...] = ()
    deleting: bool = False
    deleting_since: datetime | None = None


@dataclass(frozen=True)
class Refusal:
    """The API server's definite no to an InferenceService, with the manifest that it was said of."""

    manifest: Json
    message: str


@dataclass(frozen=True)
class Traffic:
    """What the pods of a version have counted since they began; ``failed``: 5xx, ``refused``: 4xx."""

    requests: int = 0
    failed: int = 0
    refused: int = 0


@dataclass(frozen=True)
class Objection:
    """Why a check did not prove a version. ``answered``: the version that answered in its place, if one did."""

    text: str
    answered: str | None = None


@dataclass(frozen=True)
class Serving:
    """The InferenceService with what proves or disproves that a version answers.

    ``ready_versions``: version labels of pods that are ready now. ``proven``: the version whose prediction was checked
    against its golden rows on the present Deployment. ``probe_error``: why the last check failed; ``answered``: the
    version that it met instead. ``refusal``: why the InferenceService is not as it should be. ``canary``: the
    Deployment of the version that gets a share, with ``canary_proven`` and ``canary_error`` of its own; ``traffic``, by
    version, is known while there is one.
    """

    service: Json | None = None
    deployment: Json | None = None
    ready_versions: tuple[str, ...] = ()
    troubles: tuple[PodTrouble, ...] = ()
    proven: str | None = None
    probe_error: str | None = None
    answered: str | None = None
    refusal: Refusal | None = None
    canary: Json | None = None
    canary_proven: str | None = None
    canary_error: str | None = None
    traffic: Mapping[str, Traffic] = field(default_factory=dict)


@dataclass(frozen=True)
class Observed:
    """All that one decision rests on.

    ``unsubmitted``: uids of versions (with attempt) that this very process recorded and has certainly not submitted
    yet; for all others an absent run may be one that is just being created. ``ending_since``: when this process asked
    the run to end, by its id. ``pods_left``: task pods of a leaving version that are not over. ``unanswered``: versions
    about which an outside system would not say anything, and what is in the way.
    """

    model: Model
    versions: tuple[Version, ...] = ()
    attempts: Mapping[str, Attempt] = field(default_factory=dict)
    serving: Serving = field(default_factory=Serving)
    unsubmitted: frozenset[tuple[str, int]] = frozenset()
    submitted_at: Mapping[str, datetime] = field(default_factory=dict)
    ending_since: Mapping[str, datetime] = field(default_factory=dict)
    runs_left: Mapping[str, tuple[Run, ...]] = field(default_factory=dict)
    pods_left: Mapping[str, tuple[str, ...]] = field(default_factory=dict)
    objects_left: Mapping[str, int] = field(default_factory=dict)
    unanswered: Mapping[str, str] = field(default_factory=dict)
