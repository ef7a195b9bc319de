"""From a declared pipeline to scikit-learn's own Pipeline and ColumnTransformer, as a person would write them.

Invariant: what is built is what the manifest says and nothing more: names are the user's (those of a group's inner
steps are ``make_pipeline``'s), a group of one step is that step alone, and all defaults are scikit-learn's. The one
exception: columns are put together densely where a later step takes no sparse ones, because it could not work at all.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from sklearn_steps import contract, errors, estimators, parts, recipe, selection


def field(config: contract.RunConfig) -> str:
    """Where in the manifest the model itself is: the estimator, or the last step."""
    return "model.estimator" if config.pipeline is None else f"model.pipeline[{len(config.pipeline) - 1}]"


def build(config: contract.RunConfig, columns: Sequence[parts.Column] = ()) -> Any:
    """The unfitted model. Without ``columns`` its groups select nothing yet: enough to ask what it is."""
    if config.pipeline is None:
        return estimators.build(config.final, config.seed, packages=config.packages)
    from sklearn.pipeline import Pipeline

    kinds = {column.name: column.kind for column in columns}
    built: list[tuple[str, Any]] = []
    for place, step in reversed(list(enumerate(config.pipeline))):
        where = f"model.pipeline[{place}]"
        if step.columns is None:
            one = estimators.build(step.estimator, config.seed, where, config.packages)
        else:
            one = _columns(step, kinds, config, where, [later for _, later in built])
        built.insert(0, (step.name, one))
    return Pipeline(built)


def _columns(
    step: recipe.PipelineStep, kinds: dict[str, str], config: contract.RunConfig, where: str, later: list[Any]
) -> Any:
    from sklearn.compose import ColumnTransformer

    transformers = []
    for number, group in enumerate(step.columns or ()):
        at = f"{where}.columns[{number}]"
        parts_of = [
            estimators.build(one, config.seed, f"{at}.steps[{place}]", config.packages)
            for place, one in enumerate(group.steps)
        ]
        taken: Any = selection.of_group(group, kinds, at) if kinds else []
        if kinds and _takes_text(parts_of[0]):
            taken = _one(taken, type(parts_of[0]).__name__, at)
        transformers.append((group.name, _chain(parts_of), taken))
    dense = {} if all(map(_takes_sparse, later)) else {"sparse_threshold": 0.0}
    return ColumnTransformer(transformers, remainder=step.remainder, **dense)


def _chain(built: list[Any]) -> Any:
    from sklearn.pipeline import make_pipeline

    return built[0] if len(built) == 1 else make_pipeline(*built)


def _one(taken: list[str], name: str, at: str) -> str:
    """A vectorizer gets its column as texts, not as a table of one column."""
    if len(taken) > 1:
        text = f"{at}.select: {name} takes one column of text, but {errors.listed(taken)} are selected"
        raise errors.UserError("TooManyColumns", f"{text}; make a group for each")
    return taken[0]


def _takes_text(estimator: Any) -> bool:
    from sklearn.utils import get_tags

    inner = getattr(estimator, "transformer_list", None)
    if isinstance(inner, list) and inner:
        return all(_takes_text(part) for _, part in inner if hasattr(part, "fit"))
    takes = get_tags(estimator).input_tags
    return bool(takes.string and not takes.two_d_array)


def _takes_sparse(estimator: Any) -> bool:
    from sklearn.utils import get_tags

    try:
        return bool(get_tags(estimator).input_tags.sparse)
    except (AttributeError, TypeError, ValueError):  # made of estimators, and one of them is none: told elsewhere
        return True
