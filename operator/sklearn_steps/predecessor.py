"""The version that serves, judged on the same test rows: for the gates that compare with it.

Invariant: its bytes are unpickled here, in the task, and only if they are those that the operator recorded. Whatever
keeps it from being judged is told in words, and no gate passes on it; only a store that cannot be reached is worth
another try.
"""

from __future__ import annotations

import hashlib
import io
import pickle
import warnings
from typing import Any

from sklearn_steps import contract, errors, objectstore, parts, scoring

_FIELD = "evaluation.gates.compareTo"


class _NotComparable(Exception):
    """Why, for a person."""


def compare(config: contract.RunConfig, part: parts.Part, training: parts.Training) -> contract.Compared | None:
    """Its metrics on the test part; None where there is nothing to compare with."""
    asked = config.evaluation.compare_with
    if asked is None or not any(gate.compare_to for gate in config.evaluation.gates):
        return None
    try:
        metrics = _metrics(config, asked, part, training)
    except _NotComparable as exc:
        advice = "remove the gate to accept this version without the comparison"
        text = f"{asked.version} cannot be judged on the same test rows: {exc}"
        limit = contract.MESSAGE_LIMIT - len(advice) - 2
        return contract.Compared(version=asked.version, message=f"{text[:limit]}; {advice}")
    return contract.Compared(version=asked.version, metrics=metrics)


def _metrics(
    config: contract.RunConfig, asked: contract.Predecessor, part: parts.Part, training: parts.Training
) -> dict[str, float]:
    place = objectstore.Location(asked.uri, objectstore.Credentials.store(), _FIELD)
    content = place.read_child(contract.MODEL)
    if content is None:
        raise _NotComparable(f"{asked.uri}{contract.MODEL} is gone")
    found = hashlib.sha256(content).hexdigest()
    if found != asked.sha256:
        raise _NotComparable(f"{asked.uri}{contract.MODEL} has sha256 {found}, recorded was {asked.sha256}")
    X = _inputs(_described(place, training), part)
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # a word on another release of scikit-learn; the figures are what counts
            model = _loaded(content)
            wanted = scoring.names(config, training.estimator_type, part.y, model)
            return scoring.figures(model, X, part.y, wanted, config.seed)[0]
    except (*errors.UNFIT, errors.UserError) as exc:
        raise _NotComparable(f"{type(exc).__name__}: {errors.first_line(exc)}") from exc


def _described(place: objectstore.Location, training: parts.Training) -> list[str]:
    """The names of its features, in its order."""
    content = place.read_child(contract.METADATA)
    try:
        described = contract.Metadata.model_validate_json(content or b"")
    except ValueError as exc:
        raise _NotComparable(f"its {contract.METADATA} is not readable: {errors.first_line(exc)}") from exc
    if described.estimator_type != training.estimator_type:
        raise _NotComparable(f"it is a {described.estimator_type}, this one is a {training.estimator_type}")
    if described.target != training.about.target:
        before, now = errors.listed(described.target), errors.listed(training.about.target)
        raise _NotComparable(f"it predicts {before or 'nothing that is named'}, this one {now}")
    return [feature.name for feature in described.features]


def _inputs(names: list[str], part: parts.Part) -> Any:
    """The test rows as it takes them: its columns, in its order."""
    known = part.about.names
    missing = [name for name in names if name not in known]
    if missing:
        raise _NotComparable(f"it takes columns that this one leaves out: {errors.listed(missing)}")
    if names == known:
        return part.X
    return part.X[names] if part.about.table else part.X[:, [known.index(name) for name in names]]


def _loaded(content: bytes) -> Any:
    import joblib

    try:
        return joblib.load(io.BytesIO(content))
    except (pickle.UnpicklingError, ImportError, EOFError, KeyError) as exc:
        raise _NotComparable(f"it cannot be loaded here: {type(exc).__name__}: {errors.first_line(exc)}") from exc
