"""Conditions in the shape of metav1.Condition, and the words that may stand in them.

Invariant: only the shape is here; how a situation becomes conditions is decided in ``core.conditions``.
"""

from __future__ import annotations

import enum
from datetime import datetime
from typing import Annotated, Literal

from pydantic import Field

from sklearn_operator.api import fields
from sklearn_operator.api.base import ApiModel


class ConditionType(enum.StrEnum):
    """In the order of the list: kstatus walks it from the front, and a person's eye too."""

    READY = "Ready"
    RECONCILING = "Reconciling"
    STALLED = "Stalled"
    VALID = "Valid"
    TRAINED = "Trained"
    GATES_PASSED = "GatesPassed"
    SERVED = "Served"
    AWAITING_APPROVAL = "AwaitingApproval"


class Reason(enum.StrEnum):
    """Reasons that the operator gives itself; those of failed tasks, pods and KServe are passed on as they are."""

    ACCEPTED = "Accepted"
    INVALID = "Invalid"
    NOT_IMPLEMENTED = "NotImplemented"
    NAME_TAKEN = "NameTaken"
    PENDING = "Pending"
    TRAINING = "Training"
    TRAINED = "Trained"
    SUCCEEDED = "Succeeded"
    FAILED = "Failed"
    REJECTED = "Rejected"
    CANCELED = "Canceled"
    SUPERSEDED = "Superseded"
    TIMED_OUT = "TimedOut"
    RUN_FAILED = "RunFailed"
    RUN_REFUSED = "RunRefused"
    RUN_VANISHED = "RunVanished"
    RESULT_MISSING = "ResultMissing"
    NOT_JUDGED = "NotJudged"
    NO_GATES = "NoGates"
    PASSED = "Passed"
    DEPLOYING = "Deploying"
    PROBE_FAILED = "ProbeFailed"
    SERVING = "Serving"
    NOTHING_TO_SERVE = "NothingToServe"
    APPROVAL_NEEDED = "ApprovalNeeded"
    PROGRESSING = "Progressing"
    RETRYING = "Retrying"
    STALLED = "Stalled"
    SUSPENDED = "Suspended"
    UP_TO_DATE = "UpToDate"
    DELETING = "Deleting"


REASON = fields.Pattern("^[A-Za-z]([A-Za-z0-9_,:]*[A-Za-z0-9_])?$", "must be one word in CamelCase")


class Condition(ApiModel):
    """One aspect of the state."""

    type: Annotated[str, fields.text(316)] = Field(description="The aspect: Ready, Reconciling, Stalled and so on.")
    status: Literal["True", "False", "Unknown"] = Field(description="Whether it holds.")
    reason: Annotated[str, fields.text(1024, REASON)] = Field(description="Why, in one word for programs.")
    message: Annotated[str, fields.text(32768, least=0)] = Field(description="Why, in a sentence for people.")
    last_transition_time: datetime = Field(description="When status changed last.")
    observed_generation: Annotated[fields.Whole, Field(ge=0)] | None = Field(
        default=None, description="The generation of the object that this is about."
    )
