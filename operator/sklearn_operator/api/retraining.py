"""``spec.retraining`` and ``spec.history``: when to train again without a change, and how many versions are kept.

Invariant: nothing here is part of a version's identity.
"""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import Field

from sklearn_operator.api import fields
from sklearn_operator.api.base import ApiModel


class RetrainingSpec(ApiModel):
    """When to train again although nothing in the manifest changed."""

    schedule: fields.Cron | None = Field(
        default=None, description="Five fields, such as 0 3 * * *, or @hourly, @daily, @weekly, @monthly, @yearly."
    )
    time_zone: fields.TimeZone = Field(default="Etc/UTC", description="Time zone of the schedule. Default Etc/UTC.")
    concurrency_policy: Literal["Forbid", "Replace"] = Field(
        default="Forbid",
        description="When a slot comes while a training runs: skip it, or end that training. Default Forbid.",
    )
    starting_deadline: fields.Duration = Field(
        default="1h", description="A slot missed by more than this is skipped, with an Event. Default 1h."
    )
    min_interval: fields.Duration = Field(default="0s", description="Pause between any two trainings. Default 0s.")


class HistorySpec(ApiModel):
    """How many versions are kept."""

    limit: Annotated[fields.Whole, Field(ge=1, le=100)] = Field(
        default=5, description="Versions kept; the serving one and a pinned one always are. Default 5."
    )
