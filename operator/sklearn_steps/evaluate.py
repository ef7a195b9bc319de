"""Third step: judge the model by the test part, and write down what people and serving need to trust it.

Invariant: every golden output is what this very model gave to the golden rows as they stand in the document; nothing
in it changes on its way through JSON.
"""

from __future__ import annotations

import json
import warnings
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from sklearn_steps import (
    card,
    changes,
    contract,
    curves,
    encode,
    errors,
    foreign,
    gates,
    importance,
    insights,
    parts,
    predecessor,
    responses,
    scoring,
    train,
)

_GOLDEN_ROWS = 8
_NO_FIGURE = (*errors.UNFIT, NotImplementedError)


@dataclass
class Judged:
    """The evaluation, and the documents that are published with the model."""

    evaluation: parts.Evaluation
    curves: curves.Curves
    documents: dict[str, bytes]


def evaluate(config: contract.RunConfig, fitted: train.Fitted, part: parts.Part) -> Judged:
    """The metrics of the test part, golden rows, the schema and the card."""
    training = fitted.training
    if config.brought:
        part = foreign.as_seen(part, training)
    answers = responses.Responses(fitted.model, part)
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always")
        golden = _golden(fitted, part)
        metrics, notes = scoring.score(fitted.model, part, training, config)
        compared = predecessor.compare(config, part, training)
        drawn = curves.draw(fitted.model, part, training, answers)
        seen, weight, left_out = _pictured(config, fitted, answers, drawn, next(iter(metrics), None))
    changed = changes.since(config.previous, training.about.profile)
    notes = [*_reused(config, training), *training.notes, *changed, *notes, *train.said(caught, "while judging")]
    headline = next(iter(metrics), None)
    judged = gates.judge(config.evaluation.gates, metrics, compared)
    evaluation = parts.Evaluation(metrics=metrics, headline=headline, notes=notes, compared_with=compared, gates=judged)
    documents = {
        contract.METRICS: _json(_metrics(evaluation, training)),
        contract.GOLDEN: _json(golden),
        contract.SCHEMA: _json(_schema(fitted.training.about)),
    }
    material = card.Material(config, training, evaluation, golden, drawn, seen, weight, left_out)
    documents[contract.CARD] = card.render(material).encode()
    return Judged(evaluation, drawn, documents)


def _reused(config: contract.RunConfig, training: parts.Training) -> list[str]:
    if training.run_id == config.run_id:
        return []
    return [f"training.cache: data and recipe are those of run {training.run_id}, whose model this is"]


def _pictured(
    config: contract.RunConfig,
    fitted: train.Fitted,
    answers: responses.Responses,
    drawn: curves.Curves,
    headline: str | None,
) -> tuple[insights.Insights, importance.Importance, list[str]]:
    """What the card shows besides the figures; a picture that a model cannot sit for is no reason to fail it."""
    seen, weight, left_out = insights.Insights(), importance.Importance(), []
    try:
        seen = insights.look(answers, drawn, fitted.training)
    except _NO_FIGURE as exc:
        left_out.append(f"Pictures of the answers: {errors.first_line(exc, 200)}")
    try:
        weight = importance.measure(fitted.model, answers.part, fitted.training, headline, config.seed)
    except _NO_FIGURE as exc:
        left_out.append(f"Permutation importance: {errors.first_line(exc, 200)}")
    if weight.left_out:
        left_out.append(f"Permutation importance: {weight.left_out}")
    many = len(fitted.training.classes or ()) if len(fitted.training.about.target) < 2 else 0
    if many > curves.MAX_CLASSES:
        left_out.append(f"Confusion matrix and curves: {many} classes, a page has room for {curves.MAX_CLASSES}")
    return seen, weight, left_out


def save(judged: Judged, folder: Path) -> None:
    """Write the evaluation as a folder."""
    folder.mkdir(parents=True, exist_ok=True)
    for name, content in judged.documents.items():
        (folder / name).write_bytes(content)
    parts.write(judged.evaluation, folder / parts.EVALUATION)


def _golden(fitted: train.Fitted, part: parts.Part) -> dict[str, Any]:
    """Rows from all over the test part, and the outputs for exactly these."""
    import numpy as np

    count = part.about.test_rows
    places = np.unique(np.linspace(0, count - 1, min(count, _GOLDEN_ROWS)).astype(int))
    rows = part.X.iloc[places] if part.about.table else part.X[places]
    try:
        given = {name: _tensor(getattr(fitted.model, name)(rows)) for name in fitted.training.outputs}
    except errors.UNFIT as exc:
        raise encode.explained(exc, part.X, part.about, fitted.training.estimator) from exc
    outputs = {name: parts.json_safe(result) for name, result in given.items() if result is not None}
    values = rows.to_numpy(dtype=object).tolist() if part.about.table else rows.tolist()
    return {"columns": part.about.names, "rows": parts.json_safe(values), "outputs": outputs}


def _tensor(result: Any) -> Any:
    """Probabilities of several targets come as a list; serving gives them as one tensor, or not at all."""
    import numpy as np

    if not isinstance(result, list):
        return result
    return np.stack(result, axis=1) if len({part.shape for part in result}) == 1 else None


def _metrics(evaluation: parts.Evaluation, training: parts.Training) -> dict[str, Any]:
    """All figures: of the test part, of the folds, of the version that it was compared with, and the gates' word."""
    document: dict[str, Any] = {
        "formatVersion": contract.FORMAT_VERSION,
        "headline": evaluation.headline,
        "metrics": evaluation.metrics,
    }
    more = {
        "crossValidation": training.cross_validation,
        "comparedWith": evaluation.compared_with,
        "gates": list(evaluation.gates) or None,
        "script": training.script_metrics or None,
    }
    return document | {name: _plain(value) for name, value in more.items() if value is not None}


def _plain(value: Any) -> Any:
    if isinstance(value, list):
        return [_plain(item) for item in value]
    if isinstance(value, dict):
        return value
    return value.model_dump(mode="json", by_alias=True, exclude_none=True)


def _schema(about: parts.About) -> dict[str, Any]:
    by_role: dict[str, list[dict[str, Any]]] = {"feature": [], "target": []}
    for entry in about.profile:
        by_role[entry["role"]].append({name: value for name, value in entry.items() if name != "role"})
    return {
        "formatVersion": contract.FORMAT_VERSION,
        "rows": about.train_rows,
        "features": by_role["feature"],
        "target": by_role["target"],
    }


def _json(document: Any) -> bytes:
    try:
        return json.dumps(document, allow_nan=False, ensure_ascii=False, separators=(",", ":")).encode()
    except ValueError as exc:
        raise errors.StepError("Unexpected", f"a document is not JSON-safe: {errors.first_line(exc)}") from exc
