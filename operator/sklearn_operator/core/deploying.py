"""Putting the chosen version where requests come in, and taking it back when it does not come up.

Invariant: an InferenceService that is not ours is never touched, and one that is as it should be is not written.
"""

from __future__ import annotations

from dataclasses import replace
from datetime import datetime, timedelta
from typing import Any

from sklearn_operator import api
from sklearn_operator.core import (
    actions,
    announcing,
    canary,
    drafts,
    knative,
    observed,
    ownership,
    rollout,
    serving,
    version_report,
)
from sklearn_operator.core.settings import Settings


def apply(
    seen: observed.Observed,
    spec: api.SklearnModelSpec,
    target: observed.Version | None,
    settings: Settings,
    draft: drafts.Draft,
    move: canary.Move | None = None,
) -> serving.Verdict:
    """Makes the InferenceService what it should be; says how the version in it is doing."""
    live = seen.serving.service
    if live is not None and not serving.is_ours(live, seen.model):
        return serving.Verdict(trouble="the name is taken", reason="NameTaken")
    desired = _desired(seen, spec, target, settings, move) if target is not None else None
    if target is None or desired is None:
        if live is not None and spec.serving is None and not leaving(live):
            draft.actions.append(removal(live))
        return serving.Verdict()
    held_back = spec.suspend and serving.carried_version(live) not in (None, target.name)
    difference = serving.differs(desired, live) if live is not None and not leaving(live) else None
    due = live is None or difference is not None
    written = due and not held_back
    if written:
        revision = str(live["metadata"].get("resourceVersion") or "") if live is not None else None
        repairs = _repairs(seen, target, difference)
        if repairs:
            draft.actions.append(announcing.repaired(repairs, draft.now))
        draft.actions.append(actions.ApplyInferenceService(desired, target.name, revision, repairs))
        refusal = seen.serving.refusal
        if refusal is not None and refusal.manifest == desired:
            return serving.Verdict(trouble=refusal.message, reason="Refused", refused=True)
    if move is not None and move.share is not None:
        draft.wait(move.look_again)
        return replace(move.verdict, live=False, written=written)
    verdict = replace(serving.verdict(seen.serving, target.name), written=written)
    if not verdict.live or "canary" in desired["spec"] or "canaryTrafficPercent" in desired["spec"]["predictor"]:
        draft.wait(_until_routed(seen, target, draft.now) if verdict.rolled_out else timedelta(seconds=1))
    return verdict


def _until_routed(seen: observed.Observed, target: observed.Version, now: datetime) -> timedelta:
    """A route changes without an event: it is looked at often after a short roll, after a long one once in a second."""
    often, seldom = timedelta(seconds=0.1), timedelta(seconds=1)
    since = serving.deployed_since(seen.serving.service, target.name)
    if since is None or seen.serving.answered is None:
        return seldom
    return min(max((now - since) / 20, often), seldom)


def _repairs(seen: observed.Observed, target: observed.Version, difference: str | None) -> str:
    """What others did, when nothing but that is why the InferenceService has to be written; else nothing.

    A field of ours that is simply not there may be one that a newer operator sets.
    """
    live, reported = seen.serving.service, seen.model.status.get("observedGeneration")
    if reported != seen.model.generation or version_report.says(target, "Served") != "True":
        return ""
    if live is None:
        return f"{seen.model.key.name} was deleted"
    if difference is None or serving.carried_version(live) != target.name or not ownership.taken(live, difference):
        return ""
    return f"{difference} was changed"


def _desired(
    seen: observed.Observed,
    spec: api.SklearnModelSpec,
    target: observed.Version,
    settings: Settings,
    move: canary.Move | None,
) -> dict[str, Any] | None:
    """A predictor keeps its name for as long as it can: clients inside the cluster know its Service by it."""
    live = seen.serving.service
    if spec.serving is not None and spec.serving.deployment_mode == knative.MODE:
        return knative.numbered(_revision(seen, spec, target, settings, move), live)
    name, share = serving.predictor_name(live), serving.share_of(live)
    if move is not None and move.share is not None:
        return serving.manifest(seen.model, spec, move.stable, settings, name, (target, move.share))
    if move is not None and share is not None:
        return serving.manifest(seen.model, spec, target, settings, share.name)
    return serving.manifest(seen.model, spec, target, settings, name, _emptied(seen))


def _revision(
    seen: observed.Observed,
    spec: api.SklearnModelSpec,
    target: observed.Version,
    settings: Settings,
    move: canary.Move | None,
) -> dict[str, Any] | None:
    """In Knative mode a version that comes back is a new revision, which gets nothing before it is ready."""
    live = seen.serving.service
    share = serving.share_of(live)
    if move is not None and move.share is not None:
        if share is None and not _whole(seen.serving, move.stable.name):
            return serving.manifest(seen.model, spec, move.stable, settings, beside=knative.stable(live))
        return serving.manifest(seen.model, spec, move.stable, settings, canary=(target, move.share))
    if move is None and share is not None and (stable := _version(seen, serving.carried_version(live))) is not None:
        if (emptied := _emptied(seen)) is not None and share.version != target.name:
            return serving.manifest(seen.model, spec, stable, settings, canary=emptied)
        if not serving.came_up(seen.serving, target.name):
            nothing = serving.Share(target.name, "", 0)
            return serving.manifest(seen.model, spec, stable, settings, canary=(target, nothing))
    beside = knative.stable(live) if share is not None or serving.carried_version(live) == target.name else None
    return serving.manifest(seen.model, spec, target, settings, beside=beside)


