"""Which of the good versions is meant to answer: by pin, by approval, and by whether it ever came up.

Invariant: a version that a gate rejects, that nobody approved or that was rolled back is never chosen, whatever the pin
says. What is chosen follows from the manifest and from what the versions have recorded of themselves.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Any

from sklearn_operator import api
from sklearn_operator.core import naming, observed, version_report, versions


@dataclass(frozen=True)
class Choice:
    """``target``: the version meant to answer. ``waiting``: an accepted one that a person has to let through.

    ``problem``: why what the manifest asks for is not done, as (reason, message).
    """

    target: observed.Version | None = None
    waiting: observed.Version | None = None
    problem: tuple[str, str] | None = None


def choose(
    model: observed.Model,
    known: Sequence[observed.Version],
    spec: api.SklearnModelSpec,
    wish: str,
    carried: str | None,
) -> Choice:
    """The version that ought to answer under the manifest as it is now; ``carried`` is the one deployed."""
    serving = serving_hash(spec)
    came_up = [version for version in known if not _given_up(version, serving)]
    usual = versions.serving_target(came_up, wish, carried)
    if spec.rollout.version is not None:
        choice = _pinned(model, known, came_up, spec.rollout.version, usual, carried)
        return _awaited(choice, model, known, spec, wish)
    given_up = versions.serving_target(known, wish, carried)
    problem = None
    if given_up is not None and given_up not in came_up:
        problem, usual = _rolled_back(given_up), fallback(known, spec, given_up) or usual
    if spec.rollout.approval != "Manual" or usual is None or approved(usual, model):
        return Choice(usual, problem=problem)
    return Choice(_kept(came_up, model, carried), waiting=usual, problem=problem)


def _pinned(
    model: observed.Model,
    known: Sequence[observed.Version],
    came_up: Sequence[observed.Version],
    pin: str,
    usual: observed.Version | None,
    carried: str | None,
) -> Choice:
    version = next((one for one in known if one.name == pin and not one.deleting), None)
    # Until there is what the pin names, whoever answers goes on; nothing takes over that the pin did not name.
    kept = next((one for one in came_up if one.name == carried and one.phase == "Succeeded"), None)
    if version is not None and version in came_up:
        if version.phase == "Succeeded":
            return Choice(version)
        if not version.finished:
            return Choice(kept)
        text = f"is {version.phase}, and only a good version serves"
    elif version is not None:
        return Choice(kept or usual, problem=_rolled_back(version))
    elif naming.number(model.key.name, pin) > versions.latest_number(model, known):
        return Choice(kept)
    else:
        good = ", ".join(one.name for one in known if one.phase == "Succeeded") or "none"
        text = f"does not exist any more; good versions: {good}"
    return Choice(kept, problem=("PinNotPossible", f"spec.rollout.version: {pin} {text}; change or remove the pin"))


def _awaited(
    choice: Choice, model: observed.Model, known: Sequence[observed.Version], spec: api.SklearnModelSpec, wish: str
) -> Choice:
    """A pin on what is to come is fine while somebody answers, or while a version is on its way or will be."""
    coming = any(not version.finished for version in known) or spec.retraining.schedule is not None
    due = versions.missing_trigger(model, known, wish, spec) is not None
    if choice.target is not None or choice.problem is not None or coming or due:
        return choice
    good = ", ".join(one.name for one in known if one.phase == "Succeeded") or "none"
    text = (
        f"spec.rollout.version: {spec.rollout.version} does not exist yet, and no training is due that would make it; "
        f"good versions: {good}; change or remove the pin, or ask for a training"
    )
    return replace(choice, problem=("PinNotPossible", text))


def _kept(came_up: Sequence[observed.Version], model: observed.Model, carried: str | None) -> observed.Version | None:
    """Of the approved versions the one that is deployed, else the newest."""
    good = [one for one in came_up if one.phase == "Succeeded" and not one.deleting and approved(one, model)]
    return next((one for one in good if one.name == carried), None) or versions.newest(good)


def approved(version: observed.Version, model: observed.Model) -> bool:
    """By the annotation, now or earlier; whatever served once was let through once."""
    if version.status.get("servedAt") or version_report.says(version, "AwaitingApproval") == "False":
        return True
    return model.annotations.get(naming.ANNOTATION_APPROVE) == version.name


def newly_approved(known: Sequence[observed.Version], model: observed.Model) -> observed.Version | None:
    """The version that the annotation names, where that is not recorded yet: the next annotation replaces it."""
    named = model.annotations.get(naming.ANNOTATION_APPROVE)
    version = next((one for one in known if one.name == named and one.phase == "Succeeded"), None)
    said = version_report.says(version, "AwaitingApproval") if version is not None else None
    return version if said != "False" else None


def fallback(
    known: Sequence[observed.Version], spec: api.SklearnModelSpec, failed: observed.Version | None
) -> observed.Version | None:
    """The version to go back to when ``failed`` does not come up; None where there is none."""
    serving = serving_hash(spec)
    return versions.newest(
        [
            one
            for one in known
            if one.phase == "Succeeded"
            and one.status.get("servedAt")
            and not one.deleting
            and (failed is None or one.name != failed.name)
            and not _given_up(one, serving)
        ]
    )


def serving_hash(spec: api.SklearnModelSpec) -> str:
    """What a version was tried with: once that changes it may be tried again."""
    parts: list[Any] = [spec.serving, spec.rollout.canary]
    tried = [part.model_dump(mode="json", by_alias=True, exclude_none=True) for part in parts if part]
    return naming.digest(tried)[:16]


def _given_up(version: observed.Version, serving: str) -> bool:
    return (version.status.get("rolledBack") or {}).get("serving") == serving


def _rolled_back(version: observed.Version) -> tuple[str, str]:
    mark = version.status.get("rolledBack") or {}
    return "RolledBack", f"{version.name} was rolled back: {mark.get('message')}"
