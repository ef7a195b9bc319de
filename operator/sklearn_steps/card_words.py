"""The words and figures of the card: what a metric means, what the model is in one sentence.

Invariant: plain text; escaping is the template's business. Figures are rounded for the eye only.
"""

from __future__ import annotations

from typing import Any

from sklearn_steps import charts, contract, parts

_METRICS = {
    "accuracy": "the share of rows that are predicted right",
    "balanced_accuracy": "the share predicted right, each class counting the same",
    "average_precision": "precision over all recalls; 1 ranks every positive first",
    "f1": "the harmonic mean of precision and recall",
    "f1_macro": "F1 of each class, averaged with equal weight",
    "f1_micro": "F1 of all decisions together",
    "f1_weighted": "F1 of each class, averaged by its rows",
    "jaccard": "hits as a share of hits, misses and false alarms",
    "matthews_corrcoef": "correlation of truth and prediction; 0 is guessing",
    "precision": "the share of what was called positive that is",
    "precision_macro": "precision of each class, averaged with equal weight",
    "recall": "the share of the positives that was found",
    "recall_macro": "recall of each class, averaged with equal weight",
    "roc_auc": "how often a positive is ranked above a negative; 0.5 is guessing",
    "roc_auc_ovr": "ROC area of each class against the others, averaged",
    "roc_auc_ovo": "ROC area of each pair of classes, averaged",
    "top_k_accuracy": "the share whose class is among the likeliest",
    "r2": "the share of the variance that is explained; 0 is always saying the mean",
    "explained_variance": "the share of the variance that is explained, bias aside",
    "silhouette": "how much nearer rows are to their own cluster than to the next; 1 is best",
    "adjusted_rand_score": "agreement with the true groups; 0 is chance",
    "v_measure_score": "homogeneity and completeness together; 1 is best",
}
_FEW = 4
_KINDS = {
    "classifier": "A classifier",
    "regressor": "A regressor",
    "clusterer": "A clustering model",
    "outlier_detector": "An outlier detector",
}


def figure(value: float | None) -> str:
    """Four digits, for the eye; a minus that is one."""
    if value is None:
        return "–"
    size = abs(value)
    if value == int(value) and size < 1e6:
        text = f"{value:,.0f}"
    elif 1e-4 <= size < 1e6:
        text = f"{value:,.4f}" if size < 10 else f"{value:,.4g}" if size < 10000 else f"{value:,.0f}"
    else:
        text = f"{value:.4g}"
    return text.replace("-", "−")


def compact(value: float) -> str:
    """Four significant digits, without zeros that say nothing: for tables of many different sizes."""
    if value == int(value) and abs(value) < 1e6:
        return count(value).replace("-", "−")
    text = f"{value:,.0f}" if 1e4 <= abs(value) < 1e6 else f"{value:.4g}"
    return text.replace("-", "−")


def count(value: float) -> str:
    """A whole number with its thousands apart."""
    return f"{value:,.0f}"


def percent(share: float) -> str:
    """A share with one decimal."""
    return f"{100 * share:.1f} %"


def brief(value: Any) -> str:
    """A parameter's value in a table: short, numbers with six digits."""
    if isinstance(value, float):
        return f"{value:.6g}".replace("-", "−")
    return charts.shortened(str(value), 40)


def metric(name: str, value: float) -> str:
    """What it says; of the negated errors also the error itself."""
    if name.startswith("neg_"):
        words = name.removeprefix("neg_").replace("_", " ")
        return f"{words} {figure(-value)}, negated so that greater is better"
    return _METRICS.get(name, "")


def summary(config: contract.RunConfig, training: parts.Training) -> str:
    """The model in two sentences."""
    about, kind = training.about, training.estimator_type
    columns = f"{count(len(about.columns))} feature{'' if len(about.columns) == 1 else 's'}"
    what = _KINDS[kind]
    several = len(about.target) > 1
    target = charts.shortened(about.target[0], 40) if about.target else ""
    if several:
        does = f"of {len(about.target)} targets by {columns}"
    elif kind == "classifier" and training.classes:
        does = f"that tells {_classes(training, target)} apart by {columns}"
    elif kind == "regressor":
        does = f"of {target} by {columns}"
    elif kind == "clusterer":
        does = f"of {columns}"
    else:
        does = f"over {columns}"
    source = charts.shortened(about.source, 120)
    same = config.data.split.strategy == "None"
    if config.pretrained is not None:
        return f"{what} {does}. Made elsewhere, judged on {count(about.test_rows)} rows of {source}."
    judged = "judged on the very same rows" if same else f"judged on {count(about.test_rows)} others"
    return f"{what} {does}. Trained on {count(about.train_rows)} rows of {source}, {judged}."


def _classes(training: parts.Training, target: str) -> str:
    """A few classes by name, more by number."""
    names = training.about.class_names or [str(label) for label in training.classes or ()]
    if len(names) <= _FEW and max(map(len, names)) < 30:
        return f"{', '.join(names[:-1])} and {names[-1]}"
    return f"{count(len(names))} classes" if target == "target" else f"{count(len(names))} classes of {target}"