def _whole(found: observed.Serving, version: str) -> bool:
    """Whether KServe knows a revision of ``version`` that had everything: beside none, a candidate gets it all."""
    return knative.reported(found.service) and serving.rolled_out(found.service, found.deployment) == version


def _version(seen: observed.Observed, name: str | None) -> observed.Version | None:
    return next((version for version in seen.versions if version.name == name), None)


def _emptied(seen: observed.Observed) -> tuple[observed.Version, serving.Share] | None:
    """A candidate that has to leave gets nothing first: KServe removes its pods before it changes the route."""
    share = serving.share_of(seen.serving.service)
    version = _version(seen, share.version) if share is not None else None
    if share is None or version is None or serving.routed(seen.serving.service, replace(share, weight=0)):
        return None
    return version, replace(share, weight=0)


def give_up(
    seen: observed.Observed,
    known: tuple[observed.Version, ...],
    spec: api.SklearnModelSpec,
    target: observed.Version | None,
    verdict: serving.Verdict,
    settings: Settings,
    draft: drafts.Draft,
    move: canary.Move | None = None,
) -> tuple[tuple[observed.Version, ...], tuple[str, str] | None]:
    """What did not come up in time goes back to what did; and, where there is nothing to go back to, why it is late."""
    if target is not None and move is not None and move.failed is not None:
        return _taken_back(known, spec, target, *move.failed, draft), None
    if move is not None and move.share is not None and move.verdict.live:
        return known, None
    since = serving.deployed_since(seen.serving.service, target.name) if target is not None else None
    if target is None or since is None or verdict.live or verdict.written:
        return known, None
    if draft.now - since < settings.rollout_deadline:
        return known, None
    limit = api.duration_text(settings.rollout_deadline)
    message = f"did not come up within {limit}: {verdict.trouble or _silence(seen, target)}"
    if version_report.says(target, "Served") == "True":
        # It came up before: either its pods are not well, or a change of serving cannot be rolled out.
        late = ("RolloutTimedOut", f"the change of spec.serving {message}")
        return known, late if serving.rolling(seen.serving) else None
    message = f"{target.name} {message}"
    if rollout.fallback(known, spec, target) is None:
        return known, ("RolloutTimedOut", message)
    return _taken_back(known, spec, target, verdict.reason, message, draft), None


def _silence(seen: observed.Observed, target: observed.Version) -> str:
    """What to say of a version of which nobody says anything."""
    made = (seen.serving.deployment, seen.serving.canary)
    of_it = [one for one in made if serving.template_version(one) == target.name]
    if not of_it:
        return "KServe has made no pods of it"
    return "KServe does not report it" if any(map(serving.available, of_it)) else "its pods give no reason"


def _taken_back(
    known: tuple[observed.Version, ...],
    spec: api.SklearnModelSpec,
    target: observed.Version,
    reason: str,
    message: str,
    draft: drafts.Draft,
) -> tuple[observed.Version, ...]:
    mark = version_report.rolled_back(target, rollout.serving_hash(spec), reason, message, draft.now)
    after = draft.report(target, mark)
    draft.wait(timedelta())
    return tuple(after if version.name == target.name else version for version in known)


def record_approval(
    known: tuple[observed.Version, ...], model: observed.Model, spec: api.SklearnModelSpec, draft: drafts.Draft
) -> tuple[observed.Version, ...]:
    named = rollout.newly_approved(known, model) if spec.rollout.approval == "Manual" else None
    if named is None:
        return known
    after = draft.report(named, version_report.approved(named, draft.now))
    return tuple(after if version.name == named.name else version for version in known)


def stamp(
    known: tuple[observed.Version, ...],
    answering: str | None,
    status: observed.Json,
    model: observed.Model,
    draft: drafts.Draft,
    *,
    unserved: bool,
) -> tuple[observed.Version, ...]:
    """Records on the versions which of them serves, after the model's own report of it went out."""
    if status != model.status or (answering is None and not unserved):
        return known
    stamped = []
    for version in known:
        said = version_report.says(version, "Served")
        if version.name == answering and (said != "True" or not version.status.get("servedAt")):
            version = draft.report(version, version_report.served(version, draft.now))
        elif version.name != answering and said == "True":
            text = f"{answering} answers requests" if answering else "spec.serving was removed"
            version = draft.report(version, version_report.replaced(version, text, draft.now))
        stamped.append(version)
    return tuple(stamped)


def removal(service: observed.Json) -> actions.DeleteInferenceService:
    return actions.DeleteInferenceService(service["metadata"]["name"], str(service["metadata"].get("uid") or ""))


def leaving(service: observed.Json) -> bool:
    return bool((service.get("metadata") or {}).get("deletionTimestamp"))


def name_taken(seen: observed.Observed) -> tuple[str, str] | None:
    service = seen.serving.service
    if service is None or serving.is_ours(service, seen.model):
        return None
    name = seen.model.key.name
    return "NameTaken", (
        f"InferenceService {name} exists and does not belong to this SklearnModel; "
        f"rename metadata.name ({name}) or delete that InferenceService"
    )
