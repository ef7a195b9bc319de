"""``spec`` of a SklearnModel: all that a user can say.

Invariant: defaults live here and are resolved when a manifest is read; the CRD carries none, so that what is in the
cluster is what was applied.
"""

from __future__ import annotations

from typing import Annotated, ClassVar, Literal

from pydantic import Field

from sklearn_operator.api import fields
from sklearn_operator.api.base import ApiModel, Rule, given
from sklearn_operator.api.data import DataSpec
from sklearn_operator.api.evaluation import EvaluationSpec
from sklearn_operator.api.model import ModelSpec
from sklearn_operator.api.retraining import HistorySpec, RetrainingSpec
from sklearn_operator.api.serving import RolloutSpec, ServingSpec
from sklearn_operator.api.training import ArtifactsSpec, PipelineSpec, TrainingSpec
from sklearn_operator.api.tuning import TuningSpec


class SklearnModelSpec(ApiModel):
    """What to train, how to judge it and how to serve it."""

    rules: ClassVar = (
        Rule(
            "has(self.data) || !(has(self.model.estimator) || has(self.model.pipeline))",
            "data is required for an estimator and for a pipeline: say where the rows come from in data.source",
            lambda spec: given(spec, "data") or not (spec.model.estimator or spec.model.pipeline),
            "data",
        ),
        Rule(
            "!has(self.tuning) || !has(self.model.pretrained)",
            "a pretrained model is not tuned: remove tuning",
            lambda spec: not given(spec, "tuning") or spec.model.pretrained is None,
            "tuning",
        ),
    )

    description: Annotated[str, fields.text(1024, least=0)] | None = Field(
        default=None, description="A word to the reader."
    )
    suspend: fields.Flag = Field(
        default=False, description="True: start nothing new; what serves keeps serving. Default false."
    )
    data: DataSpec | None = Field(
        default=None, description="The data to train and judge on; required for an estimator and a pipeline."
    )
    model: ModelSpec = Field(description="What is trained: exactly one of estimator, pipeline, script and pretrained.")
    tuning: TuningSpec | None = Field(default=None, description="Search for better parameters; absent: none.")
    evaluation: EvaluationSpec = Field(default=EvaluationSpec(), description="How a version is judged.")
    training: TrainingSpec = Field(default=TrainingSpec(), description="How the training runs.")
    pipeline: PipelineSpec = Field(default=PipelineSpec(), description="Shape of the Kubeflow pipeline.")
    artifacts: ArtifactsSpec = Field(default=ArtifactsSpec(), description="Where the model and its papers go.")
    serving: ServingSpec | None = Field(default=None, description="How it is served; absent: it is trained only.")
    rollout: RolloutSpec = Field(default=RolloutSpec(), description="How a new version takes over.")
    retraining: RetrainingSpec = Field(
        default=RetrainingSpec(), description="When to train again although nothing in the manifest changed."
    )
    history: HistorySpec = Field(default=HistorySpec(), description="How many versions are kept.")
    deletion_policy: Literal["Delete", "Retain"] = Field(
        default="Delete", description="What becomes of the artifacts when the model is deleted. Default Delete."
    )
