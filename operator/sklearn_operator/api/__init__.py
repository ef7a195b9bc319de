"""What the user may say and what the operator reports: the models of both kinds, and the only source of the CRDs.

Invariant: pure, and without knowledge of any other room.
"""

from __future__ import annotations

from sklearn_operator.api.base import ApiModel, Rule
from sklearn_operator.api.conditions import Condition, ConditionType, Reason
from sklearn_operator.api.data import ConfigMapKeyRef, CsvSpec, DataSource, DataSpec, FeaturesSpec, SplitSpec
from sklearn_operator.api.durations import duration_text, parse_duration
from sklearn_operator.api.evaluation import EvaluationSpec, Gate
from sklearn_operator.api.kubernetes import EnvVar, EnvVarSource, LocalObjectReference, Resources, Toleration
from sklearn_operator.api.model import (
    ColumnGroup,
    EstimatorSpec,
    GitSource,
    ModelSpec,
    PipelineStep,
    PretrainedSpec,
    ScriptSource,
    ScriptSpec,
)
from sklearn_operator.api.parsing import parse_spec
from sklearn_operator.api.problems import InvalidSpec, Problem, join, show
from sklearn_operator.api.retraining import HistorySpec, RetrainingSpec
from sklearn_operator.api.serving import CanarySpec, CanaryStep, RolloutSpec, ServingSpec
from sklearn_operator.api.spec import SklearnModelSpec
from sklearn_operator.api.status import (
    ModelRunStatus,
    ModelTuningStatus,
    RolloutStatus,
    RunStatus,
    SklearnModelStatus,
    TuningStatus,
)
from sklearn_operator.api.training import ArtifactsSpec, PipelineSpec, RetrySpec, TrainingSpec
from sklearn_operator.api.tuning import CrossValidation, Objective, TuningParameter, TuningSpec
from sklearn_operator.api.version import (
    ArtifactStatus,
    FailureStatus,
    GateStatus,
    LineageStatus,
    Trigger,
    VersionRunStatus,
    VersionSpec,
    VersionStatus,
)

__all__ = [
    "ApiModel",
    "ArtifactStatus",
    "ArtifactsSpec",
    "CanarySpec",
    "CanaryStep",
    "ColumnGroup",
    "Condition",
    "ConditionType",
    "ConfigMapKeyRef",
    "CrossValidation",
    "CsvSpec",
    "DataSource",
    "DataSpec",
    "EnvVar",
    "EnvVarSource",
    "EstimatorSpec",
    "EvaluationSpec",
    "FailureStatus",
    "FeaturesSpec",
    "Gate",
    "GateStatus",
    "GitSource",
    "HistorySpec",
    "InvalidSpec",
    "LineageStatus",
    "LocalObjectReference",
    "ModelRunStatus",
    "ModelSpec",
    "ModelTuningStatus",
    "Objective",
    "PipelineSpec",
    "PipelineStep",
    "PretrainedSpec",
    "Problem",
    "Reason",
    "Resources",
    "RetrainingSpec",
    "RetrySpec",
    "RolloutSpec",
    "RolloutStatus",
    "Rule",
    "RunStatus",
    "ScriptSource",
    "ScriptSpec",
    "ServingSpec",
    "SklearnModelSpec",
    "SklearnModelStatus",
    "SplitSpec",
    "Toleration",
    "TrainingSpec",
    "Trigger",
    "TuningParameter",
    "TuningSpec",
    "TuningStatus",
    "VersionRunStatus",
    "VersionSpec",
    "VersionStatus",
    "duration_text",
    "join",
    "parse_duration",
    "parse_spec",
    "show",
]
