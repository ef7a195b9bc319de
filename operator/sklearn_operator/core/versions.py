"""Which versions there must be, and which of them is meant to serve.

Invariant: one trigger key makes one version. The key is computed from what is there, never remembered, so a crash
between deciding and recording changes nothing.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime

from sklearn_operator import api
from sklearn_operator.core import naming, observed, schedule, training


@dataclass(frozen=True)
class Trigger:
    """Why a version is made; ``key`` is what makes it happen once."""

    type: str
    key: str


def newest(versions: Sequence[observed.Version]) -> observed.Version | None:
    return max(versions, key=lambda version: version.number, default=None)


def next_number(model: observed.Model, versions: Sequence[observed.Version]) -> int:
    """One above every number ever given: numbers are not reused, whoever deleted the version."""
    return latest_number(model, versions) + 1


def latest_number(model: observed.Model, versions: Sequence[observed.Version]) -> int:
    """The highest number ever given, as far as the status remembers; 0 before the first."""
    latest = newest(versions)
    remembered = naming.number(model.key.name, str(model.status.get("latestVersion") or ""))
    return max(latest.number if latest else 0, remembered)


def wanted(versions: Sequence[observed.Version], training_hash: str) -> observed.Version | None:
    """The newest version of what the manifest asks for now."""
    return newest([version for version in versions if version.training_hash == training_hash and not version.deleting])


def missing_trigger(
    model: observed.Model,
    versions: Sequence[observed.Version],
    training_hash: str,
    spec: api.SklearnModelSpec | None = None,
    slot: datetime | None = None,
) -> Trigger | None:
    """The trigger that has no version yet, or None; ``slot``: the one of the schedule that is due.

    A manifest that goes back to an earlier state finds its good version again. If that one had failed and something
    else was trained since, going back is a new try: the key then names the version it comes after.
    """
    current = wanted(versions, training_hash)
    latest = newest(versions)
    if current is None or latest is None:
        key = training_hash if latest is None else f"{training_hash}/after-v{latest.number}"
        return Trigger("SpecChange", key)
    if current.phase == "Canceled" or (current.phase == "Failed" and latest.number > current.number):
        return Trigger("SpecChange", f"{training_hash}/after-v{latest.number}")
    if current.phase == "Failed" and spec is not None and (way := _another_way(current, spec)):
        return Trigger("SpecChange", f"{way}/after-v{latest.number}")
    request = pending_request(model, versions)
    # What is asked for during a training comes after it: it may be about data that came too late for this one.
    if request and current.finished:
        return Trigger("Manual", f"manual/{request}")
    return Trigger("Schedule", schedule.key(slot)) if slot is not None else None


def _another_way(failed: observed.Version, spec: api.SklearnModelSpec) -> str | None:
    """What fails for want of memory or of the right Secret is not tried in vain once the manifest gives another.

    None if the version was made with what the manifest says now. The key of a second try names it, so that whatever
    the API server makes of the frozen inputs, one manifest never leads to a third.
    """
    key = f"{failed.training_hash}/with-{training.run_hash(spec)[:16]}"
    return None if failed.trigger_key.startswith(key) or training.made_as(failed, spec) else key


def pending_request(model: observed.Model, versions: Sequence[observed.Version]) -> str | None:
    """The value of the retrain annotation that no version answers yet."""
    request = retrain_request(model)
    if request is None or model.status.get("retrainHandled") == request:
        return None
    return None if answered(request, versions) else request


def answered(request: str, versions: Sequence[observed.Version]) -> bool:
    return any(request == version.retrain or version.trigger_key == f"manual/{request}" for version in versions)


def retrain_request(model: observed.Model) -> str | None:
    value = model.annotations.get(naming.ANNOTATION_RETRAIN)
    return value[:253] if value else None


def serving_target(
    versions: Sequence[observed.Version], training_hash: str | None, carried: str | None = None
) -> observed.Version | None:
    """The version that ought to answer: the newest good one of the present manifest, else the newest good one.

    ``carried``: the one that the InferenceService asks for. If it has served and a changed gate rejects it now, it
    stays until a version of the present manifest is good enough to take its place: an older model that was never
    judged by that gate would be no better.
    """
    alive = [version for version in versions if not version.deleting]
    good = [version for version in alive if version.phase == "Succeeded"]
    same = [version for version in good if version.training_hash == training_hash]
    kept = [one for one in alive if one.name == carried and one.phase == "Rejected" and one.status.get("servedAt")]
    return newest(same or kept or good)


def superseded(version: observed.Version, versions: Sequence[observed.Version], training_hash: str | None) -> bool:
    """An unfinished version that nobody waits for any more."""
    if version.finished or training_hash is None:
        return False
    current = wanted(versions, training_hash)
    return version.training_hash != training_hash or (current is not None and current.number > version.number)


def prunable(versions: Sequence[observed.Version], limit: int, keep: frozenset[str]) -> tuple[observed.Version, ...]:
    """Finished versions beyond the limit, oldest first; never one of ``keep`` and never the newest."""
    alive = sorted((version for version in versions if not version.deleting), key=lambda version: version.number)
    excess = len(alive) - limit
    removable = [version for version in alive[:-1] if version.finished and version.name not in keep]
    return tuple(removable[: max(excess, 0)])
