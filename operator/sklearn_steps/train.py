"""Second step: build the estimator and fit it to the training part.

Invariant: the test part is never seen here, and the fitted estimator is exactly what scikit-learn makes of the class,
the parameters, the seed and the rows in their order.
"""

from __future__ import annotations

import platform
import shutil
import time
import warnings
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from importlib import metadata
from pathlib import Path
from typing import Any

from sklearn_steps import (
    composing,
    contract,
    contract_tuning,
    crossval,
    encode,
    errors,
    estimators,
    foreign,
    learning,
    needs,
    parts,
    requirements,
    scoring,
    sklearn_import,
    targets,
    weights,
)

_OUTPUTS = ("predict", "predict_proba")
_LIBRARIES = ("joblib", "narwhals", "numpy", "scikit-learn", "scipy", "threadpoolctl")
_MAX_WARNINGS = 5


@dataclass
class Fitted:
    """A model, and what is known of it; ``file``: its bytes, where somebody else wrote them."""

    model: Any
    training: parts.Training
    file: Path | None = None


def train(
    config: contract.RunConfig,
    part: parts.Part,
    tell: contract_tuning.Tell = lambda _: None,
    added: Mapping[str, str] | None = None,
    folder: Path | None = None,
) -> Fitted:
    """Tune where that is asked for, and fit; a UserError says what of the manifest or the data is in the way.

    ``tell`` hears how far the tuning is. ``added``: packages that the image lacks, version by name. ``folder``: for
    what a script leaves, or where ``prepare`` put the pretrained model; it has to be there as long as what is returned
    is not saved.
    """
    sklearn_import.load(part.about.table)
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always")
        found = added or {}
        fitted = _brought(config, part, tell, found, folder) if config.brought else _fit(config, part, tell, found)
    fitted.training.notes += said(caught, "while fitting")
    return fitted


def _brought(
    config: contract.RunConfig,
    part: parts.Part,
    tell: contract_tuning.Tell,
    added: Mapping[str, str],
    folder: Path | None,
) -> Fitted:
    """A model that is not declared."""
    from sklearn_steps import pretrained, scripted

    if folder is None:
        raise ValueError("a folder is needed")
    if config.pretrained is not None:
        fitted = pretrained.taken(config, part, folder)
    else:
        fitted = scripted.fit(config, part, tell, folder)
    needed = needs.check(config, fitted.model, added)
    fitted.training.needs = needed
    fitted.training.notes += needs.note(needed)
    fitted.training.requirements = sorted({*fitted.training.requirements, *requirements.pinned([*added])})
    return fitted


def _fit(config: contract.RunConfig, part: parts.Part, tell: contract_tuning.Tell, added: Mapping[str, str]) -> Fitted:
    about, name = part.about, config.final.class_
    estimator = composing.build(config, about.columns)
    needs.check(config, estimator, added)
    kind = estimators.kind_of(estimator, composing.field(config))
    supervised = kind in ("classifier", "regressor")
    y = target(config, part, kind)
    if supervised:
        _check_outputs(estimator, about, name, kind)
    if kind == "classifier":
        targets.give_labels(estimator, y)
    scoring.names(config, kind, y, estimator)
    tuned = None
    if config.tuning is not None:
        from sklearn_steps import tuning

        tuned = tuning.tune(config, estimator, part, y, kind, tell)
    model, notes = encode.wrapped(tuned.estimator if tuned else estimator, part)
    options = weights.fit_parameters(model, part.weight, name)
    started = time.perf_counter()
    try:
        model.fit(part.X, y, **options) if supervised else model.fit(part.X, **options)
    except errors.UNFIT as exc:
        raise encode.explained(exc, part.X, about, name) from exc
    seconds = time.perf_counter() - started
    needed = needs.check(config, model, added)
    told = [*notes, *needs.note(needed)]
    name, params = config.final.class_, config.final.params
    training = described(config, model, kind, about, seconds, name, params, told, added)
    training.needs = needed
    if tuned is not None:
        training.tuning = tuned.record
        training.params |= parts.json_safe(tuned.params)
        training.notes += tuned.notes
    training.cross_validation, remarks = crossval.judge(config, model, part, y, kind)
    training.notes += remarks
    training.learning_curve = learning.draw(config, model, part, y, training)
    return Fitted(model, training)


