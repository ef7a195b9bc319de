"""Whether a manifest is accepted, and what is wrong with it if not.

Invariant: everything that the spec alone can tell is told here, before any pod starts: field, value, and what would
be right.
"""

from __future__ import annotations

import difflib
from collections.abc import Iterable, Iterator, Sequence

from sklearn_operator import api
from sklearn_operator.api import Problem
from sklearn_operator.core import observed, outcomes, parameters, quantities, unsupported
from sklearn_operator.core.settings import Settings

_SPEC_LIMIT = 64 * 1024
_NAME_LIMIT = 40


class NotAccepted(Exception):
    """``reason`` and ``message`` of the Valid condition."""

    def __init__(self, reason: str, problems: Sequence[Problem]) -> None:
        self.reason = reason
        self.problems = tuple(problems)
        self.message = outcomes.shorten("; ".join(f"{p.path}: {p.value}: {p.message}" for p in self.problems[:5]))
        super().__init__(self.message)


def accept(model: observed.Model, settings: Settings, catalogue: parameters.Catalogue) -> api.SklearnModelSpec:
    """The parsed spec; raises NotAccepted."""
    if len(model.key.name) > _NAME_LIMIT:
        text = f"a name has at most {_NAME_LIMIT} characters, so that every name derived from it fits"
        raise NotAccepted("Invalid", [Problem("metadata.name", model.key.name, text)])
    size = len(str(model.spec))
    if size > 2 * _SPEC_LIMIT:
        text = f"a spec has at most {_SPEC_LIMIT // 1024} KiB; put data and scripts into a ConfigMap or the store"
        raise NotAccepted("Invalid", [Problem("spec", f"about {size // 1024} KiB", text)])
    try:
        spec = api.parse_spec(model.spec)
    except api.InvalidSpec as error:
        raise NotAccepted("Invalid", error.problems) from None
    _refuse_if_any("NotImplemented", unsupported.problems(spec))
    _refuse_if_any("Invalid", _problems(spec, settings, catalogue))
    return spec


def _refuse_if_any(reason: str, problems: Iterable[Problem]) -> None:
    found = list(problems)
    if found:
        raise NotAccepted(reason, found)


def _problems(spec: api.SklearnModelSpec, settings: Settings, catalogue: parameters.Catalogue) -> Iterator[Problem]:
    estimator = spec.model.estimator
    if estimator is not None:
        document = estimator.model_dump(mode="json", by_alias=True, exclude_none=True)
        # exclude_none drops explicit nulls among the parameters, which mean something to scikit-learn.
        document["params"] = dict(estimator.params or {})
        yield from parameters.problems(document, catalogue, "spec.model.estimator")
        known = catalogue.estimators.get(document["class"])
        if known is not None:
            yield from _as_model(known, spec, catalogue)
    yield from _training(spec, settings)
    yield from _quantities(spec)


_MODEL_KINDS = frozenset({"classifier", "regressor", "clusterer", "outlier_detector"})


def _as_model(
    estimator: parameters.Estimator, spec: api.SklearnModelSpec, catalogue: parameters.Catalogue
) -> Iterator[Problem]:
    path = "spec.model.estimator.class"
    if estimator.kind not in _MODEL_KINDS:
        text = f"is a {estimator.kind}, not a classifier, regressor or clusterer; a model must be able to predict"
        yield Problem(path, estimator.path, text)
        return
    yield from _metrics(estimator, spec, catalogue)
    data = spec.data
    if data is None:
        return
    supervised = estimator.kind in ("classifier", "regressor")
    builtin = data.source.builtin
    if builtin is None and supervised and not data.target:
        yield Problem("spec.data.target", "absent", f"{estimator.path} is a {estimator.kind}: name the target column")
    if builtin is not None and data.target:
        yield Problem(
            "spec.data.target", str(data.target), f"the builtin data set {builtin} has its own target; remove it"
        )
    if builtin is not None and estimator.kind == "classifier" and catalogue.datasets.get(str(builtin)) == "regression":
        text = f"the target of {builtin} is a number; {estimator.path} is a classifier: choose a regressor"
        yield Problem("spec.data.source.builtin", str(builtin), text)


def _metrics(
    estimator: parameters.Estimator, spec: api.SklearnModelSpec, catalogue: parameters.Catalogue
) -> Iterator[Problem]:
    names = spec.evaluation.metrics if spec.evaluation is not None else ()
    for index, name in enumerate(names or ()):
        path = f"spec.evaluation.metrics[{index}]"
        kinds = catalogue.scorers.get(name)
        if kinds is None:
            close = difflib.get_close_matches(name, catalogue.scorers, n=1, cutoff=0.5)
            advice = f"did you mean {close[0]}?" if close else "see sklearn.metrics.get_scorer_names()"
            yield Problem(path, name, f"there is no such scorer; {advice}")
        elif estimator.kind not in kinds:
            yield Problem(
                path, name, f"does not fit a {estimator.kind}; it is for {' or '.join(sorted(kinds)) or 'none'}"
            )


def _training(spec: api.SklearnModelSpec, settings: Settings) -> Iterator[Problem]:
    account = spec.training.service_account_name if spec.training is not None else None
    if account and account not in settings.service_accounts:
        allowed = ", ".join(sorted(settings.service_accounts)) or "none"
        text = f"is not among the service accounts that the operator's settings allow ({allowed})"
        yield Problem("spec.training.serviceAccountName", account, text)


def _quantities(spec: api.SklearnModelSpec) -> Iterator[Problem]:
    for path, resources in (
        ("spec.training.resources", spec.training.resources if spec.training else None),
        ("spec.serving.resources", spec.serving.resources if spec.serving else None),
    ):
        if resources is None:
            continue
        for kind in ("requests", "limits"):
            for name, value in (getattr(resources, kind) or {}).items():
                try:
                    quantities.parse(value)
                except ValueError as error:
                    yield Problem(f"{path}.{kind}.{name}", str(value), str(error))
