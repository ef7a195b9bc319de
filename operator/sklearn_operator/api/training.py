"""``spec.training``, ``spec.pipeline`` and ``spec.artifacts``: how and where the training runs and leaves its files.

Invariant: only image, requirements and seed make a new version; the rest is how, not what.
"""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import Field

from sklearn_operator.api import base, fields
from sklearn_operator.api.base import ApiModel
from sklearn_operator.api.kubernetes import LocalObjectReference, Resources, Toleration


class RetrySpec(ApiModel):
    """What happens when a task fails."""

    limit: Annotated[fields.Whole, Field(ge=0, le=10)] = Field(
        default=2, description="Tries after the first. Default 2."
    )
    backoff: fields.Duration = Field(
        default="30s", description="Pause before the first retry; it doubles. Default 30s."
    )


class TrainingSpec(ApiModel):
    """How the training runs."""

    image: fields.Image | None = Field(
        default=None, description="Image of the tasks; by default the operator's trainer image."
    )
    requirements: Annotated[tuple[fields.Requirement, ...], Field(max_length=64)] = Field(
        default=(), description="Further packages, pinned, such as pandas==2.3.3; installed in the task."
    )
    resources: Resources | None = Field(
        default=None, description="Resources of the training task; by default the operator's settings."
    )
    node_selector: Annotated[dict[fields.LabelKey, fields.LabelValue], Field(max_length=32)] = Field(
        default={}, description="Labels that the nodes of the tasks must have."
    )
    tolerations: Annotated[tuple[Toleration, ...], Field(max_length=32)] = Field(
        default=(), description="Taints that the tasks may live with."
    )
    image_pull_secrets: Annotated[
        tuple[LocalObjectReference, ...],
        Field(max_length=8, json_schema_extra=base.list_map("name")),
        base.distinct("name", "the names of the Secrets"),
    ] = Field(default=(), description="Secrets in the same namespace to pull the image with.")
    service_account_name: fields.ObjectName | None = Field(
        default=None, description="Service account of the tasks; one of those that the operator's settings allow."
    )
    timeout: fields.Duration = Field(
        default="1h", description="A run that takes longer is ended and has failed. Default 1h."
    )
    retries: RetrySpec = Field(default=RetrySpec(), description="What happens when a task fails.")
    attempts: Annotated[fields.Whole, Field(ge=1, le=10)] = Field(
        default=1, description="Runs per version at most, where a run fails for a reason that may pass. Default 1."
    )
    seed: fields.Seed = Field(default=0, description="Becomes every random_state that is not set. Default 0.")
    cache: fields.Flag = Field(
        default=False, description="Let Kubeflow Pipelines reuse the outputs of equal tasks. Default false."
    )


class PipelineSpec(ApiModel):
    """Shape of the Kubeflow pipeline."""

    layout: Literal["Staged", "Fused"] = Field(
        default="Staged",
        description="Staged: prepare, train, evaluate, publish as tasks. Fused: one task. Default Staged.",
    )


class ArtifactsSpec(ApiModel):
    """Where the model and its papers go."""

    uri: fields.StoreUri | None = Field(
        default=None, description="Bucket and prefix, such as s3://bucket/prefix; by default the operator's store."
    )
    credentials_secret: fields.ObjectName | None = Field(
        default=None, description="Secret in the same namespace to write there; by default sklearn-operator-store."
    )
    compress: Annotated[fields.Whole, Field(ge=0, le=9)] = Field(
        default=0, description="joblib's compression of model.joblib, 0 (none) to 9. Default 0."
    )
