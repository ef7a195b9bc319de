"""Which metrics are computed, and by scikit-learn's own scorers.

Invariant: a figure is exactly what the scorer returns, as a Python float. A metric that cannot be computed is a failure
if it was asked for, and a note if it is only a default.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from sklearn_steps import contract, encode, errors, parts

SILHOUETTE = "silhouette"
_MODULES: dict[str, contract.EstimatorType] = {
    "sklearn.metrics._classification": "classifier",
    "sklearn.metrics._ranking": "classifier",
    "sklearn.metrics._scorer": "classifier",  # the likelihood ratios
    "sklearn.metrics._regression": "regressor",
    "sklearn.metrics.cluster._supervised": "clusterer",
}
_SILHOUETTE_ROWS = 10_000
_MULTICLASS = {"roc_auc": "roc_auc_ovr", "average_precision": "roc_auc_ovr", "d2_brier_score": "neg_log_loss"}


def fitting(kind: contract.EstimatorType) -> list[str]:
    """The names of the metrics for that kind of estimator."""
    from sklearn.metrics import get_scorer, get_scorer_names

    names = [name for name in get_scorer_names() if _MODULES.get(get_scorer(name)._score_func.__module__) == kind]
    return sorted([*names, SILHOUETTE] if kind == "clusterer" else names)


def names(config: contract.RunConfig, kind: contract.EstimatorType, y: Any, estimator: Any) -> tuple[str, ...]:
    """The metrics of this run, checked before anything is fitted."""
    asked = config.evaluation.metrics
    if not asked:
        return _defaults(kind, y)
    for place, name in enumerate(asked):
        check(name, f"evaluation.metrics[{place}]", kind, y, estimator)
    return asked


def check(name: str, field: str, kind: contract.EstimatorType, y: Any, estimator: Any) -> None:
    """A UserError if that metric cannot judge this estimator on this target."""
    known = fitting(kind)
    field = f"{field} {errors.shown(name)}"
    if name not in known:
        advice = f"{errors.nearest(name, known)}there are {errors.listed(known, 40)}"
        raise errors.UserError("UnknownMetric", f"{field}: not a metric for a {kind}; {advice}")
    if kind == "clusterer" and name != SILHOUETTE and y is None:
        text = f"{field}: it compares with true labels; name their column in data.target"
        raise errors.UserError("MetricUnsuitable", text)
    _check_binary(name, kind, y, field)
    _check_response(name, estimator, field)


def single(name: str, model: Any, X: Any, y: Any, seed: int) -> float:
    """One metric; NaN where it is not defined on these rows."""
    if name == SILHOUETTE:
        found: dict[str, float] = {}
        _silhouette(model, X, seed, found)
        return found.get(SILHOUETTE, float("nan"))
    from sklearn.metrics import get_scorer

    return float(get_scorer(name)(model, X, y))


def _defaults(kind: contract.EstimatorType, y: Any) -> tuple[str, ...]:
    if kind == "classifier" and y.ndim == 2:
        return contract.MULTILABEL_METRICS
    return contract.DEFAULT_METRICS[kind]


def _check_binary(name: str, kind: contract.EstimatorType, y: Any, field: str) -> None:
    """``f1`` and its kin are for two classes of which one is called 1."""
    if kind != "classifier" or y.ndim != 1:
        return
    from sklearn.metrics import get_scorer

    classes = list(dict.fromkeys(y.tolist()))
    average = name in ("f1", "precision", "recall", "jaccard")
    if len(classes) > 2 and (average or name in _MULTICLASS):
        better = _MULTICLASS.get(name, f"{name}_macro")
        text = f"{field}: for two classes only, the target has {len(classes)}; use {better}"
        raise errors.UserError("MetricUnsuitable", text)
    labelled = "pos_label" in _parameters(get_scorer(name)._score_func) and (average or "brier" in name)
    if len(classes) == 2 and labelled and 1 not in classes:
        better = f"{name}_macro" if average else "neg_log_loss"
        present = errors.listed(sorted(map(str, classes)))
        text = f"{field}: needs a class 1 to count as positive, the classes are {present}; use {better}"
        raise errors.UserError("MetricUnsuitable", text)


def _check_response(name: str, estimator: Any, field: str) -> None:
    """``neg_log_loss`` needs probabilities, which not every estimator gives."""
    if name == SILHOUETTE:
        return
    from sklearn.metrics import get_scorer

    needs = get_scorer(name)._response_method
    methods = (needs,) if isinstance(needs, str) else tuple(needs)
    if not any(hasattr(estimator, method) for method in methods):
        text = f"{field}: needs {' or '.join(methods)}, which {type(estimator).__name__} does not have"
        raise errors.UserError("MetricUnsuitable", f"{text}; choose another metric or estimator")


def _parameters(function: Any) -> Any:
    import inspect

    return inspect.signature(function).parameters


def score(
    model: Any, part: parts.Part, training: parts.Training, config: contract.RunConfig
) -> tuple[dict[str, float], list[str]]:
    """The metrics in the order of the manifest, and notes."""
    wanted = names(config, training.estimator_type, part.y, model)
    try:
        found, notes = figures(model, part.X, part.y, wanted, config.seed)
    except errors.UNFIT as exc:
        if config.evaluation.metrics:
            raise _failed(exc, list(wanted), part, training) from exc
        found, notes = {}, [f"no metric of scikit-learn fits: {errors.first_line(exc, 200)}"]
    if training.estimator_type == "outlier_detector":
        notes.append(f"{_outliers(model, part)} of the {part.about.test_rows} test rows are outliers")
    undefined = [name for name in wanted if name not in found and name != SILHOUETTE]
    if undefined and not notes:
        notes = [f"not defined on the {part.about.test_rows} test rows: {errors.listed(undefined)}"]
    if config.evaluation.metrics and wanted[0] not in found:
        text = f"evaluation.metrics[0] {wanted[0]}: it is not defined on the {part.about.test_rows} test rows"
        raise errors.UserError("MetricUndefined", f"{text}; {errors.listed(notes)}")
    return found, notes


def figures(model: Any, X: Any, y: Any, wanted: Sequence[str], seed: int) -> tuple[dict[str, float], list[str]]:
    """What the scorers say, in their order and without what is not finite, and notes."""
    scorers = [name for name in wanted if name != SILHOUETTE]
    found: dict[str, float] = {}
    notes: list[str] = []
    if scorers:
        from sklearn.metrics import check_scoring

        found = {name: float(value) for name, value in check_scoring(model, scoring=scorers)(model, X, y).items()}
    if SILHOUETTE in wanted:
        notes += _silhouette(model, X, seed, found)
    # Without the minus of a negated error that is none.
    return {name: found[name] + 0.0 for name in wanted if name in found and found[name] - found[name] == 0}, notes


class Answers:
    """One of scikit-learn's scorers in two halves: what it asks the model, and the figure that it makes of the answer.

    So that many shuffled copies of some rows can be asked about at once.
    """

    def __init__(self, name: str, model: Any) -> None:
        from sklearn.metrics import get_scorer

        self._scorer = get_scorer(name)
        self._model = model

    def ask(self, X: Any) -> Any:
        from sklearn.utils._response import _get_response_values

        label = self._scorer._get_pos_label()
        return _get_response_values(self._model, X, response_method=self._scorer._response_method, pos_label=label)[0]

    def figure(self, y: Any, given: Any) -> float:
        scorer = self._scorer
        return float(scorer._sign * scorer._score_func(y, given, **scorer._kwargs))


def _failed(error: Exception, names: list[str], part: parts.Part, training: parts.Training) -> errors.UserError:
    found = encode.explained(error, part.X, part.about, training.estimator)
    if found.reason != "FitFailed":
        return found
    text = f"evaluation.metrics {errors.listed(names)}: cannot be computed: {errors.first_line(error)}"
    return errors.UserError("MetricFailed", text)


def _outliers(model: Any, part: parts.Part) -> int:
    return int((model.predict(part.X) == -1).sum())


def _silhouette(model: Any, rows: Any, seed: int, found: dict[str, float]) -> list[str]:
    """scikit-learn has no scorer for it: of the clusters that the model gives to the test rows."""
    from sklearn.metrics import silhouette_score

    labels = model.predict(rows)
    X = model[:-1].transform(rows) if len(getattr(model, "steps", ())) > 1 else rows
    clusters = len(set(labels.tolist()))
    if not 2 <= clusters < len(labels):
        return [f"{SILHOUETTE} is not defined: the {len(labels)} test rows fall into {clusters} clusters"]
    size = _SILHOUETTE_ROWS if len(labels) > _SILHOUETTE_ROWS else None
    found[SILHOUETTE] = float(silhouette_score(X, labels, sample_size=size, random_state=seed))
    return [f"{SILHOUETTE} is of {_SILHOUETTE_ROWS} of {len(labels)} test rows"] if size else []
