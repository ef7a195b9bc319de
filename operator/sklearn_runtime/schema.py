"""What the model takes: its columns in order, what each may hold, and whether rows go in as a DataFrame or an array.

Invariant: a schema comes only from what training recorded (``metadata.json``, ``golden.json``) and from the loaded
estimator, and the two agree; a request never changes it.
"""

from __future__ import annotations

import enum
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np

from sklearn_runtime import errors


class Kind(enum.Enum):
    """What a column may hold, in words that a caller understands."""

    FLOAT = "numbers"
    INT = "whole numbers"
    BOOL = "booleans"
    TEXT = "strings"
    TIME = "times"
    OTHER = "values"


_PREFIXES = (("float", Kind.FLOAT), ("int", Kind.INT), ("uint", Kind.INT), ("bool", Kind.BOOL), ("str", Kind.TEXT))
_V2_TYPES = {"float64": "FP64", "float32": "FP32", "float16": "FP16", "bool": "BOOL"} | {
    f"{sign}int{bits}": f"{sign.upper()}INT{bits}" for sign in ("", "u") for bits in (8, 16, 32, 64)
}


@dataclass(frozen=True, slots=True)
class Feature:
    """One input column."""

    name: str
    dtype: str
    kind: Kind

    @property
    def numeric(self) -> bool:
        return self.kind in (Kind.FLOAT, Kind.INT, Kind.BOOL, Kind.TIME)

    @property
    def v2_type(self) -> str:
        """The tensor datatype that the V2 protocol has for this column."""
        return "BYTES" if self.kind is Kind.TIME else _V2_TYPES.get(self.dtype, "BYTES")


@dataclass(frozen=True)
class Schema:
    """All input columns, in the order of the estimator.

    ``named``: training gave a table with column names. ``frame``: so must serving. ``ignored``: further columns of the
    table trained on, at which the model never looks; a row may have them. ``matrix_dtype``: the one dtype in which a
    plain matrix of numbers holds all columns, or None where columns have to be built one by one.
    """

    features: tuple[Feature, ...]
    named: bool
    frame: bool
    ignored: frozenset[str] = frozenset()
    names: tuple[str, ...] = field(init=False)
    index: Mapping[str, int] = field(init=False)
    matrix_dtype: str | None = field(init=False)

    def __post_init__(self) -> None:
        set_field = object.__setattr__
        set_field(self, "names", tuple(feature.name for feature in self.features))
        set_field(self, "index", {name: position for position, name in enumerate(self.names)})
        set_field(self, "matrix_dtype", _matrix_dtype(self.features, self.frame))

    def check_names(self, given: Sequence[str], where: str) -> None:
        """Every column once, none unknown; the order is free."""
        given = [name for name in given if name not in self.ignored]
        if unknown := [name for name in given if name not in self.index]:
            raise errors.RequestError(
                f"{where}: unknown column {errors.listed(unknown)}; the columns are {errors.listed(self.names)}"
            )
        if missing := self.index.keys() - set(given):
            ordered = [name for name in self.names if name in missing]
            raise errors.RequestError(f"{where}: column {errors.listed(ordered)} is missing")
        if len(given) != len(self.names):
            twice = sorted({name for name in given if given.count(name) > 1})
            raise errors.RequestError(f"{where}: column {errors.listed(twice)} is given more than once")


def _matrix_dtype(features: Sequence[Feature], frame: bool) -> str | None:
    dtypes = {feature.dtype for feature in features}
    if any(feature.kind not in (Kind.FLOAT, Kind.INT) for feature in features) or (frame and len(dtypes) > 1):
        return None
    return str(np.result_type(*dtypes))


def _kind(item: Mapping[str, Any], samples: Sequence[Any]) -> Kind:
    """An ``object`` column says nothing about itself, so the recorded rows decide whether it is text."""
    dtype = str(item.get("dtype", "float64"))
    if item.get("kind") == "datetime":
        return Kind.TIME
    if dtype == "object":
        known = [value for value in samples if value is not None]
        return Kind.TEXT if known and all(isinstance(value, str) for value in known) else Kind.OTHER
    return next((kind for prefix, kind in _PREFIXES if dtype.startswith(prefix)), Kind.OTHER)


def read(metadata: Mapping[str, Any], samples: Mapping[str, Sequence[Any]], model: Any) -> Schema:
    """The schema on which the records and the estimator agree."""
    fitted = [str(name) for name in getattr(model, "feature_names_in_", ())]
    width = getattr(model, "n_features_in_", None)
    recorded: dict[str, Mapping[str, Any]] = {str(item["name"]): item for item in metadata.get("features") or ()}
    if not recorded and width is not None:
        recorded = {name: {} for name in fitted or [f"x{position}" for position in range(width)]}
    if fitted and set(fitted) != recorded.keys():
        raise errors.ArtifactError(
            f"metadata.json lists the features {errors.listed(recorded)}, "
            f"but the model was fitted with {errors.listed(fitted)}"
        )
    if width is not None and width != len(recorded):
        raise errors.ArtifactError(f"metadata.json lists {len(recorded)} features, but the model takes {width}")
    ordered = fitted or list(recorded)
    features = tuple(
        Feature(name, str(recorded[name].get("dtype", "float64")), _kind(recorded[name], samples.get(name, ())))
        for name in ordered
    )
    if not features:
        raise errors.ArtifactError("metadata.json lists no features and the model does not know its own")
    ignored = frozenset(map(str, metadata.get("ignored") or ())) - set(ordered)
    return Schema(features=features, named=bool(fitted), frame=bool(fitted), ignored=ignored)


def by_position(model: Any) -> bool:
    """Whether the model could take its columns by position alone: scikit-learn's own parts use names for checks and to
    select columns, and they refuse an array where they need a name; the code of anybody else may do anything."""
    parameters = model.get_params(deep=True).values() if hasattr(model, "get_params") else ()
    parts = [part for part in (model, *parameters) if hasattr(part, "fit")]
    return all(
        type(part).__module__.startswith("sklearn.") and type(part).__name__ != "FunctionTransformer" for part in parts
    )
