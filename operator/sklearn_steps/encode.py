"""Text and times for estimators that take numbers only, and plain words where a fit stumbles over the data.

Invariant: data whose features are all plain numbers reaches the user's estimator untouched, and so does all data where
the user prepares it. What is put before the estimator here is part of the model, so serving takes the same rows by
column name; that this was done is said in the notes.
"""

from __future__ import annotations

from typing import Any

from sklearn_steps import errors, estimators, parts

_WIDE = 1000


def wrapped(estimator: Any, part: parts.Part) -> tuple[Any, list[str]]:
    """The estimator, behind an encoder of text columns and a scaler of times where there are any, and the notes."""
    categorical, times = part.about.categorical, part.about.times
    if not (categorical or times) or estimators.composed(estimator):
        return estimator, []
    from sklearn.compose import ColumnTransformer
    from sklearn.pipeline import Pipeline

    transformers: list[tuple[str, Any, list[str]]] = []
    notes = []
    if categorical:
        encoder, width = _encoder(estimator, part)
        transformers.append(("text", encoder, categorical))
        notes.append(f"text columns are one-hot encoded into {width} columns: {errors.listed(categorical)}")
    if times:
        from sklearn.preprocessing import StandardScaler

        # seconds since 1970 are so many that next to them an estimator of distances would see nothing else
        transformers.append(("times", StandardScaler(), times))
        notes.append(f"columns of times are scaled to mean 0 and variance 1: {errors.listed(times)}")
    numbers = [name for name in part.about.names if name not in categorical and name not in times]
    if numbers:
        transformers.append(("numbers", "passthrough", numbers))
    columns = ColumnTransformer(transformers, verbose_feature_names_out=False)
    return Pipeline([("columns", columns), ("estimator", estimator)]), notes


def _encoder(estimator: Any, part: parts.Part) -> tuple[Any, int]:
    from sklearn.preprocessing import OneHotEncoder
    from sklearn.utils import get_tags

    width = sum(part.X[name].nunique(dropna=False) for name in part.about.categorical)
    sparse = width > _WIDE and bool(get_tags(estimator).input_tags.sparse)
    return OneHotEncoder(handle_unknown="ignore", sparse_output=sparse), width


def refuse_gaps(X: Any, about: parts.About, estimator: str) -> None:
    """A UserError that names the columns with missing numbers."""
    import numpy as np

    gaps = _counts(X, about, np.isnan)
    if gaps:
        raise errors.UserError(
            "MissingValues",
            f"data.features: {estimator} takes no missing values, but there are some in {errors.listed(gaps)}; "
            "fill them, leave the columns out with data.features.exclude, or choose an estimator that takes them, such "
            "as sklearn.ensemble.HistGradientBoostingClassifier or -Regressor",
        )


def explained(error: Exception, X: Any, about: parts.About, estimator: str) -> errors.UserError:
    """What a fit or a prediction says of the data, with the columns that it is about."""
    import numpy as np

    said = errors.first_line(error)
    if "could not convert string" in said or "Cannot convert" in said:
        loose = [name for name in about.categorical if name not in about.grouped] or about.categorical
        text = f"data.features: {estimator} takes numbers only, but there is text in {errors.listed(loose)}"
        return errors.UserError("TextColumns", f"{text}; encode those columns within the pipeline, or exclude them")
    if "NaN" in said:
        try:
            refuse_gaps(X, about, estimator)
        except errors.UserError as found:
            return found
    if "unknown categories" in said:
        text = f"model: {estimator}: {said}: the test part has words that the training part has not"
        advice = "set handle_unknown: ignore on OneHotEncoder, or use_encoded_value on OrdinalEncoder"
        return errors.UserError("UnknownCategories", f"{text}; {advice}")
    if "infinity" in said:
        where = _counts(X, about, np.isinf)
        if where:
            text = f"data.features: {estimator} takes finite numbers only; infinite are some of {errors.listed(where)}"
            return errors.UserError("InfiniteValues", text)
    reason = "InvalidParameter" if type(error).__name__ == "InvalidParameterError" else "FitFailed"
    return errors.UserError(reason, f"model: {estimator}: {said}")


def _counts(X: Any, about: parts.About, test: Any) -> list[str]:
    """``column (how many)`` for the columns of numbers with such values."""
    found = []
    for position, column in enumerate(about.columns):
        if column.categorical:
            continue
        values = X[column.name].to_numpy() if about.table else X[:, position]
        count = int(test(values).sum()) if values.dtype.kind == "f" else 0
        if count:
            found.append(f"{column.name} ({count} of {len(values)})")
    return found
