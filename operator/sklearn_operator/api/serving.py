"""``spec.serving`` and ``spec.rollout``: how a version answers requests, and how the next one takes over.

Invariant: nothing here retrains.
"""

from __future__ import annotations

import itertools
from typing import Annotated, Any, ClassVar, Literal

from pydantic import Field

from sklearn_operator.api import base, fields
from sklearn_operator.api.base import ApiModel, Rule
from sklearn_operator.api.kubernetes import EnvVar, Resources


def _as_many(earlier: dict[str, Any]) -> int:
    return max(1, int(earlier.get("min_replicas", 1)))


class ServingSpec(ApiModel):
    """The InferenceService."""

    rules: ClassVar = (
        Rule(
            "!has(self.minReplicas) || !has(self.maxReplicas) || self.minReplicas <= self.maxReplicas",
            "minReplicas must not be more than maxReplicas",
            lambda serving: serving.min_replicas <= serving.max_replicas,
            "minReplicas",
        ),
        Rule(
            "!has(self.minReplicas) || self.minReplicas > 0 || "
            "(has(self.deploymentMode) && self.deploymentMode == 'Knative')",
            "minReplicas 0 (scale to zero) needs deploymentMode Knative",
            lambda serving: serving.min_replicas > 0 or serving.deployment_mode == "Knative",
            "minReplicas",
        ),
        Rule(
            "!has(self.scaleMetric) || self.scaleMetric in ['cpu', 'memory'] || "
            "(has(self.deploymentMode) && self.deploymentMode == 'Knative')",
            "scaleMetric concurrency and rps need deploymentMode Knative; Standard scales by cpu or memory",
            lambda serving: serving.scale_metric in ("cpu", "memory") or serving.deployment_mode == "Knative",
            "scaleMetric",
        ),
    )

    runtime: fields.ObjectName | None = Field(
        default=None, description="A ServingRuntime or ClusterServingRuntime; by default the project's own."
    )
    protocol: Literal["V2", "V1"] = Field(
        default="V2", description="Inference protocol that clients are told of. Default V2."
    )
    deployment_mode: Literal["Standard", "Knative"] = Field(
        default="Standard", description="How KServe runs it. Default Standard."
    )
    min_replicas: Annotated[fields.Whole, Field(ge=0, le=1000)] = Field(
        default=1, description="Pods at least. Default 1."
    )
    max_replicas: Annotated[fields.Whole, Field(ge=1, le=1000)] = Field(
        default_factory=_as_many, description="Pods at most. Default 1, or minReplicas where that is more."
    )
    scale_metric: Literal["cpu", "memory", "concurrency", "rps"] = Field(
        default="cpu", description="What the number of pods follows. Default cpu."
    )
    scale_target: Annotated[fields.Whole, Field(ge=1, le=1000000)] = Field(
        default=80, description="The metric's value to keep: per cent of the request, or requests per pod. Default 80."
    )
    resources: Resources | None = Field(
        default=None, description="Resources of the serving container; by default the operator's settings."
    )
    env: Annotated[
        tuple[EnvVar, ...],
        Field(max_length=64, json_schema_extra=base.list_map("name")),
        base.distinct("name", "the names of the variables"),
    ] = Field(default=(), description="Further environment variables of the serving container.")


class CanaryStep(ApiModel):
    """One step of a rollout."""

    weight: Annotated[fields.Whole, Field(ge=0, le=100)] = Field(
        description="Per cent of the requests that the new version gets."
    )
    pause: fields.Duration = Field(default="0s", description="How long the step lasts. Default 0s.")


def _ascending(canary: Any) -> bool:
    weights = [step.weight for step in canary.steps]
    return all(before < after for before, after in itertools.pairwise(weights))


class CanarySpec(ApiModel):
    """A rollout in steps."""

    rules: ClassVar = (
        Rule(
            "self.steps.map(s, s.weight).isSorted() && "
            "self.steps.all(s, self.steps.exists_one(t, t.weight == s.weight))",
            "the weights of the steps must ascend, such as 10, 50",
            _ascending,
            "steps",
        ),
    )

    steps: Annotated[tuple[CanaryStep, ...], Field(min_length=1, max_length=16)] = Field(
        description="Weights in ascending order; after the last step the new version gets everything."
    )
    max_error_rate: Annotated[fields.Number, Field(ge=0, le=1)] = Field(
        default=0.01, description="Share of failed requests above which the rollout is taken back. Default 0.01."
    )


class RolloutSpec(ApiModel):
    """How a new version takes over."""

    approval: Literal["Automatic", "Manual"] = Field(
        default="Automatic",
        description="Manual: a version waits for rollout.version or the approve annotation. Default Automatic.",
    )
    version: fields.VersionName | None = Field(
        default=None, description="Serve exactly this version: approval and rollback in one field."
    )
    canary: CanarySpec | None = Field(default=None, description="Take over in steps; absent: at once.")
