"""What can be done, as frozen data.

Invariant: an action carries no behaviour. It can be printed, compared and shown to a user before it happens; the one
interpreter is ``runtime.executor``. Every action is idempotent by name.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from sklearn_operator.core import observed, places


@dataclass(frozen=True)
class AddFinalizer:
    """Before the first outside effect, so that nothing can be left behind."""


@dataclass(frozen=True)
class RemoveFinalizer:
    """Last of all, when nothing is left."""


@dataclass(frozen=True)
class CreateVersion:
    """Writes the intent to train: the version object, from which run id and artifact folder follow.

    ``retrain``: the request that the version answers along with its trigger.
    """

    name: str
    number: int
    training_hash: str
    trigger_type: str
    trigger_key: str
    training: observed.Json
    retrain: str | None = None


@dataclass(frozen=True)
class SubmitRun:
    """Submits the run of a recorded attempt, unless the pipeline server has it already."""

    version: str
    attempt: int


@dataclass(frozen=True)
class TerminateRun:
    run_id: str
    version: str


@dataclass(frozen=True)
class DeleteRun:
    run_id: str
    version: str


@dataclass(frozen=True)
class ReportVersion:
    """Replaces the status of a version."""

    version: str
    status: observed.Json


@dataclass(frozen=True)
class ApplyInferenceService:
    """``revision``: the resource version of the one to be changed; None: there is none yet, and it is to be ours.

    ``repairs``: what others did to it, where that is all that there is to put right.
    """

    manifest: dict[str, Any]
    version: str
    revision: str | None = None
    repairs: str = ""


@dataclass(frozen=True)
class DeleteInferenceService:
    name: str
    uid: str


@dataclass(frozen=True)
class DeleteArtifacts:
    """Deletes every object of every attempt of a version."""

    version: str
    uri: str
    place: places.Place


@dataclass(frozen=True)
class DeleteVersion:
    name: str


@dataclass(frozen=True)
class ReleaseVersion:
    """Takes our finalizer off a version whose run and objects are gone."""

    name: str


@dataclass(frozen=True)
class Announce:
    """An Event about the model; ``key`` makes it happen once."""

    kind: str
    reason: str
    message: str
    key: str


Action = (
    AddFinalizer
    | RemoveFinalizer
    | CreateVersion
    | SubmitRun
    | TerminateRun
    | DeleteRun
    | ReportVersion
    | ApplyInferenceService
    | DeleteInferenceService
    | DeleteArtifacts
    | DeleteVersion
    | ReleaseVersion
    | Announce
)
