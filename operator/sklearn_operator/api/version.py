"""SklearnModelVersion: one training, its frozen inputs and what became of it.

Invariant: the spec never changes after creation; the API server sees to it.
"""

from __future__ import annotations

from datetime import datetime
from typing import Annotated, ClassVar, Literal

from pydantic import Field

from sklearn_operator.api import fields
from sklearn_operator.api.base import ApiModel, Rule
from sklearn_operator.api.status import Conditions, FreeForm, Metrics, RunStatus, TuningStatus


class Trigger(ApiModel):
    """Why the version was made."""

    type: Literal["SpecChange", "Schedule", "Manual", "DataChange", "Drift"] = Field(description="Kind of the cause.")
    key: Annotated[str, fields.text(512, least=0)] = Field(
        description="Identity of the cause: one key makes one version."
    )


class VersionSpec(ApiModel):
    """What was trained, and why."""

    rules: ClassVar = (
        Rule(
            "self == oldSelf",
            "the spec of a version never changes; change the SklearnModel, and the operator makes the next version",
            lambda _: True,
        ),
    )

    model: Annotated[str, fields.text(63)] = Field(description="Its SklearnModel, in the same namespace.")
    number: Annotated[fields.Whole, Field(ge=1)] = Field(description="Number of the version, from 1, never reused.")
    training_hash: Annotated[str, fields.text(64)] = Field(description="Hash of what was trained.")
    trigger: Trigger = Field(description="Why the version was made.")
    training: FreeForm = Field(description="The resolved, frozen inputs of the training.")


class VersionRunStatus(RunStatus):
    """The run of the current attempt."""

    attempt: fields.Whole | None = Field(default=None, description="Number of the attempt, from 1.")
    submitted_at: datetime | None = Field(default=None, description="When the operator set out to submit it.")


class ArtifactStatus(ApiModel):
    """The trained model's files."""

    uri: str | None = Field(default=None, description="The folder that they are in.")
    sha256: str | None = Field(default=None, description="SHA-256 of model.joblib.")
    size: fields.Whole | None = Field(default=None, description="Size of model.joblib, in bytes.")


class GateStatus(ApiModel):
    """What a gate said."""

    metric: str | None = Field(default=None, description="The metric.")
    value: float | None = Field(default=None, description="Its value.")
    bound: str | None = Field(default=None, description="The bound, such as >= 0.95.")
    passed: bool | None = Field(default=None, description="Whether the value keeps the bound.")
    message: str | None = Field(default=None, description="The same in words, with the reason where there is one.")


class ComparedStatus(ApiModel):
    """The version that it was compared with, on the same test rows."""

    version: str | None = Field(default=None, description="The version that served when this one was made.")
    metrics: Metrics | None = Field(default=None, description="Its metrics, unrounded.")
    message: str | None = Field(default=None, description="Why it has none.")


class LineageStatus(ApiModel):
    """What the model came from."""

    data_sha256: str | None = Field(default=None, description="SHA-256 of the data.")
    rows: fields.Whole | None = Field(default=None, description="Rows of the data.")
    features: fields.Whole | None = Field(default=None, description="Number of features.")
    revision: str | None = Field(default=None, description="data.revision of the manifest.")
    git_commit: str | None = Field(default=None, description="Commit of the script.")
    image: str | None = Field(default=None, description="Image that trained it.")
    python: str | None = Field(default=None, description="Version of Python.")
    sklearn: str | None = Field(default=None, description="Version of scikit-learn.")
    numpy: str | None = Field(default=None, description="Version of numpy.")
    seed: fields.Whole | None = Field(default=None, description="The seed.")


class FailureStatus(ApiModel):
    """Why it failed."""

    step: str | None = Field(default=None, description="Where: prepare, train, evaluate, publish, or run.")
    reason: str | None = Field(default=None, description="Why, in one word.")
    message: str | None = Field(default=None, description="Why, and what to do.")


class RolledBackStatus(ApiModel):
    """A rollout that did not succeed."""

    serving: str | None = Field(
        default=None, description="Hash of spec.serving at that time; another one is a new try."
    )
    reason: str | None = Field(default=None, description="Why, in one word.")
    message: str | None = Field(default=None, description="Why, in a sentence.")
    at: datetime | None = Field(default=None, description="When.")


class VersionStatus(ApiModel):
    """What became of the training; written by the operator alone."""

    phase: Literal["Pending", "Running", "Succeeded", "Failed", "Rejected", "Canceled"] | None = Field(
        default=None, description="The state; Rejected is by a gate."
    )
    conditions: Conditions = Field(default=(), description="Conditions of the version.")
    run: VersionRunStatus | None = Field(default=None, description="The run of the current attempt.")
    artifact: ArtifactStatus | None = Field(default=None, description="The trained model's files.")
    metric: str | None = Field(default=None, description="The headline metric, such as accuracy=0.969.")
    metrics: Metrics | None = Field(default=None, description="All metrics of the test part, unrounded.")
    gates: Annotated[tuple[GateStatus, ...], Field(max_length=64)] = Field(
        default=(), description="What the gates say."
    )
    compared_with: ComparedStatus | None = Field(
        default=None, description="What a gate with compareTo compares with; recorded by the training."
    )
    tuning: TuningStatus | None = Field(default=None, description="How the search went.")
    lineage: LineageStatus | None = Field(default=None, description="What the model came from.")
    failure: FailureStatus | None = Field(default=None, description="Why it failed.")
    rolled_back: RolledBackStatus | None = Field(
        default=None, description="Why it does not serve although it is good: it did not come up in time."
    )
    served_at: datetime | None = Field(default=None, description="When it first answered requests.")
