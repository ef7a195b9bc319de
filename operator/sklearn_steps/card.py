"""The card: one HTML page that says what the model is, how good, on which data, and how to make it again.

Invariant: self-contained (no script, no font, no image from anywhere), every value of the user's is escaped, and it
stays below 300 kB whatever the data: each list, table and picture in it has a limit.
"""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from importlib import resources
from typing import Any

from sklearn_steps import call, card_pictures, card_words, charts, contract, curves, importance, insights, parts

MAX_FEATURES = 100
MAX_TRIALS = 40
_OPEN_FEATURES = 14
_MAX_CLASSES = 12
_MAX_PARAMS = 8000
_MAX_CATEGORIES = 4


@dataclass(frozen=True)
class Material:
    """Everything that the page is made of."""

    config: contract.RunConfig
    training: parts.Training
    evaluation: parts.Evaluation
    golden: Mapping[str, Any]
    drawn: curves.Curves
    seen: insights.Insights
    weight: importance.Importance
    left_out: Sequence[str] = ()


def render(material: Material) -> str:
    """The page."""
    import jinja2
    import markupsafe

    environment = jinja2.Environment(
        autoescape=True, undefined=jinja2.StrictUndefined, trim_blocks=True, lstrip_blocks=True
    )
    environment.filters |= {
        "figure": card_words.figure,
        "count": card_words.count,
        "percent": card_words.percent,
        "short": charts.shortened,
        "named": charts.named,
        "brief": card_words.brief,
    }
    here = resources.files("sklearn_steps")
    template = environment.from_string(here.joinpath("card.html.j2").read_text())
    training, config = material.training, material.config
    features = [_column(entry) for entry in training.about.profile if entry["role"] == "feature"][:MAX_FEATURES]
    return template.render(
        css=markupsafe.Markup(here.joinpath("card.css").read_text()),
        config=config,
        training=training,
        about=training.about,
        evaluation=material.evaluation,
        summary=card_words.summary(config, training),
        headline=_headline(material),
        metrics=_metrics(material),
        matrix=_matrix(material.drawn),
        classes=[charts.named(name, 24) for name in material.drawn.classes],
        seen=material.seen,
        pictures=card_pictures.of_answers(material.seen, material.drawn, training.about),
        relies=card_pictures.relies(material.weight),
        weight=material.weight,
        learning=card_pictures.learning(training.learning_curve),
        tuning=_tuning(training),
        features=features[:_OPEN_FEATURES],
        folded=features[_OPEN_FEATURES:],
        more_features=max(0, len(training.about.columns) - MAX_FEATURES),
        targets=_targets(training),
        params=_params(config, training),
        call=call.shown(config, material.golden, training.about.table),
        left_out=[*training.left_out, *material.left_out],
    )


def _headline(material: Material) -> dict[str, Any] | None:
    evaluation = material.evaluation
    name = evaluation.headline
    if name is None or name not in evaluation.metrics:
        return None
    folds = material.training.cross_validation
    spread = folds.metrics.get(name) if folds else None
    guess = material.seen.guess if name == "accuracy" else None
    value = evaluation.metrics[name]
    return {"name": name, "value": value, "words": card_words.metric(name, value), "spread": spread, "guess": guess}


def _metrics(material: Material) -> list[dict[str, Any]]:
    """One row per metric: the test part, the folds, the version that serves."""
    folds = material.training.cross_validation
    compared = material.evaluation.compared_with
    rows = []
    for name, value in material.evaluation.metrics.items():
        spread = folds.metrics.get(name) if folds else None
        before = compared.metrics.get(name) if compared else None
        strip = ""
        if spread is not None:
            about = f"{name}: folds from {min(spread.values):.4g} to {max(spread.values):.4g}, test part {value:.4g}"
            low, high = min(*spread.values, value), max(*spread.values, value)
            strip = charts.strip(spread.values, spread.mean, value, low, high, about)
        words = card_words.metric(name, value)
        rows.append({"name": name, "value": value, "spread": spread, "before": before, "strip": strip, "words": words})
    return rows


def _matrix(drawn: curves.Curves) -> list[tuple[int, list[tuple[int, int]]]]:
    """Per row its sum, and each count with its shade from 0 to 9 by its share of the row."""
    rows = []
    for row in drawn.matrix:
        total = max(1, sum(row))
        rows.append((sum(row), [(count, min(9, -(-9 * count // total))) for count in row]))
    return rows


def _tuning(training: parts.Training) -> dict[str, Any] | None:
    """The search; trial 0 has the parameters as given."""
    found = training.tuning
    if found is None or not found.trials:
        return None
    best, shown = found.result.best_trial, found.trials
    keep = {best, *(trial.number for trial in shown[: MAX_TRIALS - 1])}
    return {
        "record": found,
        "svg": card_pictures.search(found),
        "names": list(dict.fromkeys(name for trial in shown for name in trial.params))[:12],
        "trials": [trial for trial in shown if trial.number in keep],
        "more": len(shown) - len(keep),
        "best": best,
    }


def _targets(training: parts.Training) -> list[dict[str, Any]]:
    """Like features; the numbers of a classifier's target are names, not amounts."""
    about = training.about
    found = [_column(entry) for entry in about.profile if entry["role"] == "target"][:MAX_FEATURES]
    if training.estimator_type == "classifier" and len(found) == 1 and training.classes:
        names = about.class_names or [str(label) for label in training.classes]
        shown = ", ".join(charts.named(name, 24) for name in names[:_MAX_CLASSES])
        more = f" and {len(names) - _MAX_CLASSES} more" if len(names) > _MAX_CLASSES else ""
        found[0] |= {"box": "", "text": f"{card_words.count(len(names))} classes: {shown}{more}"}
    return found


def _column(entry: Mapping[str, Any]) -> dict[str, Any]:
    """A row of the schema: with its quantiles as a box, or its most frequent values."""
    found = {"name": entry["name"], "dtype": entry["dtype"], "missing": entry.get("missing", 0), "box": "", "words": ""}
    at = {str(name): value for name, value in (entry.get("quantiles") or {}).items()}
    five = [at.get(name) for name in ("0.0", "0.25", "0.5", "0.75", "1.0")]
    if all(value is not None for value in five):
        low, q1, median, q3, high = (float(value) for value in five if value is not None)
        found["box"] = charts.box(low, q1, median, q3, high, f"from {low:.4g} to {high:.4g}, median {median:.4g}")
        found["words"] = tuple(map(card_words.compact, (low, median, high)))
    elif entry.get("counts"):
        names = [charts.shortened(str(name), 16) for name in list(entry["counts"])[:_MAX_CATEGORIES]]
        more = len(entry["counts"]) - len(names)
        found["text"] = ", ".join(names) + (f" and {more} more" if more > 0 else "")
    elif entry.get("distinct") is not None:
        found["text"] = f"{card_words.count(entry['distinct'])} distinct values"
    return found


def _params(config: contract.RunConfig, training: parts.Training) -> str:
    """What the model was made with, beyond its class: the parameters, or the steps as the manifest has them."""
    said: Any = training.params
    if config.pipeline is not None:
        said = [step.model_dump(mode="json", by_alias=True, exclude_defaults=True) for step in config.pipeline]
    if not said:
        return ""
    text = json.dumps(said, indent=2, ensure_ascii=False)
    return text if len(text) <= _MAX_PARAMS else f"{text[:_MAX_PARAMS]}\n… ({len(text):,} characters in all)"
