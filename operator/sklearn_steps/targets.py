"""Whether a target can be learned by that kind of estimator.

Invariant: what comes out is what the estimator is fitted with; labels stay the labels of the data.
"""

from __future__ import annotations

from typing import Any

from sklearn_steps import contract, errors, parts


def checked(y: Any, about: parts.About, kind: contract.EstimatorType, where: str = "the data", advice: str = "") -> Any:
    """The target as this kind of estimator takes it; a UserError if it cannot learn it."""
    supervised = kind in ("classifier", "regressor")
    if y is None:
        if supervised:
            names = errors.listed(about.names, 24)
            raise errors.UserError("TargetMissing", f"data.target: a {kind} needs a target; the columns are {names}")
        return None
    if not supervised:
        return y
    return _check_classes(y, about, where, advice) if kind == "classifier" else _check_numbers(y, about)


def give_labels(estimator: Any, y: Any) -> None:
    """Class weights by the labels of the data: the names in a JSON mapping are texts, whatever the labels are."""
    import numpy as np

    labels = {str(label).removesuffix(".0"): label for label in np.unique(y).tolist()}
    labels |= {text.lower(): label for text, label in labels.items() if isinstance(label, bool)}
    for name, value in estimator.get_params(deep=True).items():
        if name.rpartition("__")[2] == "class_weight" and isinstance(value, (dict, list)):
            estimator.set_params(**{name: _labelled(value, labels)})


def _labelled(weights: Any, labels: dict[str, Any]) -> Any:
    """One mapping, or one per target."""
    if isinstance(weights, list):
        return [_labelled(item, labels) for item in weights]
    return {labels.get(key, key): item for key, item in weights.items()} if isinstance(weights, dict) else weights


def _check_classes(y: Any, about: parts.About, where: str, advice: str) -> Any:
    import numpy as np

    for position, name in enumerate(about.target):
        values = y if y.ndim == 1 else y[:, position]
        if values.dtype.kind == "f" and not np.array_equal(values, np.rint(values)):
            odd = values[values != np.rint(values)][0]
            text = f"data.target {errors.shown(name)}: a classifier needs classes, but there is a fraction, {odd:g}"
            raise errors.UserError("TargetNotClasses", f"{text}; choose a regressor")
        first = values[0]
        if all(value == first for value in values):
            label = errors.shown(first.item() if hasattr(first, "item") else first)
            text = f"data.target {errors.shown(name)}: a classifier needs two classes, but {where} has only {label}"
            raise errors.UserError("OneClass", f"{text}{advice}")
    return y


def _culprit(texts: list[str]) -> tuple[str, str]:
    """The text that is no number, and what to do: one in a column of numbers is a slip, or a sign for a gap."""
    odd = [text for text in texts if not _is_number(text)]
    if not odd or len(odd) * 2 > len(texts):
        return (odd or texts)[0], "choose a classifier or another target"
    slips = f"{len(odd)} of {len(texts)} values are no numbers"
    return odd[0], f"{slips}: correct them or remove these rows"


def _is_number(text: str) -> bool:
    try:
        float(text)
    except ValueError:
        return False
    return True


def _check_numbers(y: Any, about: parts.About) -> Any:
    import numpy as np

    if y.dtype.kind in "OUS":
        for position, name in enumerate(about.target):
            values = y if y.ndim == 1 else y[:, position]
            texts = [value for value in values if isinstance(value, str)]
            if texts:
                text, advice = _culprit(texts)
                raise errors.UserError(
                    "TargetNotNumeric",
                    f"data.target {errors.shown(name)}: a regressor needs numbers, but there is text such as "
                    f"{errors.shown(text)}; {advice}",
                )
    values = y.astype("float64") if y.dtype.kind in "bO" else y
    if values.dtype.kind == "f" and not np.isfinite(values).all():
        text = f"data.target {errors.listed(about.target)}: there are infinite values; a regressor needs finite ones"
        raise errors.UserError("TargetNotFinite", text)
    return values
