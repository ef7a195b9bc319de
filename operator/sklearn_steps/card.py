"""The card: one HTML page that says what the model is, how good, on which data, and how to make it again.

Invariant: self-contained (no script, no font, no image from anywhere), and every value of the user's is escaped.
"""

from __future__ import annotations

import json
from importlib import resources
from typing import Any

from sklearn_steps import contract, curves, parts

_MAX_FEATURES = 100


def render(
    config: contract.RunConfig, training: parts.Training, evaluation: parts.Evaluation, drawn: curves.Curves
) -> str:
    """The page."""
    import jinja2

    environment = jinja2.Environment(
        autoescape=True, undefined=jinja2.StrictUndefined, trim_blocks=True, lstrip_blocks=True
    )
    template = environment.from_string(resources.files("sklearn_steps").joinpath("card.html.j2").read_text())
    about = training.about
    features = [entry for entry in about.profile if entry["role"] == "feature"]
    return template.render(
        config=config,
        training=training,
        evaluation=evaluation,
        about=about,
        matrix=_shaded(drawn),
        classes=drawn.classes,
        roc=_path(drawn),
        features=features[:_MAX_FEATURES],
        more=max(0, len(features) - _MAX_FEATURES),
        params=_params(config),
    )


def _params(config: contract.RunConfig) -> str:
    """What the manifest says of the model, beyond its class."""
    if config.pipeline is None:
        said: Any = config.final.params
    else:
        said = [step.model_dump(mode="json", by_alias=True, exclude_defaults=True) for step in config.pipeline]
    return json.dumps(said, indent=2, ensure_ascii=False) if said else ""


def _shaded(drawn: curves.Curves) -> list[list[tuple[int, float]]]:
    """Each count with its share of the row."""
    return [[(count, count / max(1, sum(row))) for count in row] for row in drawn.matrix]


def _path(drawn: curves.Curves) -> str:
    """The ROC curve as an SVG path in a square of 100."""
    points: list[Any] = [f"{100 * x:.2f},{100 - 100 * y:.2f}" for x, y in zip(drawn.fpr, drawn.tpr, strict=True)]
    return f"M{' L'.join(points)}" if points else ""
