"""The words that the operator and the tasks share: the run's configuration, its result, its failure, and file names.

Invariant: pydantic is the only library imported, so that the long-lived operator can afford this module. Documents are
camelCase in JSON, as in the manifests. A configuration is read strictly (a field this release does not know would
change nothing, silently); results and failures are read leniently, because a newer trainer image may say more.
"""

from __future__ import annotations

from datetime import datetime
from typing import Annotated, Any, Literal

import pydantic

from sklearn_steps import contract_data, contract_judging, contract_script, contract_tuning, documents, recipe
from sklearn_steps.documents import Document as _Document
from sklearn_steps.documents import FiniteFloat
from sklearn_steps.documents import Strict as _Strict

FORMAT_VERSION = 1

# Files below the run's artifactUri. RESULT is written last and once; FAILURE by whichever task fails.
MODEL = "model.joblib"
METADATA = "metadata.json"
REQUIREMENTS = "requirements.txt"
METRICS = "metrics.json"
SCHEMA = "schema.json"
GOLDEN = "golden.json"
CARD = "card.html"
RESULT = "result.json"
FAILURE = "failure.json"
TRIALS = "trials.parquet"  # of a tuned model only, beside the others
PROGRESS = "progress.json"  # of a search under way
PUBLISHED = (MODEL, METADATA, REQUIREMENTS, METRICS, SCHEMA, GOLDEN, CARD)

# The format of a file, by the suffix of its name in lower case.
SUFFIXES = {".csv": "csv", ".parquet": "parquet", ".pq": "parquet", ".jsonl": "jsonl", ".ndjson": "jsonl"}

# Environment of the tasks. Each prefix is followed by the names of AWS_KEYS.
STORE_ENV_PREFIX = "SKLEARN_STORE_"
DATA_ENV_PREFIX = "SKLEARN_DATA_"
AWS_REQUIRED_KEYS = ("AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY")
AWS_OPTIONAL_KEYS = ("AWS_ENDPOINT_URL", "AWS_REGION")
AWS_KEYS = AWS_REQUIRED_KEYS + AWS_OPTIONAL_KEYS
DATA_INLINE_ENV = "SKLEARN_DATA_INLINE"
DATA_VOLUME_ENV = "SKLEARN_DATA_VOLUME"  # where the claim of pvc:// is mounted
DATA_VOLUME = "/mnt/sklearn-data"
CPU_LIMIT_ENV = "SKLEARN_CPU_LIMIT"
MEMORY_LIMIT_ENV = "SKLEARN_MEMORY_LIMIT"  # in bytes
# Which run a task belongs to that is told the recipe only, so that the same recipe is the same task (JSON, RUN_FIELDS).
RUN_ENV = "SKLEARN_RUN"
RUN_FIELDS = ("version", "number", "runId", "attempt", "artifactUri")
SCRIPT_FOLDER_ENV = "SKLEARN_SCRIPT_FOLDER"  # where a ConfigMap with a script is mounted
SCRIPT_MOUNT = "/etc/sklearn-operator/script"

# Names in the compiled pipelines that the operator replaces by the version's own, or drops with their entry.
# The store's Secret is on every executor; the data's Secret, ConfigMap and claim are on those that read the data.
STORE_SECRET_PLACEHOLDER = "__STORE_SECRET__"
DATA_SECRET_PLACEHOLDER = "__DATA_SECRET__"
DATA_CONFIGMAP_PLACEHOLDER = "__DATA_CONFIGMAP__"
DATA_CONFIGMAP_KEY_PLACEHOLDER = "__DATA_CONFIGMAP_KEY__"
DATA_CLAIM_PLACEHOLDER = "__DATA_CLAIM__"
SCRIPT_CONFIGMAP_PLACEHOLDER = "__SCRIPT_CONFIGMAP__"  # on train, and on run-all when fused

MESSAGE_LIMIT = documents.MESSAGE_LIMIT

Step = Literal["fingerprint", "prepare", "train", "evaluate", "publish"]
EstimatorType = Literal["classifier", "regressor", "clusterer", "outlier_detector"]

ShortText = documents.ShortText
Sha256 = documents.Sha256

DEFAULT_METRICS = contract_judging.DEFAULT_METRICS
MULTILABEL_METRICS = contract_judging.MULTILABEL_METRICS
Evaluation = contract_judging.Evaluation
CrossValidation = contract_judging.CrossValidation
Gate = contract_judging.Gate
Predecessor = contract_judging.Predecessor
Spread = contract_judging.Spread
CrossValidated = contract_judging.CrossValidated
Compared = contract_judging.Compared
Judgement = contract_judging.Judgement
Tuning = contract_tuning.Tuning
TuningParameter = contract_tuning.TuningParameter
Progress = contract_tuning.Progress
ConfigMapKey = contract_data.ConfigMapKey
DataSource = contract_data.DataSource
CsvOptions = contract_data.CsvOptions
Features = contract_data.Features
Split = contract_data.Split
Data = contract_data.Data
EstimatorSpec = recipe.EstimatorSpec
Script = contract_script.Script
GitFile = contract_script.GitFile
Pretrained = contract_script.Pretrained


class Trigger(_Strict):
    type: str = ""
    key: str = ""


class PreviousVersion(_Strict):
    """The newest good version before this one; its schema is what the data is compared with."""

    name: str
    artifact_uri: Annotated[str, pydantic.Field(pattern="/$")]


