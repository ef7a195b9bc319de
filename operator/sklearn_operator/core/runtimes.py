"""Serving runtimes other than the project's own, and which artifacts they can load.

Invariant: scikit-learn promises nothing about a model of another minor version (its documentation on persistence),
so an artifact goes only to a runtime that has the scikit-learn it was made with. Versions come from the operator's
settings and from the lineage that was recorded in training.
"""

from __future__ import annotations

from collections.abc import Iterator

from sklearn_operator import api
from sklearn_operator.api import Problem
from sklearn_operator.core import observed
from sklearn_operator.core.settings import Settings


def own(spec: api.ServingSpec, settings: Settings) -> bool:
    """Whether the project's runtime serves: it names its version in every answer, and counts by version."""
    return spec.runtime in (None, settings.runtime)


def problems(spec: api.SklearnModelSpec, settings: Settings) -> Iterator[Problem]:
    if spec.serving is None or own(spec.serving, settings):
        return
    runtime = str(spec.serving.runtime)
    if runtime not in settings.runtimes:
        known = ", ".join(sorted({settings.runtime, *settings.runtimes}))
        text = "is none of the runtimes whose scikit-learn the operator's settings name (SKLEARN_OPERATOR_RUNTIMES)"
        yield Problem("spec.serving.runtime", runtime, f"{text}; known are {known}")
    if spec.rollout.canary is not None:
        text = "takes the project's own runtime, whose figures tell how a candidate does; remove it, or serving.runtime"
        yield Problem("spec.rollout.canary", f"{len(spec.rollout.canary.steps)} step(s)", text)


def hindrance(version: observed.Version, spec: api.SklearnModelSpec, settings: Settings) -> tuple[str, str] | None:
    """Why the runtime that the manifest names cannot serve ``version``, as (reason, message)."""
    if spec.serving is None or own(spec.serving, settings):
        return None
    runtime = str(spec.serving.runtime)
    has, made_with = settings.runtimes.get(runtime, ""), str((version.status.get("lineage") or {}).get("sklearn") or "")
    if made_with and _minor(has) == _minor(made_with):
        return None
    made = f"{version.name} was made with {made_with or 'none'}"
    advice = f"name a runtime with that, or train in an image with {'.'.join(_minor(has))} (spec.training.image)"
    return "RuntimeCannotLoad", f"spec.serving.runtime: {runtime} has scikit-learn {has}, and {made}; {advice}"


def _minor(version: str) -> tuple[str, ...]:
    return tuple(version.split(".")[:2]) if version else ()
