"""The part of a run's configuration that says which data, and how it is split.

Invariant: read strictly, as all of the configuration is; pydantic is the only library imported.
"""

from __future__ import annotations

from typing import Annotated, Any, Literal

import pydantic

from sklearn_steps.documents import Strict as _Strict


class ConfigMapKey(_Strict):
    """A ConfigMap's key; the text itself is in the task's environment, SKLEARN_DATA_INLINE."""

    name: str
    key: str


class DataSource(_Strict):
    """Exactly one of the four."""

    builtin: str | None = None
    uri: str | None = None
    config_map: ConfigMapKey | None = None
    inline: str | None = None
    name: str | None = None  # what to call inline text in messages

    @pydantic.model_validator(mode="after")
    def _one(self) -> DataSource:
        given = [name for name in ("builtin", "uri", "config_map", "inline") if getattr(self, name) is not None]
        if len(given) != 1:
            raise ValueError("exactly one of builtin, uri, configMap and inline is needed")
        return self


class CsvOptions(_Strict):
    delimiter: str = ","
    header: bool = True
    na_values: tuple[str, ...] = ()


class Features(_Strict):
    include: tuple[str, ...] = ()
    exclude: tuple[str, ...] = ()


class Split(_Strict):
    strategy: Literal["Random", "Group", "Time", "None"] = "Random"
    test_size: Annotated[float, pydantic.Field(gt=0, lt=1)] = 0.25
    shuffle: bool = True
    stratify: bool = True
    seed: Annotated[int, pydantic.Field(ge=0, lt=2**32)] = 0
    groups: str | None = None
    time: str | None = None

    @pydantic.model_validator(mode="after")
    def _complete(self) -> Split:
        if (self.strategy == "Group") != (self.groups is not None) or (self.strategy == "Time") != (
            self.time is not None
        ):
            raise ValueError("strategy Group needs groups, strategy Time needs time, and no other strategy takes them")
        return self


class Data(_Strict):
    source: DataSource
    format: Literal["csv", "parquet", "jsonl"] | None = None
    csv: CsvOptions = CsvOptions()
    revision: str | None = None
    target: tuple[str, ...] = ()
    features: Features = Features()
    weight: str | None = None
    split: Split = Split()

    @pydantic.field_validator("target", mode="before")
    @classmethod
    def _names(cls, value: Any) -> Any:
        """A column, a list of columns, or nothing."""
        if value is None:
            return ()
        return (value,) if isinstance(value, str) else value

    @pydantic.field_validator("csv", "features", "split", mode="before")
    @classmethod
    def _default(cls, value: Any) -> Any:
        return {} if value is None else value
