"""A model that somebody else has made: whether it can be judged and served, and on which columns of the data.

Invariant: it is unpickled as the serving runtime does it, so what only the script's own process knows is found missing
here. The rows it is judged on are given to it in the form in which the runtime will give them.
"""

from __future__ import annotations

import pickle
from dataclasses import replace
from importlib import import_module, metadata
from pathlib import Path
from typing import Any

from sklearn_steps import contract, errors, estimators, parts

_BUILTIN = frozenset({"builtins", "sklearn", "numpy", "pandas", "scipy", "joblib"})


def load(path: Path, field: str) -> Any:
    """The fitted estimator in the file; a UserError that says why it is none."""
    import joblib

    try:
        model = joblib.load(path)
    except (AttributeError, ImportError) as exc:
        text = f"{field}: the model cannot be loaded outside of what made it: {errors.first_line(exc)}"
        advice = "build it of classes that the image can import (no class or function of the script itself)"
        raise errors.UserError("ModelNotLoadable", f"{text}; {advice}") from exc
    except (pickle.UnpicklingError, EOFError, KeyError, ValueError, IndexError, TypeError, OSError) as exc:
        text = f"{field}: not a model written with joblib.dump: {type(exc).__name__}: {errors.first_line(exc, 200)}"
        raise errors.UserError("ModelNotLoadable", text) from exc
    _check(model, field)
    return model


def _check(model: Any, field: str) -> None:
    from sklearn.exceptions import NotFittedError
    from sklearn.utils.validation import check_is_fitted

    name = type(model).__name__
    if isinstance(model, type) or not (hasattr(model, "fit") and hasattr(model, "get_params")):
        what = f"the class {model.__name__}" if isinstance(model, type) else f"an object of type {name}"
        text = f"{field}: the file holds {what}, which is no estimator; dump one fitted estimator or Pipeline"
        raise errors.UserError("NotAModel", text)
    try:
        check_is_fitted(model)
    except (NotFittedError, TypeError) as exc:
        raise errors.UserError("NotFitted", f"{field}: {name} is not fitted; dump it after fit") from exc
    if not hasattr(model, "predict"):
        text = f"{field}: {name} cannot predict rows that it was not fitted on, so it can be neither judged nor served"
        raise errors.UserError("NotAModel", f"{text}; leave an estimator that has predict")


def kind_of(model: Any, field: str) -> contract.EstimatorType:
    """What it is by its own word."""
    kind = estimators.type_of(model)
    if kind is None:
        text = f"{field}: {type(model).__name__} is neither a classifier nor a regressor, clusterer or outlier detector"
        raise errors.UserError("NotAModel", text)
    return kind


def about_of(model: Any, about: parts.About, field: str) -> parts.About:
    """The data as this model sees it: its columns, in its order, as a table only where it knows names."""
    known = about.names
    given = getattr(model, "feature_names_in_", None)
    names = known if given is None else [str(name) for name in given]
    width = getattr(model, "n_features_in_", None)
    missing = [name for name in names if name not in known]
    if missing:
        near = errors.nearest(missing[0], known)
        text = f"{field}: the model was fitted with {errors.listed(missing)}, which the data has not; {near}the columns"
        raise errors.UserError("FeaturesDiffer", f"{text} are {errors.listed(known, 24)}")
    if given is None and width is not None and width != len(known):
        text = f"{field}: the model takes {width} columns without names, and the data has {len(known)}"
        advice = "fit it on a table with names, or choose the columns with data.features"
        raise errors.UserError("FeaturesDiffer", f"{text} ({errors.listed(known, 24)}); {advice}")
    by_name = {column.name: column for column in about.columns}
    columns = [by_name[name] for name in names]
    profile = [entry for entry in about.profile if entry["role"] != "feature" or entry["name"] in names]
    return about.model_copy(
        update={
            "columns": columns,
            "ignored": [*about.ignored, *(name for name in known if name not in names)],
            "table": given is not None or any(column.categorical for column in columns),
            "profile": profile,
        }
    )


def as_seen(part: parts.Part, training: parts.Training) -> parts.Part:
    """A part with the columns of ``training.about``, in the form in which the model takes them."""
    y = part.y
    if training.estimator_type == "regressor" and y is not None and y.dtype.kind in "bO":
        y = y.astype("float64")
    return replace(part, X=_form(part.X, training.about), y=y, about=training.about)


def rows_for(model: Any, part: parts.Part, rows: Any, field: str) -> Any:
    """Some rows of a part in the form in which this model takes them."""
    return _form(part.X.iloc[rows], about_of(model, part.about, field))


def _form(X: Any, about: parts.About) -> Any:
    import numpy as np

    return X[about.names] if about.table else np.column_stack([X[name].to_numpy() for name in about.names])


def class_of(model: Any) -> str:
    """Its public name; of a Pipeline the last step's, as everywhere."""
    while hasattr(model, "named_steps"):
        model = model.steps[-1][1]
    cls = type(model)
    public = ".".join(part for part in cls.__module__.split(".") if not part.startswith("_"))
    try:
        found = getattr(import_module(public), cls.__name__, None)
    except ImportError:
        found = None
    return f"{public if found is cls else cls.__module__}.{cls.__qualname__}"


def packages(model: Any) -> list[str]:
    """Import names of what it is made of, besides what every image has."""
    made_of = [model, *model.get_params(deep=True).values()]
    used = {type(part).__module__.partition(".")[0] for part in made_of} - _BUILTIN
    known = metadata.packages_distributions()
    return sorted(name for name in used if name in known)
