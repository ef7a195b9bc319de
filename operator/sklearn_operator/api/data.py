"""``spec.data``: where the rows come from, which columns count, and how they are split.

Invariant: everything here changes what is trained, except the name of the Secret.
"""

from __future__ import annotations

from typing import Annotated, Any, ClassVar, Literal

import pydantic
from pydantic import Field

from sklearn_operator.api import base, errors, fields
from sklearn_operator.api.base import ApiModel, Rule, given

Builtin = Literal["iris", "digits", "wine", "breast_cancer", "diabetes", "linnerud"]


def _target(value: Any) -> Any:
    """A column or a list of columns; the union is taken apart by hand for the sake of the messages."""
    names = [value] if isinstance(value, str) else value
    if isinstance(value, bool):
        raise errors.advice(
            "must be the name of a column; YAML reads n, y, no, yes, on, off as booleans: put it in quotes"
        )
    if not isinstance(names, (list, tuple)) or not all(isinstance(name, str) for name in names):
        raise errors.advice(
            "must be the name of a column, or a list of names; put a name that looks like a number in quotes"
        )
    if not 1 <= len(names) <= 64 or not all(1 <= len(name) <= 256 for name in names):
        raise errors.advice("must be 1 to 64 column names of 1 to 256 characters")
    if len(set(names)) != len(names):
        raise errors.advice("names a column twice")
    return value if isinstance(value, str) else tuple(names)


#: Structural schemas know no "text or list": the API server lets it pass and the operator checks.
Target = Annotated[
    str | tuple[str, ...], pydantic.BeforeValidator(_target), pydantic.WithJsonSchema({base.FREE_FORM: True})
]


class ConfigMapKeyRef(ApiModel):
    """One key of a ConfigMap in the same namespace."""

    name: fields.ObjectName = Field(description="Name of the ConfigMap, in the same namespace.")
    key: fields.ConfigMapKeyName = Field(description="The key in it.")


class DataSource(ApiModel):
    """Where the rows come from."""

    rules: ClassVar = (base.one_of("builtin", "uri", "config_map"),)

    builtin: Builtin | None = Field(
        default=None, description="A data set that ships with scikit-learn; nothing is downloaded."
    )
    uri: fields.DataUri | None = Field(
        default=None,
        description="An object or a prefix (s3://bucket/path), a file in a volume (pvc://claim/path), or http(s):// "
        "where the operator's settings allow the host.",
    )
    config_map: ConfigMapKeyRef | None = Field(
        default=None, description="Small data, less than 128 KiB, held in a ConfigMap."
    )


class CsvSpec(ApiModel):
    """How CSV text is read."""

    delimiter: Annotated[str, fields.text(1)] = Field(default=",", description="The character between two fields.")
    header: fields.Flag = Field(default=True, description="Whether the first line names the columns.")
    na_values: Annotated[tuple[Annotated[str, Field(max_length=64)], ...], Field(max_length=64)] = Field(
        default=(), description="Further texts that mean a missing value."
    )


class FeaturesSpec(ApiModel):
    """Which columns are features."""

    include: Annotated[tuple[fields.Column, ...], Field(max_length=1024)] = Field(
        default=(), description="The feature columns, in this order; empty: all but target, weight, groups and time."
    )
    exclude: Annotated[tuple[fields.Column, ...], Field(max_length=1024)] = Field(
        default=(), description="Columns that are not features."
    )


class SplitSpec(ApiModel):
    """What is held back for the test."""

    rules: ClassVar = (
        Rule(
            "!(has(self.strategy) && self.strategy == 'Group') || has(self.groups)",
            "strategy Group needs groups: the column whose values stay together",
            lambda split: split.strategy != "Group" or given(split, "groups"),
            "groups",
        ),
        Rule(
            "!(has(self.strategy) && self.strategy == 'Time') || has(self.time)",
            "strategy Time needs time: the column to sort by",
            lambda split: split.strategy != "Time" or given(split, "time"),
            "time",
        ),
        Rule(
            "!has(self.groups) || (has(self.strategy) && self.strategy == 'Group')",
            "groups is for strategy Group: set strategy: Group, or remove groups",
            lambda split: not given(split, "groups") or split.strategy == "Group",
            "groups",
        ),
        Rule(
            "!has(self.time) || (has(self.strategy) && self.strategy == 'Time')",
            "time is for strategy Time: set strategy: Time, or remove time",
            lambda split: not given(split, "time") or split.strategy == "Time",
            "time",
        ),
    )

    strategy: Literal["Random", "Group", "Time", "None"] = Field(
        default="Random",
        description="Random: train_test_split. Group: all rows of a group on one side. Time: the last share by a "
        "column. None: train and judge on everything. Default Random.",
    )
    test_size: Annotated[fields.Number, Field(gt=0, lt=1)] = Field(
        default=0.25, description="The share of the rows that is the test part. Default 0.25."
    )
    shuffle: fields.Flag = Field(default=True, description="Shuffle before splitting (Random). Default true.")
    stratify: fields.Flag = Field(
        default=True,
        description="Keep the classes' shares in both parts (Random, classifiers, shuffled); left out with a note "
        "where a class is too rare. Default true.",
    )
    seed: fields.Seed = Field(default=0, description="Seed of the shuffle. Default 0.")
    groups: fields.Column | None = Field(default=None, description="The column whose values stay together (Group).")
    time: fields.Column | None = Field(default=None, description="The column to sort by (Time).")


class DataSpec(ApiModel):
    """The data to train and judge on."""

    rules: ClassVar = (
        Rule(
            "!has(self.csv) || !has(self.format) || self.format == 'csv'",
            "csv is for format csv: set format: csv, or remove csv",
            lambda data: not given(data, "csv") or data.format in (None, "csv"),
            "csv",
        ),
        Rule(
            "!has(self.source.builtin) || !(has(self.format) || has(self.csv))",
            "a builtin data set is no file: remove format and csv",
            lambda data: data.source.builtin is None or not (given(data, "format") or given(data, "csv")),
            "format",
        ),
        Rule(
            "!has(self.credentialsSecret) || has(self.source.uri)",
            "credentialsSecret is for source.uri: remove it",
            lambda data: not given(data, "credentials_secret") or data.source.uri is not None,
            "credentialsSecret",
        ),
    )

    source: DataSource = Field(description="Where the rows come from: exactly one of builtin, uri and configMap.")
    format: Literal["csv", "parquet", "jsonl"] | None = Field(
        default=None, description="Format of the data; by default it follows from the suffix."
    )
    csv: CsvSpec = Field(default=CsvSpec(), description="How CSV text is read.")
    revision: Annotated[str, fields.text(256)] | None = Field(
        default=None,
        description="A DVC revision, object version or date that you vouch for; part of the version's identity, so a "
        "new value trains anew.",
    )
    credentials_secret: fields.ObjectName | None = Field(
        default=None,
        description="Secret in the same namespace to read the data with: AWS_ACCESS_KEY_ID, AWS_SECRET_ACCESS_KEY, "
        "optionally AWS_ENDPOINT_URL (without it: AWS S3) and AWS_REGION. Without a Secret: the store's credentials.",
    )
    target: Target | None = Field(
        default=None,
        description="The column to predict, or a list of columns; absent for clustering and for builtin data.",
    )
    features: FeaturesSpec = Field(default=FeaturesSpec(), description="Which columns are features.")
    weight: fields.Column | None = Field(default=None, description="A column of sample weights.")
    split: SplitSpec = Field(default=SplitSpec(), description="How the test part is held back.")
