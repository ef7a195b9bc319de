"""The stages of the check: where each begins, and what may happen there.

Invariant: together they cover every phase of a model's life with two events at any point of it. The rollout in steps
begins with the change that makes it and has another event at any point; what can befall it is spread over stages.
"""

from __future__ import annotations

from model_check.explorer import Stage


def _stage(name: str, spec: str, menu: str, **more: bool) -> Stage:
    return Stage(name, spec, frozenset(menu.split()), **more)


STAGES = (
    _stage("a first training", "A short", "B die lost", settled=False),
    _stage("a first training that is deleted", "A short", "delete die lost stuck write vanish", settled=False),
    _stage("a training that fails", "A twice", "B failure hopeless kill late empty die"),
    _stage("a training that is replaced", "A short", "B retrain"),
    _stage("a first version that does not come up", "A short", "B retrain", sick=True),
    _stage("a training and its server", "A", "B vanish silence stuck lost refused"),
    _stage("a change at once", "A short", "B env crash"),
    _stage("a change at once and its objects", "A", "B die sick remove meddle hiccup"),
    _stage("a rollout in steps and its pods", "A steps", "B crash wrong errs hiccup"),
    _stage("a rollout in steps and its objects", "A steps", "B bad remove meddle sick die"),
    _stage("a rollout in steps and its users", "A steps", "B A steps env suspend pin1 pin2 unserved"),
    _stage("a rollout in steps that is not waited for", "A steps short", "B delete"),
    _stage("a change on Knative", "A knative short", "B env crash"),
    _stage("a rollout in steps on Knative and its pods", "A knative steps", "B crash bad"),
    _stage("a rollout in steps on Knative and its operator", "A knative steps", "B sick die"),
    _stage("pins and approvals", "A manual", "B approve pin1 pin2 bad crash"),
    _stage("gates", "A", "B bad ungated wrong"),
    _stage("a deletion", "A", "B delete die silence vanish remove write"),
)