class RunConfig(_Strict):
    """The single parameter ``config`` of the pipeline, as one JSON string.

    Exactly one of ``estimator``, ``pipeline``, ``script`` and ``pretrained`` is there.
    """

    format_version: Literal[1] = 1
    namespace: str
    model: str
    version: str
    number: int
    run_id: str
    attempt: int = 1
    training_hash: str = ""
    trigger: Trigger = Trigger()
    image: str = ""
    seed: Annotated[int, pydantic.Field(ge=0, lt=2**32)] = 0
    data: Data
    data_hosts: tuple[str, ...] = ()  # that the operator's settings allow for http(s)
    previous: PreviousVersion | None = None
    estimator: recipe.EstimatorSpec | None = None
    pipeline: Annotated[tuple[recipe.PipelineStep, ...], pydantic.Field(min_length=1)] | None = None
    script: contract_script.Script | None = None
    git_hosts: tuple[str, ...] = ()  # that the operator's settings allow for scripts
    pretrained: contract_script.Pretrained | None = None
    packages: tuple[str, ...] = ()  # besides scikit-learn, that the operator's settings allow
    requirements: tuple[str, ...] = ()  # each ``name==version``, to be installed in the task
    served: bool = False
    compress: Annotated[int, pydantic.Field(ge=0, le=9)] = 0
    tuning: Tuning | None = None
    evaluation: Evaluation = Evaluation()
    artifact_uri: Annotated[str, pydantic.Field(pattern="^$|/$")]  # empty: nothing is left anywhere before publish

    @pydantic.model_validator(mode="after")
    def _one(self) -> RunConfig:
        if sum(part is not None for part in (self.estimator, self.pipeline, self.script, self.pretrained)) != 1:
            raise ValueError("exactly one of estimator, pipeline, script and pretrained is needed")
        if self.pipeline is not None and self.pipeline[-1].class_ is None:
            raise ValueError("the last step of the pipeline needs a class")
        return self

    @property
    def brought(self) -> bool:
        """Whether the model is not declared, so that nothing is known of it before it is there."""
        return self.script is not None or self.pretrained is not None

    @property
    def called(self) -> str:
        """The model in a message: its class, as far as the manifest names one."""
        return "the model" if self.brought else self.final.class_

    @property
    def final(self) -> recipe.EstimatorSpec:
        """What predicts: the estimator, or the last step of the pipeline."""
        if self.estimator is not None:
            return self.estimator
        return (self.pipeline or ())[-1].estimator


class Artifact(_Document):
    """``model.joblib`` as published; ``uri`` is the folder."""

    uri: str
    sha256: Sha256
    size: Annotated[int, pydantic.Field(ge=0)]


class Lineage(_Document):
    data_sha256: str
    rows: int
    features: int
    revision: str | None = None
    git_commit: str | None = None
    image: str = ""
    python: str
    sklearn: str
    numpy: str
    seed: int


class Result(_Document):
    """``result.json``: the run succeeded, and this is all that the operator learns of it.

    ``headline`` names one of ``metrics``; it is absent where the model has none (outlier detectors). ``gates`` is the
    judgement by the gates of that day; which ones hold now, the operator decides from the figures.
    """

    format_version: Literal[1] = 1
    run_id: str
    version: str
    attempt: int
    artifact: Artifact
    estimator_type: EstimatorType
    metrics: dict[str, FiniteFloat]
    headline: str | None = None
    cross_validation: CrossValidated | None = None
    compared_with: Compared | None = None
    gates: tuple[Judgement, ...] = ()
    lineage: Lineage
    tuning: contract_tuning.TuningResult | None = None
    notes: Annotated[tuple[ShortText, ...], pydantic.Field(max_length=32)] = ()
    finished_at: datetime


class Feature(_Document):
    """An input column; ``dtype`` is numpy's name, ``object`` for text.

    ``kind`` is number, boolean, string, category or datetime; times reach the model as seconds since 1970.
    """

    name: str
    dtype: str
    kind: str | None = None


class Metadata(_Document):
    """``metadata.json``: what serving has to know before it loads the model."""

    format_version: Literal[1] = 1
    model: str
    version: str
    estimator_type: EstimatorType
    estimator: str
    features: list[Feature]
    ignored: tuple[str, ...] = ()  # columns of the table that the model never looks at: a row may have them
    target: list[str]
    classes: list[Any] | None = None
    class_names: list[str] | None = None
    sha256: str
    size: int
    versions: dict[str, str]
    outputs: list[str]
    needs: tuple[str, ...] = ()  # each ``name==version``, which the image of the training lacked
    tuning: contract_tuning.TuningResult | None = None
    training_hash: str
    run_id: str
    created_at: datetime


class Failure(_Document):
    """``failure.json``: why a task ended badly, in words for the person who wrote the manifest.

    ``permanent``: the same manifest on the same data fails again; only a person can change that.
    """

    format_version: Literal[1] = 1
    run_id: str
    version: str
    attempt: int
    step: Step
    reason: Annotated[str, pydantic.Field(pattern="^[A-Z][A-Za-z0-9]*$", max_length=64)]
    message: ShortText
    permanent: bool
    at: datetime


def dump(document: pydantic.BaseModel) -> bytes:
    """The JSON of a document, absent fields left out."""
    return document.model_dump_json(by_alias=True, exclude_none=True).encode()
