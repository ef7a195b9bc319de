"""The decision: from what was seen to what is done and said.

Invariant: ``plan`` is a pure function. It may be called as often as anyone likes, with facts that are minutes old; the
same facts give the same plan, and a settled model gives an empty one.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from datetime import datetime, timedelta

from sklearn_operator import api
from sklearn_operator.core import (
    actions,
    announcing,
    attempts,
    canary,
    cleanup,
    deploying,
    drafts,
    gates,
    naming,
    observed,
    parameters,
    report,
    rollout,
    runtimes,
    schedule,
    serving,
    times,
    training,
    trouble,
    validation,
    versions,
)
from sklearn_operator.core.settings import Settings


@dataclass(frozen=True)
class Plan:
    """What to do, in order; what to report, or None for as it is; when to look again without being woken."""

    actions: tuple[actions.Action, ...] = ()
    status: observed.Json | None = None
    look_again: timedelta | None = None

    @property
    def idle(self) -> bool:
        return not self.actions and self.status is None


def plan(seen: observed.Observed, settings: Settings, catalogue: parameters.Catalogue, now: datetime) -> Plan:
    """Decides about one SklearnModel."""
    if seen.model.deleting:
        return _take_down(seen, settings, now)
    try:
        spec = validation.accept(seen.model, settings, catalogue)
    except validation.NotAccepted as refusal:
        return _refuse(seen, settings, refusal, now)
    return _reconcile(seen, spec, settings, now)


def _reconcile(seen: observed.Observed, spec: api.SklearnModelSpec, settings: Settings, now: datetime) -> Plan:
    draft = drafts.Draft(now)
    wish = training.training_hash(spec)
    known = _advance_versions(seen, settings, now, wish, spec, draft)
    if naming.FINALIZER not in seen.model.finalizers:
        draft.actions.insert(0, actions.AddFinalizer())
    known = deploying.record_approval(known, seen.model, spec, draft)
    choice = _loadable(
        rollout.choose(seen.model, known, spec, wish, serving.carried_version(seen.serving.service)), spec, settings
    )
    target = choice.target
    if choice.waiting is not None:
        text = report.how_to_approve(choice.waiting.name)
        draft.actions.extend(announcing.waiting(seen.model, choice.waiting, text))
    answering = serving.answering(seen.serving, _reported(seen.model)) if spec.serving is not None else None
    slots = _slots(seen.model, spec, known, draft)
    resting = _start_training(
        seen.model, known, wish, spec, answering or (target.name if target else None), slots, draft
    )
    stable = canary.beside(seen, spec, target, known, answering)
    move = canary.move(seen, spec, target, stable, settings, now) if target is not None and stable is not None else None
    verdict = deploying.apply(seen, spec, target, settings, draft, move)
    known, late = deploying.give_up(seen, known, spec, target, verdict, settings, draft, move)
    situation = report.Situation(
        model=seen.model,
        known=known,
        now=now,
        wanted=versions.wanted(known, wish),
        target=target,
        waiting=choice.waiting,
        awaited=choice.awaited,
        next_slot=slots.next,
        resting=resting,
        approval=spec.rollout.approval == "Manual",
        hindrance=choice.problem or late,
        answering=answering,
        train_only=spec.serving is None,
        suspended=spec.suspend,
        verdict=serving.told(verdict, seen.serving, answering),
        rolling=serving.rolling(seen.serving),
        service=seen.serving.service,
        problem=deploying.name_taken(seen),
        progress=_progress(seen),
        rollout=move.progress if move is not None else {},
    )
    status = report.status(situation)
    known = deploying.stamp(known, answering, status, seen.model, draft, unserved=spec.serving is None)
    # What a version answered, a request or a slot, is known by it alone until the report of it went out.
    if status == seen.model.status:
        back = None if verdict.live else rollout.fallback(known, spec, target)
        keep = _needed(seen, answering, target, choice.waiting, back)
        keep |= gates.needed(known) | {spec.rollout.version or ""}
        _prune(known, spec, keep, draft)
    return _finish(draft, seen.model, status)


def _loadable(choice: rollout.Choice, spec: api.SklearnModelSpec, settings: Settings) -> rollout.Choice:
    """What the named runtime cannot load is not given to it: whoever serves now goes on as before."""
    problem = runtimes.hindrance(choice.target, spec, settings) if choice.target is not None else None
    return replace(choice, target=None, problem=problem) if problem is not None else choice


def _advance_versions(
    seen: observed.Observed,
    settings: Settings,
    now: datetime,
    wish: str | None,
    spec: api.SklearnModelSpec | None,
    draft: drafts.Draft,
) -> tuple[observed.Version, ...]:
    """One step for every unfinished or leaving version, and the gates' word; returns all as they will be.

    ``spec`` None: the manifest is not accepted, so nothing new is started.
    """
    after = []
    for version in sorted(seen.versions, key=lambda item: item.number):
        context = _context(seen, version, settings, now)
        if version.name in seen.unanswered:
            after.append(version)
        elif version.deleting:
            after.append(draft.add(version, cleanup.step(version, seen, context)[0]))
        elif not version.finished:
            stale = versions.superseded(version, seen.versions, wish)
            context = replace(context, superseded=stale, suspended=spec is None or spec.suspend)
            attempt = seen.attempts.get(version.name) or observed.Attempt(run=None)
            step = attempts.advance(version, attempt, context)
            if step.status is not None:
                step = replace(step, status=gates.judged(version, step.status, spec, wish))
            after.append(draft.add(version, step))
        else:
            judged = gates.judged(version, version.status, spec, wish)
            after.append(draft.add(version, attempts.Step(status=judged)) if judged != version.status else version)
    return tuple(after)


def _context(seen: observed.Observed, version: observed.Version, settings: Settings, now: datetime) -> attempts.Context:
    return attempts.Context(
        seen.model,
        settings,
        now,
        unsubmitted=seen.unsubmitted,
        last_sent=seen.submitted_at.get(version.name),
        ending_since=seen.ending_since,
    )


def _start_training(
    model: observed.Model,
    known: Sequence[observed.Version],
    wish: str,
    spec: api.SklearnModelSpec,
    serving_now: str | None,
    slots: schedule.Slots,
    draft: drafts.Draft,
) -> datetime | None:
    """Records the next version where one is due; the moment until which it has to wait for ``minInterval``."""
    trigger = versions.missing_trigger(model, known, wish, spec, slots.due)
    if trigger is None or spec.suspend:
        return None
    rested = schedule.cooled_down_at(spec.retraining, known)
    if rested is not None and rested > draft.now:
        draft.wait(rested - draft.now)
        return rested
    number = versions.next_number(model, known)
    name = naming.version_name(model.key.name, number)
    frozen = training.frozen(spec, gates.predecessor(known, serving_now))
    # Whoever changes the manifest and asks for a training in one go wants one.
    request = versions.pending_request(model, known)
    draft.actions.append(actions.CreateVersion(name, number, wish, trigger.type, trigger.key, frozen, request))
    draft.wait(timedelta())
    return None


def _slots(
    model: observed.Model, spec: api.SklearnModelSpec, known: Sequence[observed.Version], draft: drafts.Draft
) -> schedule.Slots:
    """The schedule's slots; one that was missed for good is announced."""
    reported = times.parse(model.status.get("nextScheduleTime"))
    found = schedule.slots(spec.retraining, reported, known, draft.now)
    if found.skipped is not None:
        slot, why = found.skipped
        text = f"the slot {times.text(slot)} of spec.retraining.schedule was skipped: {why}"
        draft.actions.append(actions.Announce("Warning", "SlotSkipped", text, schedule.key(slot)))
    if found.next is not None and found.next > draft.now:
        draft.wait(found.next - draft.now)
    return found


