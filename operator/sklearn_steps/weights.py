"""Sample weights on their way into ``fit``.

Invariant: weights reach the estimator that learns, or the manifest is refused; they are never dropped silently.
"""

from __future__ import annotations

from typing import Any

from sklearn_steps import errors

_ARGUMENT = "sample_weight"


def fit_parameters(model: Any, weight: Any, name: str) -> dict[str, Any]:
    """The keyword arguments of ``model.fit``; a UserError if nothing there takes any. ``name``: the model's class."""
    if weight is None:
        return {}
    from sklearn.utils.validation import has_fit_parameter

    prefix, learner = _learner(model)
    if not has_fit_parameter(learner, _ARGUMENT):
        text = f"data.weight: {name} takes no sample weights when it is fitted; remove data.weight"
        raise errors.UserError("WeightsNotTaken", f"{text}, or choose an estimator whose fit has sample_weight")
    return {prefix + _ARGUMENT: weight}


def _learner(model: Any) -> tuple[str, Any]:
    """The last step of pipelines, and what scikit-learn calls it from outside."""
    prefix = ""
    while hasattr(model, "named_steps"):
        name, model = model.steps[-1]
        prefix += f"{name}__"
    return prefix, model
