"""``status`` of a SklearnModel, and the parts that it shares with the status of a version.

Invariant: only the operator writes it, so bounds here are wide: a report that the API server refuses would hide the
trouble it tells of.
"""

from __future__ import annotations

from datetime import datetime
from typing import Annotated, Any, Literal

import pydantic
from pydantic import Field

from sklearn_operator.api import base, fields
from sklearn_operator.api.base import ApiModel
from sklearn_operator.api.conditions import Condition

Metrics = Annotated[dict[str, float], Field(max_length=64)]
Conditions = Annotated[
    tuple[Condition, ...],
    Field(max_length=16, json_schema_extra=base.list_map("type")),
]
FreeForm = Annotated[dict[str, Any], pydantic.WithJsonSchema({"type": "object", base.FREE_FORM: True})]


class RunStatus(ApiModel):
    """A run of Kubeflow Pipelines."""

    id: str | None = Field(default=None, description="Id of the run.")
    name: str | None = Field(default=None, description="Display name of the run.")
    state: str | None = Field(default=None, description="State as Kubeflow Pipelines tells it, or SUBMITTING.")
    started_at: datetime | None = Field(default=None, description="When it was created.")
    finished_at: datetime | None = Field(default=None, description="When it ended.")
    url: str | None = Field(default=None, description="Where to look at it.")


class ModelRunStatus(RunStatus):
    """The newest version's run."""

    version: str | None = Field(default=None, description="The version that it trains.")


class TuningStatus(ApiModel):
    """How a search went."""

    completed: fields.Whole | None = Field(default=None, description="Trials that ended well.")
    failed: fields.Whole | None = Field(default=None, description="Trials that failed.")
    best_score: float | None = Field(default=None, description="The best score.")
    best_params: FreeForm | None = Field(default=None, description="The parameters of the best score, typed.")
    baseline_score: float | None = Field(default=None, description="The score without any search.")


class ModelTuningStatus(TuningStatus):
    """How the newest version's search is going."""

    total: fields.Whole | None = Field(default=None, description="Trials at most.")


class RolloutStatus(ApiModel):
    """A rollout under way."""

    step: fields.Whole | None = Field(default=None, description="Number of the step, from 1.")
    weight: fields.Whole | None = Field(default=None, description="Per cent of the requests that the candidate gets.")
    next_step_at: datetime | None = Field(default=None, description="When the next step is due.")


class SklearnModelStatus(ApiModel):
    """What is known about the model; written by the operator alone."""

    observed_generation: fields.Whole = Field(
        default=-1,
        description="The generation that this status is about; -1: the operator has not seen the object yet.",
    )
    phase: (
        Literal[
            "Pending",
            "Training",
            "Evaluating",
            "AwaitingApproval",
            "Deploying",
            "Ready",
            "Degraded",
            "Failed",
            "Suspended",
            "Deleting",
        ]
        | None
    ) = Field(default=None, description="The state in one word, for people; programs read the conditions.")
    conditions: Conditions = Field(
        default=(), description="Ready, Reconciling, Stalled, Valid, Trained, GatesPassed, Served and AwaitingApproval."
    )
    latest_version: str | None = Field(default=None, description="The newest version.")
    serving_version: str | None = Field(default=None, description="The version that answers requests now.")
    candidate_version: str | None = Field(
        default=None, description="The version being rolled out or waiting for approval."
    )
    metric: str | None = Field(
        default=None,
        description="Headline metric of the serving, else the newest good version, such as accuracy=0.969.",
    )
    metrics: Metrics | None = Field(default=None, description="All its metrics, unrounded.")
    url: str | None = Field(default=None, description="Address of the InferenceService.")
    address: str | None = Field(default=None, description="Address to call from inside the cluster.")
    artifact_uri: str | None = Field(default=None, description="Where that version's files are.")
    run: ModelRunStatus | None = Field(default=None, description="The newest version's run.")
    tuning: ModelTuningStatus | None = Field(default=None, description="How the newest version's search is going.")
    rollout: RolloutStatus | None = Field(default=None, description="The rollout under way.")
    last_trained_time: datetime | None = Field(default=None, description="When a training last ended well.")
    next_schedule_time: datetime | None = Field(default=None, description="When the schedule is due next.")
    retrain_handled: str | None = Field(
        default=None, description="Last value of the retrain annotation that was acted on."
    )
