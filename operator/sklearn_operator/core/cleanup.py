"""Taking down what a version left outside Kubernetes: its runs and its objects.

Invariant: the finalizer goes last, after both were seen to be gone. An absent run counts as gone only when no earlier
submission can still surface, and objects are counted only when no task is left that could write another: a run is over
for the pipeline server before its pods are.
"""

from __future__ import annotations

from datetime import datetime, timedelta

from sklearn_operator.core import actions, attempts, observed, places

_SOON = timedelta(seconds=1)


def step(version: observed.Version, seen: observed.Observed, context: attempts.Context) -> tuple[attempts.Step, str]:
    """What to do next for a version that is leaving, and a sentence about what is being waited for."""
    runs = seen.runs_left.get(version.name, ())
    running = [run for run in runs if not run.state.terminal]
    if running:
        stops = tuple(action for run in running for action in attempts.end(run, version.name, context))
        return attempts.Step(actions=stops, look_again=_SOON), f"waiting for run {running[0].name} to end"
    if runs:
        deletes = tuple(actions.DeleteRun(run.id, version.name) for run in runs)
        return attempts.Step(actions=deletes, look_again=timedelta()), f"deleting {len(runs)} run(s) of {version.name}"
    surfaces_until = _unsettled_until(version, context)
    if surfaces_until is not None:
        text = f"making sure that no run of {version.name} is just being created"
        return attempts.Step(look_again=surfaces_until - context.now), text
    pods = seen.pods_left.get(version.name, ())
    if pods:
        return attempts.Step(look_again=_SOON), f"waiting for pod {pods[0]} of {version.name} to end"
    left = seen.objects_left.get(version.name, 0)
    if left:
        root = places.root(context.model, version, context.settings)
        delete = actions.DeleteArtifacts(version.name, root, places.place(context.model, version, context.settings))
        return attempts.Step(actions=(delete,), look_again=timedelta()), f"deleting {left} object(s) of {version.name}"
    return attempts.Step(actions=(actions.ReleaseVersion(version.name),)), f"releasing {version.name}"


def _unsettled_until(version: observed.Version, context: attempts.Context) -> datetime | None:
    if version.finished or version.run_recorded or (version.uid, version.attempt) in context.unsubmitted:
        return None
    settles = attempts.submission_settles_at(version, context)
    return settles if context.now < settles else None
