"""Types of single fields: bounded texts, numbers and names.

Invariant: everything has a bound, so that the API server's cost estimate of the rules stays small and no manifest is
huge; every pattern comes with the words for a value that does not match it.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Annotated, Any

import pydantic

from sklearn_operator.api import errors

_DNS = "[a-z0-9]([-a-z0-9]*[a-z0-9])?"
_UNIT = "[0-9]{1,6}"


@dataclass(frozen=True)
class Pattern:
    """An expression that RE2 (the API server) and Rust's regex (pydantic) read alike; ``words`` tell what is right."""

    expression: str
    words: str


DURATION = Pattern(
    f"^({_UNIT}h({_UNIT}m)?({_UNIT}s)?|{_UNIT}m({_UNIT}s)?|{_UNIT}s)$",
    "must be a duration such as 30s, 5m or 1h30m",
)
OBJECT_NAME = Pattern(
    rf"^{_DNS}(\.{_DNS})*$",
    "must be the name of an object in the same namespace: lower-case letters, digits, '-' and '.'",
)
CONFIG_MAP_KEY = Pattern(
    r"^\.?[-_a-zA-Z0-9][-._a-zA-Z0-9]*$",
    "must be a key of a ConfigMap: letters, digits, '-', '_' and '.', not '..' at its beginning",
)
CLASS_PATH = Pattern(
    # A name without its module passes here: whoever knows the classes can say which one is meant.
    r"^[A-Za-z_][A-Za-z0-9_]*(\.[A-Za-z_][A-Za-z0-9_]*)*$",
    "must be the full path of a class, such as sklearn.svm.SVC",
)
STEP_NAME = Pattern(
    "^[A-Za-z0-9]+([_-][A-Za-z0-9]+)*$",
    "must be letters and digits with single '_' or '-' between them, such as scale_numbers",
)
METRIC_NAME = Pattern(
    "^[a-z][a-z0-9_]*$",
    "must be the name of a scikit-learn scorer, such as accuracy",
)
STORE_URI = Pattern(
    r"^s3://[^/@\s]+(/[^\r\n]*)?$",
    "must be an object store address such as s3://bucket/prefix",
)
DATA_URI = Pattern(
    r"^(s3|pvc|https?)://[^/@\s]+/[^\r\n]*$",
    "must be an address such as s3://bucket/path.parquet, pvc://claim/path.csv or https://host/path.csv; credentials "
    "never go into it",
)
SHA256 = Pattern(
    "^[0-9a-f]{64}$",
    "must be a SHA-256 in 64 lower-case hex digits",
)
IMAGE = Pattern(
    "^[A-Za-z0-9][A-Za-z0-9._:/@-]*$",
    "must be an image reference such as ghcr.io/org/image:1.0",
)
REQUIREMENT = Pattern(
    r"^[A-Za-z0-9][A-Za-z0-9._-]*(\[[A-Za-z0-9,._-]+\])?==[A-Za-z0-9.!+_-]+$",
    "must be one package pinned exactly, such as pandas==2.3.3, without address, option, hash or marker; what no index "
    "has belongs into an image of your own (spec.training.image)",
)
GIT_URL = Pattern(
    r"^https?://[^/@\s]+/\S+$",
    "must be an address such as https://host/org/repository, without credentials",
)
GIT_REVISION = Pattern(
    "^[A-Za-z0-9][A-Za-z0-9._/-]*$",
    "must be a commit, tag or branch, such as v1.2",
)
RELATIVE_PATH = Pattern(
    "^[A-Za-z0-9_-][A-Za-z0-9_.-]*(/[A-Za-z0-9_-][A-Za-z0-9_.-]*)*$",
    "must be a path inside the repository, such as src/train.py",
)
CRON = Pattern(
    "^(@(yearly|annually|monthly|weekly|daily|midnight|hourly)|[0-9A-Za-z*,/#-]+( +[0-9A-Za-z*,/#-]+){4})$",
    "must be a schedule of five fields such as 0 3 * * *, or @hourly, @daily, @weekly, @monthly, @yearly",
)
TIME_ZONE = Pattern(
    "^[A-Za-z][A-Za-z0-9_+-]*(/[A-Za-z0-9_+-]+){0,2}$",
    "must be the name of a time zone, such as Europe/Zurich",
)
VERSION_NAME = Pattern(
    r"^[a-z0-9]([-a-z0-9.]*[a-z0-9])?-v[1-9][0-9]*$",
    "must be the name of a version, such as digits-v3",
)
PARAMETER_NAME = Pattern(
    "^[A-Za-z][A-Za-z0-9_-]*$",
    "must be the name of a parameter, such as gamma or forest__n_estimators",
)
VARIABLE_NAME = Pattern(
    "^[A-Za-z_][A-Za-z0-9_.-]*$",
    "must be the name of an environment variable, such as LOG_LEVEL",
)
LABEL_KEY = Pattern(
    r"^([a-z0-9]([-a-z0-9.]*[a-z0-9])?/)?[A-Za-z0-9]([-A-Za-z0-9_.]*[A-Za-z0-9])?$",
    "must be a label's name, such as kubernetes.io/arch",
)
LABEL_VALUE = Pattern(
    "^([A-Za-z0-9]([-A-Za-z0-9_.]*[A-Za-z0-9])?)?$",
    "must be a label's value: letters, digits, '-', '_' and '.'",
)
QUANTITY = Pattern(
    r"^[0-9]+(\.[0-9]*)?([eE][+-]?[0-9]+|[numkMGTPE]|[KMGTPE]i)?$",
    "must be a quantity such as 500m, 2 or 1Gi",
)

