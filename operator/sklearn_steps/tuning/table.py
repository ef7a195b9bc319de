"""All trials of a search as a Parquet table, ``trials.parquet``.

Invariant: one row per trial that was run, in the order of their numbers. A column ``param_<name>`` has the type of the
tuned parameter, and no value where the given one is of another kind (``gamma: scale``); ``params`` has all of them.
"""

from __future__ import annotations

import io
import json
from typing import Any

from sklearn_steps import parts


def written(tuning: parts.Tuning) -> bytes:
    """The file."""
    import pyarrow as pa
    from pyarrow import parquet

    trials = tuning.trials
    columns: dict[str, Any] = {
        "trial": pa.array([trial.number for trial in trials], pa.int64()),
        "state": pa.array([trial.state for trial in trials], pa.string()),
        "score": pa.array([trial.score for trial in trials], pa.float64()),
        "scores": pa.array([trial.scores for trial in trials], pa.list_(pa.float64())),
        "seconds": pa.array([trial.seconds for trial in trials], pa.float64()),
        "rows": pa.array([trial.rows for trial in trials], pa.int64()),
        "reason": pa.array([trial.reason or None for trial in trials], pa.string()),
    }
    for name in dict.fromkeys(name for trial in trials for name in trial.params):
        columns[f"param_{name}"] = _typed([trial.params.get(name) for trial in trials])
    texts = [json.dumps(trial.params, ensure_ascii=False) for trial in trials]
    columns["params"] = pa.array(texts, pa.string())
    result = tuning.result.model_dump_json(by_alias=True, exclude_none=True)
    table = pa.table(columns).replace_schema_metadata({"sklearn-operator.tuning": result})
    sink = io.BytesIO()
    parquet.write_table(table, sink)
    return sink.getvalue()


def _typed(values: list[Any]) -> Any:
    """The type of what was tried; trial 0 may have another, and what is no plain value stands as JSON."""
    import pyarrow as pa

    tried = [value for value in (values[1:] or values) if value is not None]
    for kind, type_ in ((bool, pa.bool_()), (int, pa.int64()), (float, pa.float64()), (str, pa.string())):
        if tried and all(type(value) is kind for value in tried):
            return pa.array([value if type(value) is kind else None for value in values], type_)
    if tried and all(type(value) in (int, float) for value in tried):
        return pa.array([float(value) if type(value) in (int, float) else None for value in values], pa.float64())
    return pa.array([json.dumps(value, ensure_ascii=False) for value in values], pa.string())