def _prune(
    known: Sequence[observed.Version],
    spec: api.SklearnModelSpec,
    keep: frozenset[str],
    draft: drafts.Draft,
) -> None:
    for version in versions.prunable(known, spec.history.limit, keep):
        draft.actions.append(actions.DeleteVersion(version.name))


def _needed(seen: observed.Observed, answering: str | None, *chosen: observed.Version | None) -> frozenset[str]:
    """Versions whose artifacts a pod may still have to load, or go back to."""
    names = [answering, _reported(seen.model), serving.carried_version(seen.serving.service)]
    names += seen.serving.ready_versions
    names += [version.name for version in chosen if version is not None]
    return frozenset(name for name in names if name)


def _refuse(seen: observed.Observed, settings: Settings, refusal: validation.NotAccepted, now: datetime) -> Plan:
    """Nothing new is started; what runs ends, what serves goes on serving."""
    draft = drafts.Draft(now)
    known = _advance_versions(seen, settings, now, None, None, draft)
    target = versions.serving_target(known, None, serving.carried_version(seen.serving.service))
    answering = serving.answering(seen.serving, _reported(seen.model))
    situation = report.Situation(
        model=seen.model,
        known=known,
        now=now,
        problem=(refusal.reason, refusal.message),
        target=target,
        train_only=seen.model.spec.get("serving") is None,
        answering=answering,
        service=seen.serving.service,
        progress=_progress(seen),
    )
    return _finish(draft, seen.model, report.status(situation))


def _take_down(seen: observed.Observed, settings: Settings, now: datetime) -> Plan:
    if naming.FINALIZER not in seen.model.finalizers:
        return Plan()
    draft = drafts.Draft(now)
    waiting: list[str] = []
    service = seen.serving.service
    if service is not None and serving.is_ours(service, seen.model):
        waiting.append(f"waiting for InferenceService {seen.model.key.name} to go")
        if not deploying.leaving(service):
            draft.actions.append(deploying.removal(service))
    for version in seen.versions:
        if not version.deleting:
            draft.actions.append(actions.DeleteVersion(version.name))
        if version.name in seen.unanswered:
            waiting.append(seen.unanswered[version.name])
            continue
        step, text = cleanup.step(version, seen, _context(seen, version, settings, now))
        draft.add(version, step)
        waiting.append(text)
    if not waiting:
        return Plan(actions=(actions.RemoveFinalizer(),))
    draft.wait(timedelta(seconds=1))
    return _finish(draft, seen.model, trouble.deleting(seen.model, "; ".join(list(dict.fromkeys(waiting))[:3]), now))


def _progress(seen: observed.Observed) -> dict[str, observed.Json]:
    return {name: attempt.progress for name, attempt in seen.attempts.items() if attempt.progress is not None}


def _reported(model: observed.Model) -> str | None:
    value = model.status.get("servingVersion")
    return str(value) if value else None


def _finish(draft: drafts.Draft, model: observed.Model, status: observed.Json) -> Plan:
    """A pass that is followed at once by another leaves the report to that one: half a picture is not worth a write."""
    followed = draft.look_again == timedelta()
    changed = status if status != model.status and not followed else None
    if changed is not None:
        draft.actions.extend(announcing.changes(model, changed, draft.now))
    return Plan(tuple(draft.actions), changed, draft.look_again)
