"""What the training part looks like, column by column: the published ``schema.json``.

Invariant: everything in it is JSON-safe and small, whatever the data; no value of a column with many distinct texts is
repeated, so that names and addresses do not leak into a document that many may read.
"""

from __future__ import annotations

from typing import Any

from sklearn_steps import parts

_QUANTILES = (0.0, 0.05, 0.25, 0.5, 0.75, 0.95, 1.0)
#: So few texts are categories in any case; more of them are if each is there often, for names of people are not.
_CATEGORIES = 20
_MOST_CATEGORIES = 100
_REPEATED = 10
_LONGEST = 128


def describe(part: parts.Part) -> list[dict[str, Any]]:
    """One entry per feature, then one per target."""
    entries = []
    for position, column in enumerate(part.about.columns):
        values = part.X[column.name].to_numpy() if part.about.table else part.X[:, position]
        entries.append(_entry(column.name, values, column.dtype, column.categorical, "feature"))
    for position, name in enumerate(part.about.target if part.y is not None else []):
        values = part.y if part.y.ndim == 1 else part.y[:, position]
        entries.append(_entry(name, values, str(values.dtype), values.dtype.kind in "OUSb", "target"))
    return entries


def _entry(name: str, values: Any, dtype: str, categorical: bool, role: str) -> dict[str, Any]:
    entry: dict[str, Any] = {"name": name, "role": role, "dtype": dtype}
    if categorical or values.dtype.kind == "O":
        return entry | _categories(values)
    return entry | (_booleans(values) if values.dtype.kind == "b" else _numbers(values))


def _numbers(values: Any) -> dict[str, Any]:
    import numpy as np

    as_float = values.astype("float64")
    finite = as_float[np.isfinite(as_float)]
    facts: dict[str, Any] = {"kind": "number"} | _gaps(int(np.isnan(as_float).sum()), len(values))
    if len(finite):
        at = np.quantile(finite, _QUANTILES)
        facts |= {
            "min": finite.min(),
            "max": finite.max(),
            "mean": finite.mean(),
            "std": finite.std(),
            "quantiles": dict(zip(_QUANTILES, at, strict=True)),
        }
    return dict(parts.json_safe(facts))


def _booleans(values: Any) -> dict[str, Any]:
    true = int(values.sum())
    counts = {"true": true, "false": len(values) - true}
    return {"kind": "boolean"} | _gaps(0, len(values)) | {"counts": counts}


def _gaps(missing: int, rows: int) -> dict[str, Any]:
    return {"missing": missing, "missingShare": missing / max(1, rows)}


def _categories(values: Any) -> dict[str, Any]:
    counts: dict[str, int] = {}
    missing = 0
    for value in values.tolist():
        if value is None or value != value:
            missing += 1
        else:
            counts[str(value)] = counts.get(str(value), 0) + 1
    facts: dict[str, Any] = {"kind": "category"} | _gaps(missing, len(values)) | {"distinct": len(counts)}
    repeated = len(counts) <= _MOST_CATEGORIES and len(values) >= _REPEATED * len(counts)
    if (len(counts) <= _CATEGORIES or repeated) and all(len(text) <= _LONGEST for text in counts):
        facts["counts"] = dict(sorted(counts.items(), key=lambda item: (-item[1], item[0])))
    return facts