PATTERNS = (
    DURATION, OBJECT_NAME, CONFIG_MAP_KEY, CLASS_PATH, STEP_NAME, METRIC_NAME, STORE_URI, DATA_URI, SHA256, IMAGE,
    REQUIREMENT, GIT_URL, GIT_REVISION, RELATIVE_PATH, CRON, TIME_ZONE, VERSION_NAME, PARAMETER_NAME, VARIABLE_NAME,
    LABEL_KEY, LABEL_VALUE, QUANTITY,
)  # fmt: skip


def words_for(expression: str) -> str | None:
    """What is right, for a value that the expression does not match."""
    return next((pattern.words for pattern in PATTERNS if pattern.expression == expression), None)


def text(limit: int, pattern: Pattern | None = None, least: int = 1) -> Any:
    """The bounds of a string."""
    return pydantic.Field(min_length=least or None, max_length=limit, pattern=pattern.expression if pattern else None)


def _whole(value: Any) -> Any:
    """``5.0`` is 5: JSON does not tell them apart."""
    return int(value) if isinstance(value, float) and value.is_integer() else value


def _with_unit(value: Any) -> Any:
    if isinstance(value, (int, float)):
        raise errors.advice(f"{DURATION.words}, with its unit")
    return value


Flag = Annotated[bool, pydantic.Strict()]
Whole = Annotated[int, pydantic.Strict(), pydantic.BeforeValidator(_whole)]
Number = Annotated[float, pydantic.Strict()]
#: Seeds are what numpy takes.
Seed = Annotated[Whole, pydantic.Field(ge=0, le=2**32 - 1)]

Duration = Annotated[str, text(24, DURATION, 2), pydantic.BeforeValidator(_with_unit)]
ObjectName = Annotated[str, text(253, OBJECT_NAME)]
ConfigMapKeyName = Annotated[str, text(253, CONFIG_MAP_KEY)]
Column = Annotated[str, text(256)]
ClassPath = Annotated[str, text(256, CLASS_PATH)]
StepName = Annotated[str, text(63, STEP_NAME)]
MetricName = Annotated[str, text(64, METRIC_NAME)]
StoreUri = Annotated[str, text(1024, STORE_URI)]
DataUri = Annotated[str, text(1024, DATA_URI)]
Sha256 = Annotated[str, text(64, SHA256)]
Image = Annotated[str, text(512, IMAGE)]
Requirement = Annotated[str, text(128, REQUIREMENT)]
GitUrl = Annotated[str, text(1024, GIT_URL)]
GitRevision = Annotated[str, text(128, GIT_REVISION)]
RelativePath = Annotated[str, text(256, RELATIVE_PATH)]
Cron = Annotated[str, text(128, CRON)]
TimeZone = Annotated[str, text(64, TIME_ZONE)]
VersionName = Annotated[str, text(63, VERSION_NAME)]
ParameterName = Annotated[str, text(128, PARAMETER_NAME)]
VariableName = Annotated[str, text(256, VARIABLE_NAME)]
LabelKey = Annotated[str, text(317, LABEL_KEY)]
LabelValue = Annotated[str, text(63, LABEL_VALUE, 0)]