def target(config: contract.RunConfig, part: parts.Part, kind: contract.EstimatorType) -> Any:
    """The target of the training part, checked for that kind of estimator."""
    about = part.about
    if about.test_rows == about.rows:
        return targets.checked(part.y, about, kind)
    advice = ": the rows are sorted by class; set data.split.shuffle to true"
    if config.data.split.strategy != "Random":
        advice = (
            f": data.split.strategy {config.data.split.strategy} puts all others into the test part; change the split"
        )
    return targets.checked(part.y, about, kind, "the training part", advice)


def save(fitted: Fitted, folder: Path, compress: int = 0) -> None:
    """Write the model and what is known of it; ``compress`` is joblib's."""
    import joblib

    folder.mkdir(parents=True, exist_ok=True)
    if fitted.file is None:
        joblib.dump(fitted.model, folder / contract.MODEL, compress=compress)
    else:
        shutil.copyfile(fitted.file, folder / contract.MODEL)
    parts.write(fitted.training, folder / parts.TRAINING)


def load(folder: Path) -> Fitted:
    """What ``save`` wrote in the same run."""
    training = parts.Training.model_validate_json((folder / parts.TRAINING).read_bytes())
    sklearn_import.load(training.about.table)
    import joblib

    return Fitted(joblib.load(folder / contract.MODEL), training)


def _check_outputs(estimator: Any, about: parts.About, name: str, kind: contract.EstimatorType) -> None:
    from sklearn.utils import get_tags

    if len(about.target) > 1 and not get_tags(estimator).target_tags.multi_output:
        wrapper = "MultiOutputClassifier" if kind == "classifier" else "MultiOutputRegressor"
        raise errors.UserError(
            "TooManyTargets",
            f"model: {name} learns one target, but there are {len(about.target)} "
            f"({errors.listed(about.target)}); wrap it in sklearn.multioutput.{wrapper}",
        )


def _others(model: Any, packages: Sequence[str]) -> tuple[str, ...]:
    """The distributions of other packages that the model is made of."""
    made_of = [model, *model.get_params(deep=True).values()]
    used = {type(part).__module__.partition(".")[0] for part in made_of} & set(packages)
    if not used:
        return ()
    known = metadata.packages_distributions()
    return tuple(sorted({name for package in used for name in known.get(package, ())}))


def said(caught: list[warnings.WarningMessage], when: str) -> list[str]:
    """What scikit-learn warned of: worth knowing, not worth failing."""
    texts = [errors.first_line(item.message) for item in caught if isinstance(item.message, Warning)]
    return [f"{when}: {text}" for text in dict.fromkeys(texts)][:_MAX_WARNINGS]


def described(
    config: contract.RunConfig,
    model: Any,
    kind: contract.EstimatorType,
    about: parts.About,
    seconds: float,
    estimator: str,
    params: Mapping[str, Any],
    notes: Sequence[str] = (),
    added: Mapping[str, str] | None = None,
) -> parts.Training:
    """What is known of a fitted model; ``estimator`` and ``params``: what it is, in the words of the manifest."""
    classes = getattr(model, "classes_", None)
    others = _others(model, foreign.packages(model) if config.brought else config.packages)
    libraries = (*_LIBRARIES, *others, "pandas") if about.table else (*_LIBRARIES, *others)
    versions = {name: metadata.version(name) for name in libraries}
    return parts.Training(
        run_id=config.run_id,
        about=about,
        estimator=estimator,
        estimator_type=kind,
        classes=parts.json_safe(classes),
        outputs=[name for name in _OUTPUTS if hasattr(model, name)],
        params=parts.json_safe(params),
        fit_seconds=seconds,
        versions={
            "python": platform.python_version(),
            "sklearn": versions["scikit-learn"],
            "numpy": versions["numpy"],
            "joblib": versions["joblib"],
        }
        | ({"pandas": versions["pandas"]} if about.table else {}),
        requirements=requirements.pinned([*versions, *(added or {})]),
        notes=[*about.notes, *notes],
    )
